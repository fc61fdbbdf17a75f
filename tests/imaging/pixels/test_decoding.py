"""Frames come out one by one, as RGB or stored values, and no object makes a decoder run away."""

import random
import tracemalloc
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from lakeward.imaging.objects.reading import Limits, read_object
from lakeward.imaging.pixels.decoding import frames, has_pixels
from lakeward.imaging.reasons import Quarantined, Reason

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def real(name: str) -> FileDataset:
    return read_object(TEST_FILES / name)


def real_images() -> list[str]:
    names = []
    for path in sorted(TEST_FILES.glob("*.dcm")):
        with suppress(Quarantined):
            if has_pixels(read_object(path)):
                names.append(path.name)
    names.remove("JPEG2000-embedded-sequence-delimiter.dcm")  # its codestream is broken on purpose
    return names


def reason_for(ds: FileDataset, limits: Limits | None = None) -> Reason:
    with pytest.raises(Quarantined) as caught:
        list(frames(ds, limits))
    return caught.value.reason


@pytest.mark.parametrize("name", real_images())
def test_every_real_image_decodes_to_what_it_describes(name: str) -> None:
    ds = real(name)
    decoded = list(frames(ds))
    color = (3,) if ds.SamplesPerPixel == 3 or ds.PhotometricInterpretation == "PALETTE COLOR" else ()
    assert len(decoded) == int(ds.get("NumberOfFrames", 1))
    assert {frame.shape for frame in decoded} == {(ds.Rows, ds.Columns, *color)}
    assert all(frame.dtype.isnative and frame.max() > frame.min() for frame in decoded)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_padded.dcm",
    ],
)
def test_lossless_syntaxes_hold_the_same_pixels(name: str) -> None:
    np.testing.assert_array_equal(next(frames(real(name))), next(frames(real("MR_small.dcm"))))


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
@pytest.mark.parametrize("signed", [0, 1])
def test_signed_and_unsigned_frames_of_12_bits_survive_compression(syntax: str, signed: int) -> None:
    lowest = -2048 if signed else 0
    stored = (
        np.random.default_rng(7).integers(lowest, lowest + 4096, (3, 64, 64)).astype(np.int16 if signed else np.uint16)
    )
    ds = real("MR_small.dcm")
    ds.NumberOfFrames, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 3, 12, 11, signed
    ds.PixelData = stored.tobytes()
    ds.compress(syntax)
    np.testing.assert_array_equal(np.stack(list(frames(ds))), stored)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
def test_lossless_jpeg_survives(syntax: str, bits: int) -> None:
    stored = np.random.default_rng(7).integers(0, 1 << bits, (64, 64)).astype(np.uint8 if bits == 8 else np.uint16)
    ds = real("MR_small.dcm")
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, 0
    ds.BitsAllocated = stored.dtype.itemsize * 8
    ds.PixelData = encapsulate([imagecodecs.jpeg8_encode(stored, lossless=True, bitspersample=bits)])
    ds.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(next(frames(ds)), stored)


def test_jpeg_of_12_bits_decodes() -> None:
    decoded = next(frames(real("JPGExtended.dcm")))
    assert decoded.dtype == np.uint16
    assert decoded.max() == 264  # pylibjpeg-libjpeg, on its own, has the same


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm"])
def test_no_damage_ends_the_process(name: str) -> None:
    """GDCM's C++ exceptions and the panics of decoders in Rust would."""
    noise = random.Random(11)
    for _ in range(300):
        ds = real(name)
        damaged = bytearray(ds.PixelData)
        for at in noise.sample(range(16, len(damaged)), 5):
            damaged[at] = noise.randrange(256)
        ds.PixelData = bytes(damaged)
        with suppress(Quarantined):
            assert all(frame.shape[:2] == (ds.Rows, ds.Columns) for frame in frames(ds))


@pytest.mark.parametrize(
    "name",
    ["SC_rgb_rle.dcm", "SC_rgb_gdcm_KY.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_dcmtk_+eb+cr.dcm"],
)
def test_color_comes_out_as_rgb(name: str) -> None:
    """The picture has bands of red, green and blue at its top, as its name says in pydicom's README."""
    decoded = next(frames(real(name))).astype(int)
    for row, color in ((5, (255, 0, 0)), (25, (0, 255, 0)), (45, (0, 0, 255))):
        assert np.abs(decoded[row, 50] - color).max() <= 5


