"""Frames as lossless TIFF files (TIFF 6.0): one strip of differences along the rows (Predictor 2), by Zstandard.

On pydicom's real images it is 12 percent larger than JPEG XL at its lowest effort, on synthetic ones smaller, for a
quarter of the time; and Pillow, tifffile, GDAL and libtiff read it. libtiff itself takes the differences pixel by
pixel, and needs twice the time for the same.
"""

from struct import Struct

import imagecodecs
import numpy as np

from lakeward.imaging.pixels.decoding import Frame

_SHORT, _LONG = 3, 4
_ZSTD, _HORIZONTAL = 50000, 2
_ENTRIES = 10
_header = Struct("<2sHL").pack
_directory = Struct("<H").pack
_entry = Struct("<HHLL").pack
_BITS_AT = 8 + 2 + 12 * _ENTRIES + 4
_STRIP_AT = _BITS_AT + 8


def encode_frame(frame: Frame) -> bytes:
    """Encode a frame.

    Parameters
    ----------
    frame : numpy.ndarray
        uint8 or uint16 of shape (rows, columns) or, as RGB, (rows, columns, 3).
    """
    rows, columns, samples = *frame.shape[:2], frame.shape[2] if frame.ndim == 3 else 1
    differences = np.empty(frame.shape, frame.dtype.newbyteorder("<"))
    differences[:, 0] = frame[:, 0]
    np.subtract(frame[:, 1:], frame[:, :-1], out=differences[:, 1:])
    strip = bytes(imagecodecs.zstd_encode(differences.tobytes(), level=1))
    bits = frame.dtype.itemsize * 8
    entries = (
        (256, _LONG, 1, columns),
        (257, _LONG, 1, rows),
        (258, _SHORT, samples, bits if samples == 1 else _BITS_AT),
        (259, _SHORT, 1, _ZSTD),
        (262, _SHORT, 1, 1 if samples == 1 else 2),  # black is zero, or RGB
        (273, _LONG, 1, _STRIP_AT),
        (277, _SHORT, 1, samples),
        (278, _LONG, 1, rows),
        (279, _LONG, 1, len(strip)),
        (317, _SHORT, 1, _HORIZONTAL),
    )
    directory = [_directory(len(entries)), *(_entry(*entry) for entry in entries), bytes(4)]
    return b"".join([_header(b"II", 42, 8), *directory, 4 * bits.to_bytes(2, "little"), strip])


def decode_frame(encoded: bytes) -> Frame:
    """Return the frame that `encode_frame` encoded."""
    frame: Frame = imagecodecs.tiff_decode(encoded)
    return frame
