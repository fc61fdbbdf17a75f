"""The segments of real codestreams, and the sizes that they give themselves."""

import pytest
from pydicom.encaps import generate_frames

from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.pixels.markers import boxes, jpeg_2000_segments, jpeg_2000_size, jpeg_segments, jpeg_size
from lakeward.imaging.samples import sample_folder


def codestream(name: str) -> bytes:
    return next(generate_frames(read_object(sample_folder() / name).PixelData, number_of_frames=1))


def test_jpeg_is_walked_from_segment_to_segment_over_its_scans() -> None:
    segments = list(jpeg_segments(codestream("SC_rgb_jpeg_dcmtk.dcm")))
    assert [f"{segment.marker:X}" for segment in segments[-2:]] == ["DA", "D9"]
    assert {0xC0, 0xC4, 0xDB} <= {segment.marker for segment in segments}


def test_jpeg_2000_is_walked_over_its_tiles() -> None:
    segments = list(jpeg_2000_segments(codestream("MR_small_jp2klossless.dcm")))
    assert segments[0].marker == 0xFF51
    assert [segment.marker for segment in segments[-2:]] == [0xFF90, 0xFFD9]


def test_boxes_hold_a_codestream() -> None:
    data = codestream("GDCMJ2K_TextGBR.dcm")
    (contents,) = (data[start:stop] for kind, start, stop in boxes(data) if kind == b"jp2c")
    assert jpeg_2000_size(contents) == jpeg_2000_size(data) == (400, 400, 3)


@pytest.mark.parametrize(
    ("name", "size"), [("SC_rgb_jpeg_gdcm.dcm", (100, 100, 3)), ("MR_small_jpeg_ls_lossless.dcm", (64, 64, 1))]
)
def test_a_codestream_gives_its_own_size_if_it_has_an_end(name: str, size: tuple[int, int, int]) -> None:
    data = codestream(name)
    assert jpeg_size(data) == size
    assert jpeg_size(data[:-40]) is None


def test_lengths_that_contradict_themselves_are_refused() -> None:
    data = codestream("SC_rgb_jpeg_dcmtk.dcm")
    at = data.index(b"\xff\xdb")
    with pytest.raises(ValueError, match=r"^$"):
        list(jpeg_segments(data[: at + 2] + b"\xff\xff" + data[at + 4 :]))
