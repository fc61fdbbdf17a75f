"""Comments inside compressed pixels go, and every pixel stays."""

import re
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from struct import pack, unpack

import imagecodecs
import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_fragments

from lakeward.imaging.deidentification.codestreams import clear_text
from lakeward.imaging.objects.reading import Limits, read_object
from lakeward.imaging.pixels.decoding import frames
from lakeward.imaging.reasons import Quarantined, Reason

TEXT = b"Smith^John 1958-03-12 "
JPEG = ["SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jpeg_dcmtk.dcm", "examples_ybr_color.dcm", "SC_jpeg_no_color_transform.dcm"]
JPEG_LS = ["MR_small_jpeg_ls_lossless.dcm", "JPEGLSNearLossless_16.dcm", "SC_rgb_jls_lossy_line.dcm"]
JPEG_2000 = ["MR_small_jp2klossless.dcm", "J2K_pixelrep_mismatch.dcm", "693_J2KI.dcm"]
BOXED = "GDCMJ2K_TextGBR.dcm"
RLE = ["MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "SC_rgb_rle_16bit.dcm"]
UNTOUCHED = [*RLE, "SC_rgb_jpeg_gdcm.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"]


def read(name: str) -> FileDataset:
    return read_object(Path(str(get_testdata_file(name))))


def pixels(ds: FileDataset) -> list[np.ndarray]:
    return [np.array(frame) for frame in frames(ds, Limits())]


def codestreams(ds: FileDataset) -> list[bytes]:
    return list(generate_fragments(ds.PixelData))[1:]


def replace(ds: FileDataset, streams: list[bytes]) -> None:
    ds["PixelData"].value = encapsulate(streams)


def jpeg_with_text(stream: bytes) -> bytes:
    """Text in a comment, in three application segments and behind the end of the image."""
    segments = [pack(">BBH", 0xFF, marker, len(TEXT) + 2) + TEXT for marker in (0xFE, 0xE0, 0xE1, 0xEF)]
    return stream[:2] + b"".join(segments) + stream[2:].rstrip(b"\0") + TEXT


def jpeg_2000_with_text(stream: bytes) -> bytes:
    """Text in comments of the main header and of a tile-part's header, whose length grows."""
    comment = pack(">HHH", 0xFF64, len(TEXT) + 4, 1) + TEXT
    tile = stream.index(b"\xff\x90")
    length = int.from_bytes(stream[tile + 6 : tile + 10], "big")
    header = (
        stream[tile : tile + 6] + pack(">L", length + len(comment) if length else 0) + stream[tile + 10 : tile + 12]
    )
    return stream[:tile] + comment + header + comment + stream[tile + 12 :]


def tile_part_headers(ds: FileDataset) -> list[bytes]:
    return re.findall(rb"\xff\x90\x00\x0a.{8}", ds.PixelData, re.DOTALL)


@pytest.mark.parametrize("name", [*JPEG, *JPEG_LS, *JPEG_2000])
def test_text_goes_and_all_pixels_stay(name: str) -> None:
    ds = read(name)
    before = pixels(ds)
    plant = jpeg_2000_with_text if name in JPEG_2000 else jpeg_with_text
    replace(ds, [plant(stream) for stream in codestreams(ds)])
    assert TEXT in ds.PixelData
    length, headers = len(ds.PixelData), tile_part_headers(ds)
    clear_text(ds)
    assert tile_part_headers(ds) == headers
    assert b"Smith" not in ds.PixelData
    assert len(ds.PixelData) == length
    assert all(np.array_equal(one, other) for one, other in zip(pixels(ds), before, strict=True))


def test_text_goes_from_boxes_around_a_codestream() -> None:
    ds = read(BOXED)
    before = pixels(ds)
    [stream] = codestreams(ds)
    boxes = stream.index(b"jp2h") - 4
    text = pack(">L4s", len(TEXT) + 8, b"xml ") + TEXT
    replace(ds, [stream[:boxes] + text + stream[boxes:]])
    clear_text(ds)
    assert b"Smith" not in ds.PixelData
    assert all(np.array_equal(one, other) for one, other in zip(pixels(ds), before, strict=True))


def rle_with_text(stream: bytes) -> bytes:
    """Text behind each segment, whose offsets grow, and in offsets of segments that there are none of."""
    count, *offsets = unpack("<16L", stream[:64])
    ends = [*offsets[1:count], len(stream)]
    segments = [stream[start:end] + TEXT for start, end in zip(offsets[:count], ends, strict=True)]
    starts = accumulate(map(len, segments[:-1]), initial=64)
    return pack(f"<{1 + count}L", count, *starts).ljust(40, b"\0") + TEXT + b"\0\0" + b"".join(segments)


@pytest.mark.parametrize("name", RLE)
def test_text_goes_from_around_the_runs_of_rle(name: str) -> None:
    ds = read(name)
    streams = codestreams(ds)
    replace(ds, [rle_with_text(stream) for stream in streams])
    clear_text(ds)
    assert b"Smith" not in ds.PixelData
    gone = [rle_with_text(stream).replace(TEXT, bytes(len(TEXT))) for stream in streams]
    assert codestreams(ds) == gone  # and all else is as it was


@pytest.mark.parametrize("name", RLE)
def test_rle_of_too_few_runs_is_set_aside(name: str) -> None:
    ds = read(name)
    replace(ds, [stream[:-8] for stream in codestreams(ds)])
    with pytest.raises(Quarantined) as error:
        clear_text(ds)
    assert error.value.reason == Reason.UNDECODABLE_PIXELS


def test_rle_that_does_not_say_how_many_samples_a_pixel_has_is_taken_for_gray() -> None:
    gray, color = read(RLE[0]), read(RLE[1])
    before = gray.PixelData
    del gray.SamplesPerPixel, color.SamplesPerPixel
    clear_text(gray)
    assert gray.PixelData is before
    with pytest.raises(Quarantined) as error:
        clear_text(color)
    assert error.value.reason == Reason.UNDECODABLE_PIXELS


@pytest.mark.parametrize("name", UNTOUCHED)
def test_pixel_data_with_nothing_to_clear_are_not_even_copied(name: str) -> None:
    ds = read(name)
    before = ds.PixelData
    clear_text(ds)
    assert ds.PixelData is before


def test_a_bomb_is_handed_to_nobody() -> None:
    ds = read("MR_small_jpeg_ls_lossless.dcm")
    ds.Rows = ds.Columns = 2048
    ds.NumberOfFrames = 80
    replace(ds, [imagecodecs.jpegls_encode(np.zeros((2048, 2048), np.uint16))] * 80)
    with pytest.raises(Quarantined) as error:
        clear_text(ds)
    assert error.value.reason == Reason.TOO_LARGE


def test_text_that_is_split_among_fragments_goes() -> None:
    ds = read(JPEG[0])
    stream = jpeg_with_text(codestreams(ds)[0])
    middle = stream.index(TEXT) + len(TEXT) // 2
    middle -= middle % 2
    ds["PixelData"].value = encapsulate([stream], fragments_per_frame=-(-len(stream) // middle))
    clear_text(ds)
    assert not any(word in ds.PixelData for word in (b"Smi", b"John", b"1958"))


def test_offset_tables_still_hold() -> None:
    ds = read(JPEG[1])
    [stream] = codestreams(ds)
    ds["PixelData"].value, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(
        [jpeg_with_text(stream), stream]
    )
    ds.NumberOfFrames = 2
    clear_text(ds)
    assert b"Smith" not in ds.PixelData
    assert np.array_equal(*pixels(ds))


def test_what_decoding_needs_stays() -> None:
    [adobe] = codestreams(read("SC_rgb_jpeg_app14_dcmd.dcm"))
    assert b"Adobe" in adobe
    ds = read("SC_rgb_jpeg_app14_dcmd.dcm")
    clear_text(ds)
    assert codestreams(ds) == [adobe]


@pytest.mark.parametrize(
    "broken", [lambda s: s[:4] + b"\xff\xff" + TEXT, lambda s: s[:2] + TEXT + s[2:], lambda s: TEXT + s]
)
@pytest.mark.parametrize("name", [JPEG[0], JPEG_LS[0], JPEG_2000[0]])
def test_a_codestream_that_contradicts_itself_is_set_aside(name: str, broken: Callable[[bytes], bytes]) -> None:
    ds = read(name)
    [stream] = codestreams(ds)
    replace(ds, [broken(stream)])
    with pytest.raises(Quarantined) as error:
        clear_text(ds)
    assert error.value.reason == Reason.UNDECODABLE_PIXELS
