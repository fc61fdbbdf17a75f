"""A compressed image that is changed frame by frame is what it would be if it were changed whole, in less memory."""

import tracemalloc
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import FileDataset

from lakeward.imaging.objects.reading import Limits, read_object
from lakeward.imaging.pixels.encoding import TransferSyntax, compress, store
from lakeward.imaging.pixels.framewise import change_each
from lakeward.imaging.pixels.masking import black_out
from lakeward.imaging.samples import sample_folder


def masked(ds: FileDataset, asked: TransferSyntax = "keep") -> Callable[[FileDataset], None]:
    before = ds.file_meta.TransferSyntaxUID
    mask = np.zeros((ds.Rows, ds.Columns), bool)
    mask[2:9, 3:40] = True

    def change(image: FileDataset) -> None:
        black_out(image, mask)
        store(image, asked, before, Limits())

    return change


def gray(count: int, syntax: uid.UID) -> FileDataset:
    """A compressed loop of 16 bits, signed, with one darkest value."""
    ds = read_object(sample_folder() / "CT_small.dcm")
    frame = np.frombuffer(ds.PixelData, "<i2")
    ds.NumberOfFrames, ds.PixelData = count, b"".join(np.roll(frame, 128 * n).tobytes() for n in range(count))
    compress(ds, syntax)
    return ds


@pytest.mark.parametrize("asked", ["keep", "htj2k", "explicit-little-endian"])
@pytest.mark.parametrize(
    "name", ["examples_ybr_color.dcm", "SC_rgb_rle_16bit_2frame.dcm", "SC_rgb_rle_32bit_2frame.dcm", "gray"]
)
def test_frame_by_frame_gives_what_all_at_once_gives(name: str, asked: TransferSyntax) -> None:
    whole = gray(3, uid.JPEGLSLossless) if name == "gray" else read_object(sample_folder() / name)
    each = deepcopy(whole)
    masked(whole, asked)(whole)
    change_each(each, masked(each, asked), Limits())
    assert each.NumberOfFrames > 1
    assert each == whole
    assert each["PixelData"].is_undefined_length == whole["PixelData"].is_undefined_length
    assert each.file_meta == whole.file_meta


def test_what_changes_in_no_frame_stays_as_it_is() -> None:
    ds = gray(3, uid.RLELossless)
    before = deepcopy(ds)
    change_each(ds, lambda image: None, Limits())
    assert ds == before


def test_one_frame_is_decoded_at_a_time() -> None:
    ds = read_object(sample_folder() / "CT_small.dcm")
    frame_bytes = len(ds.PixelData)
    ds.NumberOfFrames, ds.PixelData = 60, bytes(60 * frame_bytes)
    compress(ds, uid.RLELossless)
    change = masked(ds)
    tracemalloc.start()
    change_each(ds, change, Limits())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(ds.PixelData) + 20 * frame_bytes
