"""Masked pixels are black however they are stored; all others stay, to the last bit."""

import warnings

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels.processing import apply_color_lut

from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.pixels.decoding import frames
from lakeward.imaging.pixels.masking import black_out
from lakeward.imaging.reasons import Quarantined
from lakeward.imaging.samples import sample_folder

MASK = np.zeros((6, 8), bool)
MASK[1:4, 2:7] = True


def an_image(
    kind: str,
    bits: int = 8,
    *,
    signed: bool = False,
    stored: int = 0,
    planar: int = 0,
    count: int = 1,
    syntax: str = uid.ExplicitVRLittleEndian,
) -> FileDataset:
    """Random pixels of 6 rows and 8 columns."""
    ds = FileDataset("", {}, file_meta=FileMetaDataset())
    ds.file_meta.TransferSyntaxUID = uid.UID(syntax)
    ds.Rows, ds.Columns, ds.NumberOfFrames = 6, 8, count
    ds.PhotometricInterpretation, ds.PixelRepresentation = kind, int(signed)
    ds.SamplesPerPixel = 1 if kind.startswith(("MONO", "PAL")) else 3
    ds.BitsAllocated, ds.BitsStored = bits, stored or bits
    ds.HighBit = ds.BitsStored - 1
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = planar
    samples = 2 if kind == "YBR_FULL_422" else ds.SamplesPerPixel
    low, high = (-(1 << ds.BitsStored - 1), 1 << ds.BitsStored - 1) if signed else (0, 1 << ds.BitsStored)
    values = np.random.default_rng(7).integers(low + 1, high, count * 48 * samples)
    if bits == 1:
        packed = np.packbits(np.random.default_rng(7).integers(0, 2, count * 48), bitorder="little")
        ds.add_new("PixelData", "OB", packed.tobytes())
    else:
        order = "<" if ds.file_meta.TransferSyntaxUID.is_little_endian else ">"
        stored_as = values.astype(f"{order}{'i' if signed else 'u'}{bits // 8}")
        ds.add_new("PixelData", "OB" if bits == 8 else "OW", stored_as.tobytes())
    return ds


def before_and_after(ds: FileDataset, mask: np.ndarray = MASK) -> tuple[np.ndarray, np.ndarray]:
    before = np.stack(list(frames(ds)))
    black_out(ds, mask)
    return before, np.stack(list(frames(ds)))


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_gray_gets_its_darkest_value(kind: str, signed: bool, bits: int) -> None:
    before, after = before_and_after(an_image(kind, bits, signed=signed, count=3))
    darkest = before.max() if kind == "MONOCHROME1" else before.min()
    assert np.all(after[:, MASK] == darkest)
    assert np.array_equal(after[:, ~MASK], before[:, ~MASK])


def test_values_of_fewer_bits_keep_their_sign() -> None:
    before, after = before_and_after(an_image("MONOCHROME2", 16, signed=True, stored=12))
    assert before.min() < 0
    assert np.all(after[:, MASK] == before.min())


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(("kind", "bits", "black"), [
    ("RGB", 8, (0, 0, 0)), ("RGB", 16, (0, 0, 0)), ("YBR_FULL", 8, (0, 128, 128)),
])  # fmt: skip
def test_color_becomes_black(kind: str, bits: int, black: tuple[int, ...], planar: int) -> None:
    ds = an_image(kind, bits, planar=planar, count=2)
    before = stored_samples(ds)
    black_out(ds, MASK)
    after = stored_samples(ds)
    assert np.all(after[:, MASK] == black)
    assert np.array_equal(after[:, ~MASK], before[:, ~MASK])


def stored_samples(ds: FileDataset) -> np.ndarray:
    samples = np.frombuffer(ds.PixelData, f"<u{ds.BitsAllocated // 8}")
    if ds.PlanarConfiguration:
        return np.moveaxis(samples.reshape(-1, 3, 6, 8), 1, -1)
    return samples.reshape(-1, 6, 8, 3)


