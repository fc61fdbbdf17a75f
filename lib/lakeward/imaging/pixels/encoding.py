"""Lossless compression of pixel data (PS3.5 Section 8.2), proven by decoding every frame again."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from lakeward.imaging.objects.reading import Limits, contained
from lakeward.imaging.pixels.bounds import check
from lakeward.imaging.pixels.codecs import ENCODERS
from lakeward.imaging.pixels.decoding import Frame, decoder_plugin
from lakeward.imaging.reasons import Quarantined, Reason

TransferSyntax = Literal["keep", "explicit-little-endian", "jpeg-ls", "htj2k"]
_ASKED = {"explicit-little-endian": ExplicitVRLittleEndian, "jpeg-ls": JPEGLSLossless, "htj2k": HTJ2KLossless}
_FAMILIES = (
    ((RLELossless,), RLELossless),
    ((*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes), JPEGLSLossless),
    ((HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL), HTJ2KLossless),
    (JPEG2000TransferSyntaxes, JPEG2000Lossless),  # with HTJ2K in it
)
_COLOR_TRANSFORM = frozenset({JPEG2000Lossless, HTJ2KLossless})
"""Syntaxes whose RGB becomes YBR_RCT, a reversible transform, inside the codestream (PS3.5 8.2.4)."""
_LOSSY = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
}
"""Syntaxes that are never lossless, with their codes in PS3.3 C.7.6.1.1.5.1."""

LOSSLESS = frozenset(
    {RLELossless, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless, HTJ2KLosslessRPCL}
)
"""Compressed syntaxes that are lossless by definition."""
_KINDS = {"MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1, "RGB": 3, "YBR_FULL": 3, "YBR_RCT": 3}
"""Photometric interpretations that all of these syntaxes have, with their samples per pixel."""
_FEWEST_PIXELS = 256
"""In fewer, encoders have no room for their own headers."""
_LONGEST = 2**32 - 2**16
"""Bytes that the 32-bit offsets of a basic offset table reach."""


def store(ds: FileDataset, asked: TransferSyntax, before: UID, limits: Limits) -> None:
    """Give an image the transfer syntax that it is to be stored in.

    It keeps the one it had, unless it is asked for another, or was decoded for masking: then it is encoded again in
    the lossless syntax of the same kin, so that who read it before can. JPEG, whose lossless kinds are old and bulky,
    becomes JPEG-LS. Images compressed with loss stay so unless they are masked, and what can't be encoded here
    (single bits, 32 bits, subsampled color, big endian, a few pixels) stays as it is: masked, native.

    Parameters
    ----------
    ds : pydicom.dataset.FileDataset
        Any object; one without Pixel Data (7FE0,0010) stays as it is.
    asked : TransferSyntax
        From the profile.
    before : UID
        Transfer syntax that the object came in.
    limits : Limits
        Bounds on the decoded pixels.

    Raises
    ------
    Quarantined
        If the pixels can't be decoded, or not be encoded with certainty.
    """
    now = UID(ds.file_meta.TransferSyntaxUID)
    target = _ASKED.get(asked) or (now if now == before else of_family(before))
    if target == now or "PixelData" not in ds or (now.is_encapsulated and now not in LOSSLESS):
        return
    if is_encodable(ds) if target.is_encapsulated else now.is_little_endian:
        if now.is_encapsulated:
            check(ds, limits)
            decompress(ds)
        if target.is_encapsulated:
            compress(ds, target)
        ds.file_meta.TransferSyntaxUID = target


def of_family(syntax: UID) -> UID:
    """Return the lossless syntax to encode again what was decoded from another one; native pixels stay native."""
    return next((lossless for family, lossless in _FAMILIES if syntax in family), ExplicitVRLittleEndian)


def is_encodable(ds: Dataset) -> bool:
    """Whether `compress` takes an object's pixels, once they are native."""
    kind, bits = ds.get("PhotometricInterpretation"), ds.get("BitsAllocated")
    return (
        bool(ds.file_meta.TransferSyntaxUID.is_little_endian)
        and bits in ((8,) if kind == "YBR_FULL" else (8, 16))
        and 2 <= ds.get("BitsStored", 0) <= ds.get("HighBit", 0) + 1 <= bits
        and ds.get("PixelRepresentation") in (0, 1)
        and ds.get("Rows", 0) * ds.get("Columns", 0) >= _FEWEST_PIXELS
        and ds.get("SamplesPerPixel", 0) == _KINDS.get(kind)
    )


