"""Text inside compressed pixel data: comments, application data and what trails a codestream, all set to zeros.

Everything keeps its length, so fragments, offset tables and entropy-coded bytes stay as they are. Looked through are
JPEG (ISO/IEC 10918-1, 14495-1) and JPEG 2000 (ISO/IEC 15444-1, with or without boxes; also HTJ2K) and the boxes around
JPEG XL. RLE has no segments beside the image. Video (MPEG, HEVC) is left alone.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate

from pydicom.dataset import Dataset
from pydicom.encaps import parse_fragments
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

from lakeward.imaging.reasons import Quarantined, Reason

_JPEG, _JPEG_2000 = b"\xff\xd8\xff", b"\xff\x4f\xff\x51"
_BOXES = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\0\0\0\x0cJXL \r\n\x87\n")
_STARTS = (_JPEG, _JPEG_2000, *_BOXES)
_LOOKED_THROUGH = frozenset({*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes})

# JPEG: markers that hold tables, frames and scans. All other segments (APPn, COM, reserved ones) are optional.
_JPEG_NEEDED = frozenset({*range(0xC0, 0xE0), 0xF7, 0xF8}) - {0xC8}
_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_EOI, _SOS = 0xD9, 0xDA
_JFIF = re.compile(rb"\xff\xe0\0\x10JFIF\0.{7}\0\0", re.DOTALL)  # with no thumbnail
_ADOBE = re.compile(rb"\xff\xee\0\x0eAdobe.{7}", re.DOTALL)  # color transform (TN 5116)
_HP = re.compile(rb"\xff\xe8\0\x07mrfx.", re.DOTALL)  # color transform of JPEG-LS
_AFTER_SCAN = {False: re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]"), True: re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")}
_JPEG_LS_FRAME = 0xF7

# JPEG 2000: delimiters, and segments that describe the codestream. COM and what is not known are optional.
_SOT, _SOD, _EOC = 0xFF90, 0xFF93, 0xFFD9
_JPEG_2000_NEEDED = frozenset(
    {*range(0xFF50, 0xFF54), *range(0xFF55, 0xFF5A), *range(0xFF5C, 0xFF62), 0xFF63, *range(0xFF72, 0xFF7A)}
)
_BOXES_NEEDED = frozenset({b"jP  ", b"JXL ", b"ftyp", b"jp2h", b"jp2c", b"jxlc", b"jxlp", b"jxll", b"jxli"})

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
        UNDECODABLE_PIXELS if the fragments or a codestream's segments contradict their own lengths.
    """
    syntax = getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is None or not syntax.is_encapsulated or "PixelData" not in ds:
        return
    data = ds.PixelData
    try:
        spans = [span for parts in _streams(data) for span in _spans(data, parts, must=syntax in _LOOKED_THROUGH)]
    except (ValueError, IndexError):
        raise Quarantined(Reason.UNDECODABLE_PIXELS, "a codestream that contradicts itself") from None
    if any(data.count(0, start, stop) != stop - start for start, stop in spans):
        cleared = bytearray(data)
        for start, stop in spans:
            cleared[start:stop] = bytes(stop - start)
        ds["PixelData"].value = bytes(cleared)


def _streams(data: bytes) -> Iterator[list[Span]]:
    """Yield the fragments of each codestream; one that doesn't begin as a codestream does goes on with the last."""
    _, offsets = parse_fragments(data)
    stream: list[Span] = []
    for offset in offsets[1:] if offsets else ():  # the first item is the basic offset table
        start, length = offset + 8, int.from_bytes(data[offset + 4 : offset + 8], "little")
        if stream and data.startswith(_STARTS, start):
            yield stream
            stream = []
        if length:
            stream.append((start, start + length))
    if stream:
        yield stream


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
    at, lossless = 2, False
    while at + 1 < len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0x00:  # something between segments, which decoders skip
            raise ValueError
        if marker == _EOI:
            yield at + 2, len(data)
            return
        if marker in _JPEG_STANDALONE or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
            continue
        stop = at + 2 + _number(data, at + 2, 2)
        if stop > len(data):
            raise ValueError
        if marker not in _JPEG_NEEDED and not any(p.fullmatch(data, at, stop) for p in (_JFIF, _ADOBE, _HP)):
            yield at + 4, stop
        lossless |= marker == _JPEG_LS_FRAME
        at = _end_of_scan(data, stop, lossless) if marker == _SOS else stop


def _end_of_scan(data: bytes, at: int, is_jpeg_ls: bool) -> int:
    """Return the offset of the marker that ends entropy-coded data; stuffing keeps other markers out of them."""
    match = _AFTER_SCAN[is_jpeg_ls].search(data, at)
    return match.start() if match else len(data)


def _jpeg_2000(data: bytes) -> Iterator[Span]:
    """Yield the optional segments of the main and tile-part headers, and what follows the end of codestream."""
    at, tile_start, tile_length = 2, 0, 0
    while at + 4 <= len(data):
        marker = _number(data, at, 2)
        if marker == _EOC:
            break
        if marker == _SOD:
            end = tile_start + tile_length if tile_length else data.rfind(b"\xff\xd9")  # 0: up to the end
            at = end if end > at else len(data)
            continue
        stop = at + 2 + _number(data, at + 2, 2)
        if marker < 0xFF00 or stop < at + 4 or stop > len(data):
            raise ValueError
        if marker == _SOT:
            tile_start, tile_length = at, _number(data, at + 6, 4)
        elif marker not in _JPEG_2000_NEEDED:
            yield at + 4, stop
        at = stop
    if data[at : at + 2] == b"\xff\xd9":
        yield at + 2, len(data)


def _boxes(data: bytes) -> Iterator[Span]:
    """Yield the contents of boxes that decoding doesn't need, and what is to clear inside the codestream."""
    at = 0
    while at + 8 <= len(data):
        length, kind, header = _number(data, at, 4), data[at + 4 : at + 8], 8
        if length == 1:
            length, header = _number(data, at + 8, 8), 16
        stop = at + length if length else len(data)
        if (length and length < header) or stop > len(data):
            raise ValueError
        if kind == b"jp2c":
            body = data[at + header : stop]
            yield from ((at + header + first, at + header + last) for first, last in _jpeg_2000(body))
        elif kind not in _BOXES_NEEDED:
            yield at + header, stop
        at = stop


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise ValueError
    return int.from_bytes(data[at : at + size], "big")


_SCANNERS: dict[bytes, Callable[[bytes], Iterator[Span]]] = {
    _JPEG: _jpeg,
    _JPEG_2000: _jpeg_2000,
    **dict.fromkeys(_BOXES, _boxes),
}
