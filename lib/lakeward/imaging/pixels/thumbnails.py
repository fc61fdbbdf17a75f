"""Thumbnails: small pictures for tables and reports."""

import cv2
import numpy as np

from lakeward.imaging.pixels.enhance import Picture


def thumbnail_png(frame: Picture, size: int = 96) -> bytes:
    """Return a small PNG of a frame.

    Parameters
    ----------
    frame : numpy.ndarray
        uint8 of shape (rows, columns) or, as RGB, (rows, columns, 3); from `display` or `enhance`.
    size : int
        Length of the longer side in pixels; smaller frames stay as they are.

    Returns
    -------
    bytes
        8-bit PNG with the frame's proportions.
    """
    if frame.dtype != np.uint8:
        raise TypeError(f"A thumbnail is made of 8-bit frames, not {frame.dtype}: give it the frame from display().")
    rows, columns = frame.shape[:2]
    scale = min(1.0, size / max(rows, columns))
    width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
    small = frame
    while small.shape[0] >= 2 * height and small.shape[1] >= 2 * width and max(small.shape[:2]) > 2 * size:
        even = small[: small.shape[0] // 2 * 2, : small.shape[1] // 2 * 2]
        small = _resized(even, even.shape[1] // 2, even.shape[0] // 2)  # halves cost least by far
    small = _resized(small, width, height)
    _, encoded = cv2.imencode(".png", small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def _resized(picture: Picture, width: int, height: int) -> Picture:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
