"""Pixels are compressed with no loss, so that other decoders read them, in the syntax that is due."""

from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder

from lakeward.imaging.objects.reading import Limits, read_object
from lakeward.imaging.objects.writing import encode
from lakeward.imaging.pixels import encoding
from lakeward.imaging.pixels.decoding import decoder_plugin, frames
from lakeward.imaging.pixels.encoding import compress, is_encodable, store
from lakeward.imaging.pixels.masking import black_out
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.imaging.samples import sample_folder

SYNTAXES = [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless]
OTHER_DECODERS: dict[str, Callable[[bytes], np.ndarray]] = {
    uid.JPEGLSLossless: imagecodecs.jpegls_decode,
    uid.JPEG2000Lossless: imagecodecs.jpeg2k_decode,
    uid.HTJ2KLossless: lambda codestream: imagecodecs.htj2k_decode(codestream, planar=False),
}
ROWS, COLUMNS, COUNT = 37, 50, 3


def an_image(
    kind: str = "MONOCHROME2", allocated: int = 16, stored: int = 12, *, signed: bool = False, planar: int = 0
) -> FileDataset:
    """Noise over a slope, over the whole range of values; nonsense in the bits that are not stored."""
    ds = FileDataset("", {}, file_meta=FileMetaDataset())
    ds.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = uid.SecondaryCaptureImageStorage, "1.2.3"
    ds.Rows, ds.Columns, ds.NumberOfFrames = ROWS, COLUMNS, COUNT
    ds.PhotometricInterpretation, ds.PixelRepresentation = kind, int(signed)
    ds.SamplesPerPixel = 3 if kind in ("RGB", "YBR_FULL") else 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, stored, stored - 1
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = planar
    values = np.random.default_rng(3).integers(0, 1 << allocated, (COUNT * ROWS * COLUMNS * ds.SamplesPerPixel))
    ds.add_new("PixelData", "OB" if allocated == 8 else "OW", values.astype(f"<u{allocated // 8}").tobytes())
    return ds


def values(ds: FileDataset) -> np.ndarray:
    """What is stored, of shape (frames, rows, columns[, 3])."""
    syntax = ds.file_meta.TransferSyntaxUID
    decoded = get_decoder(syntax).iter_array(ds, raw=True, decoding_plugin=decoder_plugin(syntax))
    return np.stack([frame for frame, _ in decoded])


def as_others_decode(ds: FileDataset) -> np.ndarray:
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax == uid.RLELossless:
        return np.stack([frame for frame, _ in get_decoder(syntax).iter_array(ds, raw=True, decoding_plugin="pydicom")])
    codestreams = generate_frames(ds.PixelData, number_of_frames=COUNT)
    return np.stack([OTHER_DECODERS[syntax](codestream) for codestream in codestreams])


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize(
    ("kind", "allocated", "stored", "signed", "planar"),
    [
        ("MONOCHROME1", 8, 8, False, 0),
        ("MONOCHROME2", 16, 12, False, 0),
        ("MONOCHROME2", 16, 12, True, 0),
        ("MONOCHROME2", 16, 16, True, 0),
        ("MONOCHROME2", 16, 10, False, 0),
        ("PALETTE COLOR", 8, 8, False, 0),
        ("PALETTE COLOR", 16, 16, False, 0),
        ("RGB", 8, 8, False, 0),
        ("RGB", 8, 8, False, 1),
        ("RGB", 16, 12, False, 0),
        ("YBR_FULL", 8, 8, False, 1),
    ],
)
def test_decodes_to_the_same_values_here_and_elsewhere(
    syntax: uid.UID, kind: str, allocated: int, stored: int, signed: bool, planar: int
) -> None:
    ds = an_image(kind, allocated, stored, signed=signed, planar=planar)
    before = values(ds)
    compress(ds, syntax)
    ds = read_object(encode(ds))
    assert ds.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(values(ds), before)
    mask = (1 << stored) - 1
    assert np.array_equal(as_others_decode(ds).astype(np.int64) & mask, before.astype(np.int64) & mask)


@pytest.mark.parametrize(
    ("syntax", "kind", "planar"),
    [
        (uid.RLELossless, "RGB", 1),
        (uid.JPEGLSLossless, "RGB", 0),
        (uid.JPEG2000Lossless, "YBR_RCT", 0),
        (uid.HTJ2KLossless, "YBR_RCT", 0),
    ],
)
def test_says_how_color_is_stored(syntax: uid.UID, kind: str, planar: int) -> None:
    ds = an_image("RGB", 8, 8)
    compress(ds, syntax)
    assert (ds.PhotometricInterpretation, ds.PlanarConfiguration) == (kind, planar)


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.HTJ2KLossless])
@pytest.mark.parametrize(("signed", "says"), [(False, 0x0B), (True, 0x8B)])
def test_a_codestream_says_how_many_bits_are_stored(syntax: uid.UID, signed: bool, says: int) -> None:
    ds = an_image("MONOCHROME2", 16, 12, signed=signed)
    compress(ds, syntax)
    assert next(generate_frames(ds.PixelData, number_of_frames=COUNT))[42] == says


def test_values_in_the_upper_bits_move_down() -> None:
    ds = an_image("MONOCHROME2", 16, 12)
    expected = np.frombuffer(ds.PixelData, "<u2").reshape(COUNT, ROWS, COLUMNS) >> 4
    ds.HighBit = 15
    compress(ds, uid.JPEGLSLossless)
    assert ds.HighBit == 11
    assert np.array_equal(values(ds), expected)


