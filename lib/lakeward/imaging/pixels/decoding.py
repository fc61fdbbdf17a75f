"""Decoding pixel data, one frame at a time, by pydicom's decoders."""

from collections.abc import Iterator

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

from lakeward.imaging.objects.completeness import PIXEL_KEYWORDS, number_of_frames
from lakeward.imaging.objects.reading import Limits, contained
from lakeward.imaging.pixels import markers
from lakeward.imaging.reasons import Quarantined, Reason

Frame = npt.NDArray[np.generic]

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
        `max_frame_bytes` and `max_pixel_bytes` are held before anything is allocated.

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
            frame = _as_rgb(next(decoded), ds)
        yield frame.astype(frame.dtype.newbyteorder("="), copy=False)


def check(ds: FileDataset, limits: Limits) -> int:
    """Hold what decoding would allocate against the limits, and return the number of frames.

    Raises
    ------
    Quarantined
        UNDECODABLE_PIXELS, or TOO_LARGE.
    """
    with contained(Reason.UNDECODABLE_PIXELS):
        expected = _check_size(ds, limits)
        if ds.file_meta.TransferSyntaxUID.is_encapsulated:
            _check_codestreams(ds, expected)
    return expected


def _lies_as_it_is(ds: FileDataset) -> bool:
    """Whether frames are arrays already: native gray values or palette indices of whole bytes."""
    native = not ds.file_meta.TransferSyntaxUID.is_encapsulated and ds.file_meta.TransferSyntaxUID.is_little_endian
    return native and "PixelData" in ds and ds.SamplesPerPixel == 1 and ds.BitsAllocated in (8, 16)


def _in_place(ds: FileDataset, count: int) -> Iterator[Frame]:
    kind = f"<{'i' if ds.PixelRepresentation else 'u'}{ds.BitsAllocated // 8}"
    rows, columns = ds.Rows, ds.Columns
    return iter(np.frombuffer(ds.PixelData, kind, count * rows * columns).reshape(count, rows, columns))


def _decoded(ds: FileDataset) -> Iterator[Frame]:
    """Start the decoder that is best for the syntax; several that take turns might not agree to the last bit."""
    syntax = ds.file_meta.TransferSyntaxUID
    frames = get_decoder(syntax).iter_array(ds, decoding_plugin=decoder_plugin(syntax), allow_excess_frames=False)
    return (frame for frame, _ in frames)


def decoder_plugin(syntax: str) -> str:
    """Name of the decoder to use for a transfer syntax, as pydicom wants it; empty where there is but one."""
    return next((name for syntaxes, name in _DECODERS if syntax in syntaxes), "")


def _check_size(ds: FileDataset, limits: Limits) -> int:
    count = number_of_frames(ds)
    frame_bytes = ds.Rows * ds.Columns * ds.get("SamplesPerPixel", 1) * -(-_bits_allocated(ds) // 8)
    if frame_bytes > limits.max_frame_bytes or count * frame_bytes > limits.max_pixel_bytes:
        raise Quarantined(Reason.TOO_LARGE, "pixel data once decoded")
    return count


def _bits_allocated(ds: FileDataset) -> int:
    bits = next((bits for keyword, bits in PIXEL_KEYWORDS.items() if bits and keyword in ds), None)
    return bits or int(ds.BitsAllocated)


def _as_rgb(frame: Frame, ds: FileDataset) -> Frame:
    if ds.PhotometricInterpretation != "PALETTE COLOR":
        return frame
    rgb: Frame = apply_color_lut(frame, ds)[..., :3]
    return rgb


def _check_codestreams(ds: FileDataset, count: int) -> None:
    """Hold each frame's own size against the data set's: decoders allocate what the codestream asks for."""
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax in JPEG2000TransferSyntaxes:
        size = markers.jpeg_2000_size
    elif syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        size = markers.jpeg_size
    else:
        return
    for codestream in generate_frames(ds.PixelData, number_of_frames=count):
        if size(codestream) != (ds.Rows, ds.Columns, ds.SamplesPerPixel):
            raise Quarantined(Reason.UNDECODABLE_PIXELS, "a frame's own size is not the one described")


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