def test_pixels_that_share_their_color_go_in_pairs() -> None:
    ds = an_image("YBR_FULL_422", count=2)
    before = np.frombuffer(ds.PixelData, np.uint8).reshape(2, 6, 4, 4)
    black_out(ds, MASK)  # columns 2 to 6: with the neighbor, 2 to 7
    after = np.frombuffer(ds.PixelData, np.uint8).reshape(2, 6, 4, 4)
    assert np.all(after[:, 1:4, 1:] == (0, 0, 128, 128))
    untouched = np.ones((6, 4), bool)
    untouched[1:4, 1:] = False
    assert np.array_equal(after[:, untouched], before[:, untouched])


def test_a_palette_gives_its_darkest_color() -> None:
    ds = read_object(sample_folder() / "examples_palette.dcm")
    mask = np.zeros((ds.Rows, ds.Columns), bool)
    mask[10:40, 50:300] = True
    before = np.frombuffer(ds.PixelData, np.uint8).reshape(mask.shape)
    black_out(ds, mask)
    after = np.frombuffer(ds.PixelData, np.uint8).reshape(mask.shape)
    assert np.array_equal(after[~mask], before[~mask])
    colors = apply_color_lut(np.unique(before), ds).sum(axis=-1)
    assert np.all(apply_color_lut(after[mask], ds).sum(axis=-1) == colors.min())


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_single_bits_of_frames_that_share_bytes(kind: str) -> None:
    ds = an_image(kind, 1, count=3)
    before, after = before_and_after(ds)
    assert np.all(after[:, MASK] == (kind == "MONOCHROME1"))
    assert np.array_equal(after[:, ~MASK], before[:, ~MASK])


@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_big_endian(vr: str) -> None:
    before, after = before_and_after(an_image("MONOCHROME2", 16, syntax=uid.ExplicitVRBigEndian))
    assert np.all(after[:, MASK] == before.min())
    assert np.array_equal(after[:, ~MASK], before[:, ~MASK])
    ds = an_image("MONOCHROME2", 8, syntax=uid.ExplicitVRBigEndian)
    ds["PixelData"].VR = vr
    before, after = before_and_after(ds)
    assert np.all(after[:, MASK] == before.min())
    assert np.array_equal(after[:, ~MASK], before[:, ~MASK])


COMPRESSED = {
    "JPEG2000.dcm": ("MONOCHROME2", "01"),  # as the file says
    "MR_small_RLE.dcm": ("MONOCHROME2", None),
    "MR_small_jp2klossless.dcm": ("MONOCHROME2", None),
    "MR_small_jpeg_ls_lossless.dcm": ("MONOCHROME2", None),
    "SC_rgb_rle_16bit_2frame.dcm": ("RGB", None),
    "SC_rgb_jpeg_gdcm.dcm": ("RGB", None),
    "SC_rgb_dcmtk_+eb+cr.dcm": ("RGB", "01"),
    "SC_rgb_dcmtk_+eb+cy+np.dcm": ("YBR_FULL", "01"),
    "SC_rgb_jpeg_dcmtk.dcm": ("YBR_FULL", "01"),
    "examples_jpeg2k.dcm": ("RGB", "00"),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_pixels_are_decoded_with_no_further_loss(name: str) -> None:
    ds = read_object(sample_folder() / name)
    mask = np.zeros((ds.Rows, ds.Columns), bool)
    mask[5:30, 3:50] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, after = before_and_after(ds, mask)
    assert np.array_equal(after[:, ~mask], before[:, ~mask])
    assert len(np.unique(after[:, mask].reshape(-1, *after.shape[3:]), axis=0)) == 1
    assert ds.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    assert (ds.PhotometricInterpretation, ds.get("LossyImageCompression")) == COMPRESSED[name]


def test_says_so_if_an_image_was_compressed_with_loss_and_nothing_said_it() -> None:
    ds = read_object(sample_folder() / "JPEGLSNearLossless_08.dcm")
    assert "LossyImageCompression" not in ds
    size = len(ds.PixelData)
    mask = np.zeros((45, 10), bool)
    mask[:5] = True
    black_out(ds, mask)
    assert (ds.LossyImageCompression, ds.LossyImageCompressionMethod) == ("01", "ISO_14495_1")
    assert ds.LossyImageCompressionRatio == pytest.approx(450 / size, abs=0.01)


@pytest.mark.parametrize("kind", ["CMYK", "YBR_PARTIAL_420"])
def test_refuses_what_it_can_not_blacken(kind: str) -> None:
    with pytest.raises(Quarantined):
        black_out(an_image(kind), MASK)