def test_an_encoder_that_changes_a_value_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    jpeg_ls = encoding.ENCODERS[uid.JPEGLSLossless]
    monkeypatch.setitem(encoding.ENCODERS, uid.JPEGLSLossless, lambda image, ds: jpeg_ls(image ^ 1, ds))
    with pytest.raises(Quarantined) as refusal:
        compress(an_image(), uid.JPEGLSLossless)
    assert refusal.value.reason == Reason.NOT_WRITABLE


@pytest.mark.parametrize(
    ("name", "stored_in"),
    [
        ("MR_small_RLE.dcm", uid.RLELossless),
        ("MR_small_jpeg_ls_lossless.dcm", uid.JPEGLSLossless),
        ("SC_rgb_jpeg_gdcm.dcm", uid.JPEGLSLossless),  # JPEG lossless
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", uid.JPEGLSLossless),  # JPEG baseline
        ("JPEGLSNearLossless_08.dcm", uid.JPEGLSLossless),
        ("MR_small_jp2klossless.dcm", uid.JPEG2000Lossless),
        ("JPEG2000.dcm", uid.JPEG2000Lossless),
        ("CT_small.dcm", uid.ExplicitVRLittleEndian),
        ("MR_small_implicit.dcm", uid.ImplicitVRLittleEndian),
        ("MR_small_bigendian.dcm", uid.ExplicitVRBigEndian),
    ],
)
def test_what_is_masked_is_stored_without_further_loss_in_a_syntax_of_the_same_kin(name: str, stored_in: str) -> None:
    ds = read_object(sample_folder() / name)
    before, syntax = np.stack(list(frames(ds))), ds.file_meta.TransferSyntaxUID
    mask = np.zeros((ds.Rows, ds.Columns), bool)
    mask[2:20, 3:9] = True
    black_out(ds, mask)
    store(ds, "keep", syntax, Limits())
    ds = read_object(encode(ds))
    assert ds.file_meta.TransferSyntaxUID == stored_in
    after = np.stack(list(frames(ds)))
    assert np.array_equal(after[:, ~mask], before[:, ~mask])
    assert len(np.unique(after[:, mask].reshape(-1, *after.shape[3:]), axis=0)) == 1


def test_htj2k_that_is_masked_stays_htj2k() -> None:
    ds = an_image("RGB", 8, 8)
    compress(ds, uid.HTJ2KLossless)
    before = values(ds)
    black_out(ds, np.eye(ROWS, COLUMNS, dtype=bool))
    store(ds, "keep", uid.HTJ2KLossless, Limits())
    assert ds.file_meta.TransferSyntaxUID == uid.HTJ2KLossless
    assert np.array_equal(values(ds), np.where(np.eye(ROWS, COLUMNS, dtype=bool)[..., None], 0, before))


@pytest.mark.parametrize(
    ("asked", "stored_in"),
    [
        ("explicit-little-endian", uid.ExplicitVRLittleEndian),
        ("jpeg-ls", uid.JPEGLSLossless),
        ("htj2k", uid.HTJ2KLossless),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "examples_palette.dcm",
    ],
)
def test_a_profile_asks_for_another_syntax(name: str, asked: encoding.TransferSyntax, stored_in: str) -> None:
    ds = read_object(sample_folder() / name)
    before = np.stack(list(frames(ds)))
    store(ds, asked, ds.file_meta.TransferSyntaxUID, Limits())
    ds = read_object(encode(ds))
    assert ds.file_meta.TransferSyntaxUID == stored_in
    assert np.array_equal(np.stack(list(frames(ds))), before)


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_dcmtk_+eb+cr.dcm",  # compressed with loss
        "MR_small_bigendian.dcm",
        "liver_1frame.dcm",  # single bits
        "rtdose.dcm",  # 32 bits
        "SC_ybr_full_422_uncompressed.dcm",
        "test-SR.dcm",
    ],
)
def test_what_can_not_be_encoded_without_loss_stays_as_it_is(name: str) -> None:
    ds = read_object(sample_folder() / name)
    before, syntax = ds.get("PixelData"), ds.file_meta.TransferSyntaxUID
    store(ds, "htj2k", syntax, Limits())
    assert (ds.get("PixelData"), ds.file_meta.TransferSyntaxUID) == (before, syntax)


def test_pixels_beyond_the_limits_are_not_decoded() -> None:
    ds = read_object(sample_folder() / "MR_small_RLE.dcm")
    with pytest.raises(Quarantined) as refusal:
        store(ds, "htj2k", ds.file_meta.TransferSyntaxUID, Limits(max_frame_bytes=100))
    assert refusal.value.reason == Reason.TOO_LARGE


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize(("kind", "samples"), [("MONOCHROME2", 1), ("RGB", 3)])
@pytest.mark.parametrize("bits", range(2, 17))
def test_all_that_is_said_to_be_encodable_is(syntax: uid.UID, kind: str, samples: int, bits: int) -> None:
    for rows, columns in [(1, 256), (16, 16), (300, 1)]:
        ds = an_image(kind, 8 if bits <= 8 else 16, bits)
        ds.Rows, ds.Columns, ds.NumberOfFrames = rows, columns, 1
        ds.PixelData = ds.PixelData[: ds.BitsAllocated // 8 * rows * columns * samples]
        assert is_encodable(ds)
        compress(ds, syntax)
