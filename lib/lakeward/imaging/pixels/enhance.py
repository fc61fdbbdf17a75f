"""Frames as a person sees them, and enhanced: contrast-limited adaptive histogram equalization.

Everything here ends in 8 bits. OpenCV's CLAHE gives a 16-bit image 65,536 bins; a tile of 64 x 64 then has less than
one pixel in each, the clip limit never acts, and it costs nine times as much. On a windowed 8-bit image the bins fit
the data and the limit acts; as the limit bounds the slope, 8 bits stay enough for the usual 1 to 4.
"""

from contextlib import suppress

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import UID

from lakeward.imaging.memory import Memory
from lakeward.imaging.objects.reading import contained
from lakeward.imaging.pixels.decoding import Frame
from lakeward.imaging.reasons import Quarantined, Reason

_Shades = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

cv2.setNumThreads(1)  # Spark already runs a worker on each core

_FUNCTIONAL_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
_NOT_PICTURES = ("Segmentation Storage", "RT Dose Storage", "Parametric Map Storage")
_PERCENTILES = (0.5, 99.5)
_BEYOND = 1e9
_EXACT = 1 << 24
_WINDOW = ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction")
_LUTS = ("ModalityLUTSequence", "VOILUTSequence")
_SMALLEST_TILE = 16
"""Pixels on a side: 256, as many as there are bins."""

_tables: Memory[Picture | None] = Memory(64)


class EnhanceParameters(BaseModel):
    """How frames are enhanced.

    Attributes
    ----------
    enabled : bool
        Whether they are at all.
    clip_limit : float
        Greatest slope of the equalizing curve, over that of a flat histogram; 1 changes next to nothing (Zuiderveld,
        "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994).
    tiles : int
        Tiles along each side; fewer in images so small that a tile would have fewer pixels than there are gray levels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    clip_limit: float = Field(default=2.0, ge=1, le=64)
    tiles: int = Field(default=8, ge=1, le=64)


def is_enhanceable(ds: FileDataset, parameters: EnhanceParameters) -> bool:
    """Whether enhancement makes sense: not for segmentations, doses and maps, whose values stand for themselves."""
    with contained(Reason.UNDECODABLE_PIXELS):
        is_picture = not UID(str(ds.get("SOPClassUID", ""))).name.endswith(_NOT_PICTURES)
        return parameters.enabled and is_picture and ds.get("BitsAllocated") != 1


def enhance(frame: Frame, ds: FileDataset, parameters: EnhanceParameters, index: int = 0) -> Picture:
    """Enhance one frame.

    The modality and VOI transforms come first, MONOCHROME1 is turned to display sense, then CLAHE equalizes the
    luminance; hue and saturation stay. The same input always gives the same output.

    Parameters
    ----------
    frame : numpy.ndarray
        From `lakeward.imaging.pixels.decoding.frames`.
    ds : pydicom.dataset.FileDataset
        The object that it is from, of which `is_enhanceable` says yes.
    parameters : EnhanceParameters
        Strength and tiling.
    index : int
        The frame's place in the object, from 0; it may have its own window.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (rows, columns[, 3]).

    Raises
    ------
    Quarantined
        As `display`.
    """
    shown = display(frame, ds, index)
    if shown.min() == shown.max():
        return shown
    if shown.ndim == 2:
        return _equalize(shown, parameters)
    lab = cv2.cvtColor(shown, cv2.COLOR_RGB2LAB)
    lab[..., 0] = _equalize(np.ascontiguousarray(lab[..., 0]), parameters)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _equalize(gray: Picture, parameters: EnhanceParameters) -> Picture:
    down, across = (max(1, min(parameters.tiles, side // _SMALLEST_TILE)) for side in gray.shape)
    clahe = cv2.createCLAHE(clipLimit=parameters.clip_limit, tileGridSize=(across, down))
    return np.asarray(clahe.apply(gray), np.uint8)


def display(frame: Frame, ds: FileDataset, index: int = 0) -> Picture:
    """Return one frame as a viewer would show it, in 8 bits.

    Gray values go through the modality transform and the first VOI transform (PS3.3 C.11.1, C.11.2), a LUT before a
    window. Where there is none, or an invalid one, the middle 99 percent of the values are stretched.

    Parameters
    ----------
    frame, ds, index
        As for `enhance`.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (rows, columns[, 3]).

    Raises
    ------
    Quarantined
        UNDECODABLE_PIXELS, if the description of the pixels contradicts itself.
    """
    with contained(Reason.UNDECODABLE_PIXELS):
        if frame.ndim == 3:
            return _color(frame, ds)
        shown = (
            frame.astype(np.uint8) * np.uint8(255) if ds.BitsAllocated == 1 else _gray(frame, _transforms(ds, index))
        )
        return ~shown if ds.PhotometricInterpretation == "MONOCHROME1" else shown


def _color(frame: Frame, ds: Dataset) -> Picture:
    entries_fill_the_type = ds.PhotometricInterpretation == "PALETTE COLOR"
    bits = frame.dtype.itemsize * 8 if entries_fill_the_type else int(ds.BitsStored)
    return np.right_shift(frame, max(bits - 8, 0)).astype(np.uint8, copy=False)


def _transforms(ds: FileDataset, index: int) -> Dataset:
    """Return a data set whose top level has the frame's own transforms (PS3.3 C.7.6.16.2.9 and .10)."""
    if "SharedFunctionalGroupsSequence" not in ds:
        return ds
    merged = Dataset()
    merged.file_meta = ds.file_meta
    for keyword in ("BitsStored", "PixelRepresentation", "PhotometricInterpretation"):
        setattr(merged, keyword, ds.get(keyword))
    of_this_frame = ds.get("PerFrameFunctionalGroupsSequence", [])[index : index + 1]
    for groups in (*ds.SharedFunctionalGroupsSequence, *of_this_frame):
        for keyword in _FUNCTIONAL_GROUPS:
            for item in groups.get(keyword, []):
                merged.update(item)
    return merged


