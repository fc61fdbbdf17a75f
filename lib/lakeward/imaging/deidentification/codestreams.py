"""Text inside compressed pixel data: comments, application data and what trails a codestream, all set to zeros.

Everything keeps its length, so fragments, offset tables and entropy-coded bytes stay as they are. Looked through are
JPEG (ISO/IEC 10918-1, 14495-1) and JPEG 2000 (ISO/IEC 15444-1, with or without boxes; also HTJ2K), the boxes around
JPEG XL, and RLE (PS3.5 Annex G), of which that takes a trial decoding: two milliseconds for a CT image. Video (MPEG,
HEVC) is left alone.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import accumulate, chain
from struct import unpack_from
from typing import cast

import imagecodecs
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import parse_fragments
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

from lakeward.imaging.objects.completeness import number_of_frames
from lakeward.imaging.objects.reading import Limits
from lakeward.imaging.pixels import bounds, markers
from lakeward.imaging.reasons import Quarantined, Reason

_STARTS = (markers.JPEG, markers.JPEG_2000, *markers.BOXES)
_LOOKED_THROUGH = frozenset({*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes})

# JPEG: markers that hold tables, frames and scans. All other segments (APPn, COM, reserved ones) are optional.
_JPEG_NEEDED = frozenset({*range(0xC0, 0xE0), 0xF7, 0xF8}) - {0xC8}
_JFIF = re.compile(rb"\xff\xe0\0\x10JFIF\0.{7}\0\0", re.DOTALL)  # with no thumbnail
_ADOBE = re.compile(rb"\xff\xee\0\x0eAdobe.{7}", re.DOTALL)  # color transform (TN 5116)
_HP = re.compile(rb"\xff\xe8\0\x07mrfx.", re.DOTALL)  # color transform of JPEG-LS

# JPEG 2000: delimiters, and segments that describe the codestream. COM and what is not known are optional.
_JPEG_2000_NEEDED = frozenset(
    {*range(0xFF50, 0xFF54), *range(0xFF55, 0xFF5A), *range(0xFF5C, 0xFF62), 0xFF63, *range(0xFF72, 0xFF7A), 0xFF90}
)
_BOXES_NEEDED = frozenset({b"jP  ", b"JXL ", b"ftyp", b"jp2h", b"jp2c", b"jxlc", b"jxlp", b"jxll", b"jxli"})

# RLE: the length of the header, and what stands where a run of none is.
_RLE_HEADER, _NO_RUN = 64, 128

Span = tuple[int, int]


def clear_text(ds: Dataset) -> None:
    """Set everything to zero in compressed pixel data that is neither image nor needed to decode it.

    Parameters
    ----------
    ds : pydicom.Dataset
        Its Pixel Data (7FE0,0010) is changed if there is something to clear.

    Raises
    ------
    Quarantined
        UNDECODABLE_PIXELS if the fragments or a codestream's segments contradict their own lengths; UNREADABLE if there
        are more codestreams than frames, of which no decoder would show the last ones; TOO_LARGE if decoding them would
        cost too much.
    """
    syntax = getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is None or not syntax.is_encapsulated or "PixelData" not in ds:
        return
    data = ds.PixelData
    try:
        streams = list(_streams(data))
        scanned = (_spans(data, parts, must=syntax in _LOOKED_THROUGH) for parts in streams)
        spans = list(_rle(ds) if syntax == RLELossless else chain.from_iterable(scanned))
    except (ValueError, IndexError):
        raise Quarantined(Reason.UNDECODABLE_PIXELS, "a codestream that contradicts itself") from None
    if syntax in _LOOKED_THROUGH and len(streams) > number_of_frames(ds):
        raise Quarantined(Reason.UNREADABLE, "more codestreams than frames")
    if any(data.count(0, start, stop) != stop - start for start, stop in spans):
        cleared = bytearray(data)
        for start, stop in spans:
            cleared[start:stop] = bytes(stop - start)
        ds["PixelData"].value = bytes(cleared)
    if syntax in _LOOKED_THROUGH:
        bounds.check(cast(FileDataset, ds), Limits())  # nobody is handed a bomb


def _streams(data: bytes) -> Iterator[list[Span]]:
    """Yield the fragments of each codestream; one that doesn't begin as a codestream does goes on with the last."""
    stream: list[Span] = []
    for start, stop in _fragments(data):
        if stream and data.startswith(_STARTS, start):
            yield stream
            stream = []
        if start < stop:
            stream.append((start, stop))
    if stream:
        yield stream


