"""Decoding pixel data, one frame at a time, by pydicom's decoders."""

from collections.abc import Iterator

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.pixels.processing import apply_color_lut, convert_color_space
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

from lakeward.imaging.objects.completeness import PIXEL_KEYWORDS
from lakeward.imaging.objects.reading import Limits, contained
from lakeward.imaging.pixels.bounds import check
from lakeward.imaging.reasons import Reason

Frame = npt.NDArray[np.generic]

_AT_ONCE = 1 << 22
"""Samples of a frame that are converted at once."""

DECODER_DEPENDENCIES = dict.fromkeys(JPEGTransferSyntaxes, ("imagecodecs",))
"""Asked for by pydicom of a module with a decoder."""

_DECODERS = (
    ((*JPEG2000TransferSyntaxes, RLELossless), "pylibjpeg"),
    (JPEGLSTransferSyntaxes, "pyjpegls"),
    (JPEGTransferSyntaxes, "imagecodecs"),
)
"""For each syntax one decoder, under a permissive license, that survives damaged codestreams: GDCM ends the process."""


def has_pixels(ds: FileDataset) -> bool:
    """Whether the object holds pixel data of any kind."""
    return any(keyword in ds for keyword in PIXEL_KEYWORDS)


def frames(ds: FileDataset, limits: Limits | None = None) -> Iterator[Frame]:
    """Decode the frames one after the other, with one in memory at a time.

    Parameters
    ----------
    ds : pydicom.dataset.FileDataset
        From `read_object`.
    limits : Limits, optional
        What decoding would take is held against them before anything is allocated.

    Yields
    ------
    numpy.ndarray
        Stored values of shape (rows, columns), in the type that the data set gives them, or RGB of shape
        (rows, columns, 3), also for YBR and palettes, in unsigned integers.

    Raises
    ------
    Quarantined
        UNDECODABLE_PIXELS, or TOO_LARGE.
    """
    expected = check(ds, limits or Limits())
    with contained(Reason.UNDECODABLE_PIXELS):
        decoded = _in_place(ds, expected) if _lies_as_it_is(ds) else _decoded(ds)
    for _ in range(expected):
        with contained(Reason.UNDECODABLE_PIXELS):
            frame = _as_rgb(*next(decoded), ds)
        yield frame.astype(frame.dtype.newbyteorder("="), copy=False)


def _lies_as_it_is(ds: FileDataset) -> bool:
    """Whether frames are arrays already: native gray values or palette indices of whole bytes."""
    native = not ds.file_meta.TransferSyntaxUID.is_encapsulated and ds.file_meta.TransferSyntaxUID.is_little_endian
    return native and "PixelData" in ds and ds.SamplesPerPixel == 1 and ds.BitsAllocated in (8, 16)


def _in_place(ds: FileDataset, count: int) -> Iterator[tuple[Frame, str]]:
    kind = f"<{'i' if ds.PixelRepresentation else 'u'}{ds.BitsAllocated // 8}"
    rows, columns = ds.Rows, ds.Columns
    stored = np.frombuffer(ds.PixelData, kind, count * rows * columns).reshape(count, rows, columns)
    return ((frame, ds.PhotometricInterpretation) for frame in stored)


def _decoded(ds: FileDataset) -> Iterator[tuple[Frame, str]]:
    """Start the decoder that is best for the syntax; several that take turns might not agree to the last bit."""
    syntax = ds.file_meta.TransferSyntaxUID
    decoded = get_decoder(syntax).iter_array(
        ds, decoding_plugin=decoder_plugin(syntax), allow_excess_frames=False, as_rgb=False
    )
    return ((frame, str(properties["photometric_interpretation"])) for frame, properties in decoded)


def decoder_plugin(syntax: str) -> str:
    """Name of the decoder to use for a transfer syntax, as pydicom wants it; empty where there is but one."""
    return next((name for syntaxes, name in _DECODERS if syntax in syntaxes), "")


def _as_rgb(frame: Frame, photometric: str, ds: FileDataset) -> Frame:
    """Convert colors in pieces and by tables: in one go pydicom needs twenty times the frame's memory."""
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        for rows in np.array_split(frame, -(-frame.size // _AT_ONCE)):
            rows[:] = convert_color_space(rows, "YBR_FULL", "RGB")
    if ds.PhotometricInterpretation != "PALETTE COLOR":
        return frame
    if frame.itemsize > 2:  # PS3.3 C.7.6.3.1.2 has indices of 8 or 16 bits
        raise ValueError
    lowest = min(0, int(frame.min()))
    table = apply_color_lut(np.arange(lowest, int(frame.max()) + 1), ds)[..., :3]
    rgb: Frame = table[frame.astype(np.int32) - lowest if lowest else frame]
    return rgb


def is_available(uid: str) -> bool:
    """Tell pydicom for which transfer syntaxes `decode_jpeg` is there."""
    return uid in DECODER_DEPENDENCIES


def decode_jpeg(codestream: bytes, runner: DecodeRunner) -> bytearray:
    """Decode JPEG for pydicom, lossless and of 12 bits too, by libjpeg-turbo 3.

    Color components come out as they were encoded: pydicom converts them by the Photometric Interpretation.
    """
    as_encoded = "YCBCR" if runner.samples_per_pixel == 3 else None
    decoded = imagecodecs.jpeg8_decode(codestream, colorspace=as_encoded, outcolorspace=as_encoded)
    runner.set_option("bits_allocated", decoded.dtype.itemsize * 8)
    runner.set_option("planar_configuration", 0)
    return bytearray(decoded)


for _syntax in JPEGTransferSyntaxes:
    get_decoder(_syntax).add_plugin("imagecodecs", (__name__, "decode_jpeg"))