def test_palettes_come_out_as_rgb() -> None:
    ds = real("examples_palette.dcm")
    decoded = next(frames(ds))
    red = np.frombuffer(ds.RedPaletteColorLookupTableData, np.uint16)
    assert decoded[100, 400, 0] == red[ds.PixelData[100 * ds.Columns + 400]]


def test_floating_point_pixels_come_out_as_they_are() -> None:
    stored = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    ds = real("MR_small.dcm")
    del ds.PixelData
    ds.BitsAllocated = 32
    ds.FloatPixelData = stored.tobytes()
    np.testing.assert_array_equal(next(frames(ds)), stored)


def test_one_frame_is_in_memory_at_a_time() -> None:
    ds = real("examples_ybr_color.dcm")
    frame_bytes = 240 * 320 * 3
    tracemalloc.start()
    assert sum(1 for _ in frames(ds)) == 30
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 15 * frame_bytes


def test_a_declared_bomb_is_refused_before_it_is_decoded() -> None:
    ds = real("MR_small_RLE.dcm")
    ds.Rows = ds.Columns = 65535
    ds.NumberOfFrames = 1000
    assert reason_for(ds) == Reason.TOO_LARGE


def test_many_small_frames_are_bounded_too() -> None:
    assert reason_for(real("rtdose.dcm"), Limits(max_pixel_bytes=5999)) == Reason.TOO_LARGE
    assert len(list(frames(real("rtdose.dcm"), Limits(max_pixel_bytes=6000)))) == 15


def test_only_what_unfolds_beyond_reason_is_refused() -> None:
    """Blank frames of JPEG-LS, and JPEG of one flat color, the densest that its usual tables allow."""
    blank, flat = np.zeros((1024, 1024), np.uint8), np.full((1024, 1024, 3), 200, np.uint8)
    for codestream, photometric, frames_, refused in (
        (imagecodecs.jpegls_encode(blank), "MONOCHROME2", 256, False),
        (imagecodecs.jpegls_encode(blank), "MONOCHROME2", 257, True),
        (imagecodecs.jpeg8_encode(flat, subsampling="420"), "YBR_FULL_422", 2000, False),
    ):
        ds = real("SC_rgb_jpeg_gdcm.dcm")
        ds.Rows = ds.Columns = 1024
        ds.NumberOfFrames, ds.PhotometricInterpretation = frames_, photometric
        ds.SamplesPerPixel = 1 if photometric == "MONOCHROME2" else 3
        ds.file_meta.TransferSyntaxUID = JPEGLSLossless if ds.SamplesPerPixel == 1 else JPEGBaseline8Bit
        ds.PixelData = encapsulate([codestream] * frames_)
        if refused:
            assert reason_for(ds) == Reason.TOO_LARGE
        else:
            assert next(frames(ds)).shape[0] == 1024


@pytest.mark.parametrize(
    "name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_small_odd_jpeg.dcm"]
)
def test_a_codestream_bigger_than_its_description_is_refused(name: str) -> None:
    ds = real(name)
    ds.Columns -= 1
    assert reason_for(ds) == Reason.UNDECODABLE_PIXELS


@pytest.mark.parametrize("codestream", [b"\xff\xd8", bytes.fromhex("0000000c6a5020200d0a870a00000000"), bytes(1000)])
@pytest.mark.parametrize("name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm"])
def test_a_damaged_codestream_is_undecodable(name: str, codestream: bytes) -> None:
    ds = real(name)
    ds.PixelData = encapsulate([codestream])
    assert reason_for(ds) == Reason.UNDECODABLE_PIXELS


@pytest.mark.parametrize("name", ["SC_rgb_jls_lossy_line.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_dcmtk_+eb+cr.dcm"])
def test_a_codestream_without_its_end_is_undecodable(name: str) -> None:
    ds = real(name)
    ds.PixelData = ds.PixelData.replace(b"\xff\xd9", b"\x80\xd9")
    assert reason_for(ds) == Reason.UNDECODABLE_PIXELS


def test_a_codestream_in_a_jp2_file_is_found() -> None:
    stored = next(frames(real("MR_small.dcm")))
    ds = real("MR_small_jp2klossless.dcm")
    ds.PixelData = encapsulate([imagecodecs.jpeg2k_encode(stored, reversible=True, level=0, codecformat="jp2")])
    np.testing.assert_array_equal(next(frames(ds)), stored)


def test_objects_without_pixels_say_so() -> None:
    assert has_pixels(real("CT_small.dcm"))
    assert not has_pixels(real("rtplan.dcm"))