def _gray(frame: Frame, ds: Dataset) -> Picture:
    """Shade each value that occurs once, then look the pixels up: pydicom's transforms work in 64-bit floats."""
    if not np.issubdtype(frame.dtype, np.integer) or frame.itemsize > 2:
        return _shade(frame, frame, ds)
    low, high = int(frame.min()), int(frame.max())
    table = _windowed(frame, low, high, ds)
    if table is None:
        values = np.arange(low, high + 1)
        table = _table(frame, values, _shade(values, frame, ds))
    return np.asarray(cv2.LUT(np.ascontiguousarray(frame).view(f"u{frame.itemsize}"), table), np.uint8)


def _windowed(frame: Frame, low: int, high: int, ds: Dataset) -> Picture | None:
    """Return the shades of all values that can be stored, from memory; None without a window."""
    bits, signed = ds.BitsStored, bool(ds.PixelRepresentation)
    lowest = -(1 << bits - 1) if signed else 0
    if low < lowest or high >= lowest + (1 << bits) or any(keyword in ds for keyword in _LUTS):
        return None
    key = (frame.dtype, bits, signed, *(str(ds.get(keyword)) for keyword in _WINDOW))
    if key not in _tables:
        values = np.arange(lowest, lowest + (1 << bits))
        shaded = _by_voi(apply_modality_lut(values, ds), ds)
        _tables.put(key, _table(frame, values, _scaled(*shaded)) if shaded else None)
    return _tables[key]


def _table(frame: Frame, values: npt.NDArray[np.int64], shades: Picture) -> Picture:
    """Return a table of shades by the bits of a stored value."""
    table = np.zeros(1 << 8 * frame.itemsize, np.uint8)
    table[values & len(table) - 1] = shades
    return table


def _shade(values: Frame, frame: Frame, ds: Dataset) -> Picture:
    return _scaled(*(_by_voi(apply_modality_lut(values, ds), ds) or _by_stretch(values, frame, ds)))


def _scaled(shaded: _Shades, black: float, white: float) -> Picture:
    if black == white:
        return np.zeros(shaded.shape, np.uint8)
    scaled = shaded - black
    scaled *= 255 / (white - black)
    return np.clip(scaled, 0, 255, out=scaled).round(out=scaled).astype(np.uint8)


def _by_voi(values: Frame, ds: Dataset) -> tuple[_Shades, float, float] | None:
    """Return the values after the VOI transform, and what it makes of black and white; None without a valid one."""
    with suppress(Quarantined), contained(Reason.UNDECODABLE_PIXELS):
        shaded = apply_voi_lut(values, ds)
        if shaded is values:
            return None
        if ds.get("VOILUTSequence"):
            return shaded.astype(np.float64), 0.0, 2.0 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1
        black, white = apply_voi_lut(np.array([-_BEYOND, _BEYOND]), ds)
        return shaded, float(black), float(white)
    return None


def _by_stretch(values: Frame, frame: Frame, ds: Dataset) -> tuple[_Shades, float, float]:
    padding = ds.get("PixelPaddingValue")
    limits = _percentiles(frame, padding if isinstance(padding, int) else None)
    black, white = np.sort(apply_modality_lut(limits, ds))
    return apply_modality_lut(values, ds).astype(np.float64), float(black), float(white)


def _percentiles(frame: Frame, padding: int | None) -> _Shades:
    """Return `_PERCENTILES` of what is no padding, if anything is, with linear interpolation."""
    if not np.issubdtype(frame.dtype, np.integer) or frame.itemsize > 2:
        shown = frame[np.isfinite(frame)]
        if padding is not None and np.any(shown != padding):
            shown = shown[shown != padding]
        return np.percentile(shown.astype(np.float64), _PERCENTILES)
    counts = _counts(frame)
    lowest = -(1 << 8 * frame.itemsize - 1) if np.issubdtype(frame.dtype, np.signedinteger) else 0
    counts = np.roll(counts, -lowest)  # in the order of the values
    if padding is not None and 0 <= padding - lowest < len(counts) and counts[padding - lowest] < frame.size:
        counts[padding - lowest] = 0
    up_to = np.cumsum(counts)
    ranks = np.array(_PERCENTILES) / 100 * (up_to[-1] - 1)
    below, above = (np.searchsorted(up_to, whole, side="right") for whole in (np.floor(ranks), np.ceil(ranks)))
    return np.asarray(lowest + below + (ranks - np.floor(ranks)) * (above - below), np.float64)


def _counts(frame: Frame) -> npt.NDArray[np.int64]:
    """Count how often each pattern of a value's bits occurs; numpy's own way takes eight bytes for each pixel."""
    patterns = np.ascontiguousarray(frame).view(f"u{frame.itemsize}")
    count = 1 << 8 * frame.itemsize
    parts = np.array_split(patterns, -(-patterns.size // _EXACT))  # OpenCV counts in 32-bit floats
    found = (cv2.calcHist([part], [0], None, [count], [0, count]) for part in parts)
    return np.asarray(sum(histogram.ravel().astype(np.int64) for histogram in found), np.int64)