def _fragments(data: bytes) -> Iterator[Span]:
    _, offsets = parse_fragments(data)
    for offset in offsets[1:]:  # the first item is the basic offset table
        yield offset + 8, offset + 8 + int.from_bytes(data[offset + 4 : offset + 8], "little")


def _spans(data: bytes, parts: list[Span], must: bool) -> Iterator[Span]:
    """Yield where to clear one codestream, as offsets into the pixel data, that `must` or may be one."""
    joined = data[slice(*parts[0])] if len(parts) == 1 else b"".join(data[start:stop] for start, stop in parts)
    scan = next((scan for mark, scan in _SCANNERS.items() if joined.startswith(mark)), None)
    if scan is None:
        if must:
            raise ValueError
        return
    begins = [0, *accumulate(stop - start for start, stop in parts)]
    for start, stop in scan(joined):
        while start < stop:
            part = bisect_right(begins, start) - 1
            end = min(stop, begins[part + 1])
            base = parts[part][0] - begins[part]
            yield base + start, base + end
            start = end


def _jpeg(data: bytes) -> Iterator[Span]:
    """Yield the contents of optional segments, and what follows the end of image."""
    for marker, start, stop in markers.jpeg_segments(data):
        if marker == markers.EOI:
            yield stop, len(data)
        elif marker not in _JPEG_NEEDED and not any(p.fullmatch(data, start, stop) for p in (_JFIF, _ADOBE, _HP)):
            yield start + 4, stop


def _jpeg_2000(data: bytes) -> Iterator[Span]:
    """Yield the optional segments of the main and tile-part headers, and what follows the end of codestream."""
    for marker, start, stop in markers.jpeg_2000_segments(data):
        if marker == markers.EOC:
            yield stop, len(data)
        elif marker not in _JPEG_2000_NEEDED:
            yield start + 4, stop


def _boxes(data: bytes) -> Iterator[Span]:
    """Yield the contents of boxes that decoding doesn't need, and what is to clear inside the codestream."""
    for kind, start, stop in markers.boxes(data):
        if kind == b"jp2c":
            yield from ((start + first, start + last) for first, last in _jpeg_2000(data[start:stop]))
        elif kind not in _BOXES_NEEDED:
            yield start, stop


def _rle(ds: Dataset) -> Iterator[Span]:
    """Yield what decoding RLE does not need: offsets of no segment, and what trails the runs of one."""
    bounds.check(cast(FileDataset, ds), Limits())
    samples, segments = ds.Rows * ds.Columns, ds.get("SamplesPerPixel", 1) * -(-ds.BitsAllocated // 8)
    for start, stop in _fragments(ds.PixelData):
        if stop - start < _RLE_HEADER:
            raise ValueError
        count, *offsets = unpack_from("<16L", ds.PixelData, start)
        if count != segments or offsets[0] != _RLE_HEADER:
            raise ValueError
        yield start + 4 * (1 + count), start + _RLE_HEADER
        ends = [start + offset for offset in offsets[1:count]] + [stop]
        for first, last in zip((start + offset for offset in offsets[:count]), ends, strict=True):
            yield first + _end_of_runs(ds.PixelData[first:last], samples), last


def _end_of_runs(segment: bytes, samples: int) -> int:
    """Return where the run ends that gives the last sample; behind it, encoders put one zero or some runs of none."""
    with suppress(imagecodecs.PackbitsError):  # this one takes no other bytes, and none too many
        if len(imagecodecs.packbits_decode(segment, out=samples)) == samples:
            return len(segment)
    at = 0
    while samples > 0:
        run = segment[at]
        at += 1 if run == _NO_RUN else 2 if run > _NO_RUN else run + 2
        samples -= 0 if run == _NO_RUN else 257 - run if run > _NO_RUN else run + 1
    if samples or at > len(segment):
        raise ValueError
    return at


_SCANNERS: dict[bytes, Callable[[bytes], Iterator[Span]]] = {
    markers.JPEG: _jpeg,
    markers.JPEG_2000: _jpeg_2000,
    **dict.fromkeys(markers.BOXES, _boxes),
}
