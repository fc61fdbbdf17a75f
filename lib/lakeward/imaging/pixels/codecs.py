"""Lossless encoders of single frames: of pylibjpeg-rle, CharLS, OpenJPEG and OpenJPH.

All take a frame of shape (rows, columns[, 3]) and the data set that describes it, and return a codestream.
"""

from collections.abc import Callable

import imagecodecs
import jpeg_ls
import numpy as np
from pydicom.dataset import FileDataset
from pydicom.uid import HTJ2KLossless, JPEG2000Lossless, JPEGLSLossless, RLELossless
from rle.utils import encode_pixel_data

from lakeward.imaging.pixels.decoding import Frame

_MOST_RESOLUTIONS = 6
_PRECISION_AT, _PER_COMPONENT = 42, 3
"""Ssiz in a codestream that begins with SOC and SIZ (ISO/IEC 15444-1 A.5.1)."""


def _rle(image: Frame, ds: FileDataset) -> bytes:
    stored = image.astype(f"<u{ds.BitsAllocated // 8}").tobytes()
    encoded: bytes = encode_pixel_data(
        stored,
        rows=ds.Rows,
        columns=ds.Columns,
        samples_per_pixel=ds.SamplesPerPixel,
        number_of_frames=1,
        bits_allocated=ds.BitsAllocated,
        byteorder="<",
    )
    return encoded


def _jpeg_ls(image: Frame, ds: FileDataset) -> bytes:
    """Encode as unsigned numbers: a codestream of JPEG-LS knows no other, and readers go by Pixel Representation."""
    stored = image.astype(np.int32) & (1 << ds.BitsStored) - 1
    codestream: bytearray = jpeg_ls.encode_pixel_data(
        stored.astype("<u1" if ds.BitsStored <= 8 else "<u2").tobytes(),
        rows=ds.Rows,
        columns=ds.Columns,
        samples_per_pixel=ds.SamplesPerPixel,
        planar_configuration=0,
        bits_stored=ds.BitsStored,
    )
    return bytes(codestream)


def _jpeg_2000(image: Frame, ds: FileDataset) -> bytes:
    codestream = imagecodecs.jpeg2k_encode(
        image,
        codecformat="J2K",
        reversible=True,
        mct=ds.PhotometricInterpretation == "YBR_RCT",
        bitspersample=ds.BitsStored,
        resolutions=max(1, min(_MOST_RESOLUTIONS, min(image.shape[:2]).bit_length())),
        numthreads=1,
    )
    return bytes(codestream)


def _htj2k(image: Frame, ds: FileDataset) -> bytes:
    """Encode at the image's own precision, where OpenJPH goes by the type of the numbers.

    Centered on zero, as the codec would center them itself, and as signed numbers, they are coded as they are; then
    the codestream is told what they were before.
    """
    bits, signed = ds.BitsStored, ds.PixelRepresentation == 1
    centered = image.astype(np.int32) - (0 if signed else 1 << bits - 1)
    codestream = bytearray(
        imagecodecs.htj2k_encode(
            centered.astype(f"i{image.dtype.itemsize}"), reversible=True, rgb=ds.PhotometricInterpretation == "YBR_RCT"
        )
    )
    for component in range(ds.SamplesPerPixel):
        codestream[_PRECISION_AT + _PER_COMPONENT * component] = (0x80 if signed else 0) | bits - 1
    return bytes(codestream)


ENCODERS: dict[str, Callable[[Frame, FileDataset], bytes]] = {
    RLELossless: _rle,
    JPEGLSLossless: _jpeg_ls,
    JPEG2000Lossless: _jpeg_2000,
    HTJ2KLossless: _htj2k,
}
"""By transfer syntax."""