def decompress(ds: FileDataset) -> None:
    """Decode all frames, and say that they were compressed with loss if they were (PS3.3 C.7.6.1.1.5).

    Raises
    ------
    Quarantined
        UNDECODABLE_PIXELS.
    """
    syntax, size = ds.file_meta.TransferSyntaxUID, len(ds.PixelData)
    with contained(Reason.UNDECODABLE_PIXELS):
        ds.decompress(as_rgb=False, generate_instance_uid=False, decoding_plugin=decoder_plugin(syntax))
        if ds.PhotometricInterpretation == "YBR_FULL_422":
            ds.PhotometricInterpretation = "YBR_FULL"  # decoders give each pixel its own color
        if syntax in _LOSSY and ds.get("LossyImageCompression") != "01":
            ds.LossyImageCompression = "01"
            ds.LossyImageCompressionRatio = f"{len(ds.PixelData) / size:.2f}"
            ds.LossyImageCompressionMethod = _LOSSY[syntax]


def compress(ds: FileDataset, syntax: UID) -> None:
    """Encode native pixel data without loss, and make sure of it.

    Bits outside Bits Stored are no part of the image and go.

    Parameters
    ----------
    ds : pydicom.dataset.FileDataset
        One that `is_encodable`. Its Pixel Data (7FE0,0010), what describes them, and its transfer syntax are changed.
    syntax : UID
        RLE, JPEG-LS, JPEG 2000 or HTJ2K, all of them Lossless.

    Raises
    ------
    Quarantined
        NOT_WRITABLE, if it can't be encoded, or does not decode to the same values.
    """
    with contained(Reason.NOT_WRITABLE):
        images = list(_images(ds))
        _describe(ds, syntax)
        frames = [ENCODERS[syntax](image, ds) for image in images]
        if sum(map(len, frames)) + 16 * len(frames) > _LONGEST:
            raise Quarantined(Reason.TOO_LARGE, "compressed pixel data")
        ds.PixelData = encapsulate(frames)
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        ds.file_meta.TransferSyntaxUID = syntax
        if not all(_are_equal(*pair) for pair in zip_longest(images, _images(ds))):
            raise Quarantined(Reason.NOT_WRITABLE, "its pixels change when they are compressed")


def _describe(ds: FileDataset, syntax: UID) -> None:
    ds.HighBit = ds.BitsStored - 1
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = 1 if syntax == RLELossless else 0
    if ds.PhotometricInterpretation == "RGB" and syntax in _COLOR_TRANSFORM:
        ds.PhotometricInterpretation = "YBR_RCT"


def _images(ds: FileDataset) -> Iterator[Frame]:
    """Yield the values of each frame, of shape (rows, columns[, 3]), whatever lies in the bits beside them."""
    syntax = ds.file_meta.TransferSyntaxUID
    plugin = decoder_plugin(syntax)
    for frame, _ in get_decoder(syntax).iter_array(ds, raw=True, decoding_plugin=plugin, correct_unused_bits=False):
        bits = frame.dtype.itemsize * 8  # decoders may need fewer bytes than were allocated
        unused, above = bits - ds.BitsStored, bits - 1 - ds.HighBit
        yield np.right_shift(np.left_shift(frame, above), unused) if unused else frame


def _are_equal(one: Frame | None, other: Frame | None) -> bool:
    return one is not None and other is not None and np.array_equal(one, other)
