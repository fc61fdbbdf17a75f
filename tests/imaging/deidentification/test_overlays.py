"""Overlay planes in the unused bits of pixels go with their groups."""

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGExtended12Bit

from lakeward.imaging.deidentification.overlays import clear_embedded
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.pixels.decoding import frames
from lakeward.imaging.pixels.encoding import compress
from lakeward.imaging.reasons import Quarantined, Reason


def with_embedded_overlay(name: str = "MR_small.dcm") -> tuple[FileDataset, "np.ndarray"]:
    """An image of 12 bits with an overlay of alternating points in bit 12."""
    ds = read_object(Path(str(get_testdata_file(name))))
    order = "<" if ds.original_encoding[1] else ">"
    stored = np.frombuffer(ds.PixelData, f"{order}u2")
    image = (stored & 0x0FFF).astype(stored.dtype)
    ds.BitsStored, ds.HighBit = 12, 11
    ds.PixelData = (image | (np.arange(image.size) % 2 << 12)).astype(stored.dtype).tobytes()
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 12)
    return ds, image


@pytest.mark.parametrize("name", ["MR_small.dcm", "MR_small_bigendian.dcm"])
def test_clears_the_bits_beside_the_image(name: str) -> None:
    ds, image = with_embedded_overlay(name)
    assert ds.PixelData != image.tobytes()
    clear_embedded(ds)
    assert ds.PixelData == image.tobytes()


def test_pixels_with_no_overlay_in_them_stay_as_they_are() -> None:
    ds, _ = with_embedded_overlay()
    before = ds.PixelData
    ds.add_new(0x60003000, "OW", b"\0\0")  # the plane is here
    clear_embedded(ds)
    assert ds.PixelData is before


def test_pixels_compressed_without_loss_are_encoded_again() -> None:
    ds, image = with_embedded_overlay()
    ds.BitsStored, ds.HighBit = 16, 15  # so that the overlay is encoded too
    compress(ds, JPEG2000Lossless)
    ds.BitsStored, ds.HighBit = 12, 11
    clear_embedded(ds)
    assert ds.file_meta.TransferSyntaxUID == JPEG2000Lossless
    (frame,) = frames(ds)
    assert np.array_equal(frame & 0x0FFF, image.reshape(frame.shape))
    decoded = imagecodecs.jpeg2k_decode(next(generate_frames(ds.PixelData, number_of_frames=1)))
    assert np.array_equal(decoded, frame)  # nothing else is in it


def test_an_overlay_in_pixels_compressed_with_loss_is_set_aside() -> None:
    ds, _ = with_embedded_overlay()
    ds.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    with pytest.raises(Quarantined) as error:
        clear_embedded(ds)
    assert error.value.reason == Reason.EMBEDDED_OVERLAY
