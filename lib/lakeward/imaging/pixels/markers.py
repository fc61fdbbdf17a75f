"""The segments and boxes that codestreams are made of: JPEG, JPEG-LS, JPEG 2000, HTJ2K, and the boxes of JPEG XL.

Entropy-coded data are stepped over. All offsets are into the bytes that are given; every walk raises ValueError where
a codestream contradicts its own lengths.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

JPEG, JPEG_2000 = b"\xff\xd8\xff", b"\xff\x4f\xff\x51"
BOXES = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\0\0\0\x0cJXL \r\n\x87\n")
"""How codestreams begin, bare and in boxes."""

EOI, EOC = 0xD9, 0xFFD9
_SOS = 0xDA
_SOT, _SOD = 0xFF90, 0xFF93
_COD, _COC = 0xFF52, 0xFF53
_LARGEST_PRECINCT = 0xFF
_JPEG_LS_FRAME = 0xF7
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0), _JPEG_LS_FRAME}) - {0xC4, 0xC8, 0xCC}
_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_AFTER_SCAN = {False: re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]"), True: re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")}


class Segment(NamedTuple):
    """A marker, the offset of its first byte, and the offset behind its last parameter."""

    marker: int
    start: int
    stop: int


class CodingStyle(NamedTuple):
    """How a JPEG 2000 codestream, or a component or tile of it, is cut up (ISO/IEC 15444-1 A.6.1 and A.6.2).

    Attributes
    ----------
    layers : int
        Quality layers; 1 where the segment doesn't say.
    block_area : int
        Samples of a code-block.
    precincts : list of tuple of int
        For each resolution, how often its sides are halved, and the logarithms of its precincts' width and height.
    """

    layers: int
    block_area: int
    precincts: list[tuple[int, int, int]]


def jpeg_segments(data: bytes) -> Iterator[Segment]:
    """Yield the marker segments of JPEG (ISO/IEC 10918-1 B.1) and JPEG-LS, with EOI if there is one."""
    at, is_jpeg_ls = 2, False
    while at + 1 < len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0x00:  # something between segments, which decoders skip
            raise ValueError
        if marker == EOI:
            yield Segment(marker, at, at + 2)
            return
        if marker in _JPEG_STANDALONE or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
            continue
        stop = at + 2 + number(data, at + 2, 2)
        if stop > len(data):
            raise ValueError
        yield Segment(marker, at, stop)
        is_jpeg_ls |= marker == _JPEG_LS_FRAME
        at = _end_of_scan(data, stop, is_jpeg_ls) if marker == _SOS else stop


def _end_of_scan(data: bytes, at: int, is_jpeg_ls: bool) -> int:
    """Return the offset of the marker that ends entropy-coded data; stuffing keeps other markers out of them."""
    match = _AFTER_SCAN[is_jpeg_ls].search(data, at)
    return match.start() if match else len(data)


def jpeg_2000_segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments of the main and tile-part headers (ISO/IEC 15444-1 A.2), with EOC if there is one."""
    at, tile_start, tile_length = 2, 0, 0
    while at + 4 <= len(data):
        marker = number(data, at, 2)
        if marker == EOC:
            break
        if marker == _SOD:
            end = tile_start + tile_length if tile_length else data.rfind(b"\xff\xd9")  # 0: up to the end
            at = end if end > at else len(data)
            continue
        stop = at + 2 + number(data, at + 2, 2)
        if marker < 0xFF00 or stop < at + 4 or stop > len(data):
            raise ValueError
        if marker == _SOT:
            tile_start, tile_length = at, number(data, at + 6, 4)
        yield Segment(marker, at, stop)
        at = stop
    if data[at : at + 2] == b"\xff\xd9":
        yield Segment(EOC, at, at + 2)


def boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, first and last offset of the contents of each box (ISO/IEC 15444-1 I.4)."""
    at = 0
    while at + 8 <= len(data):
        length, kind, header = number(data, at, 4), data[at + 4 : at + 8], 8
        if length == 1:
            length, header = number(data, at + 8, 8), 16
        stop = at + length if length else len(data)
        if (length and length < header) or stop > len(data):
            raise ValueError
        yield kind, at + header, stop
        at = stop


def jpeg_size(data: bytes) -> tuple[int, int, int] | None:
    """Return rows, columns and samples from the frame header (ISO/IEC 10918-1 B.2.2, 14495-1 C.2.2).

    There is none in a codestream with no end-of-image marker: libjpeg would fill it up, CharLS search on for seconds.
    """
    if not data.rstrip(b"\0\xff").endswith(b"\xff\xd9"):
        return None
    at = next((segment.start for segment in jpeg_segments(data) if segment.marker in _JPEG_FRAMES), None)
    return None if at is None else (number(data, at + 5, 2), number(data, at + 7, 2), number(data, at + 9, 1))


def jpeg_2000_size(data: bytes) -> tuple[int, int, int] | None:
    """Return rows, columns and samples from the SIZ marker (ISO/IEC 15444-1 A.5.1), also behind a JP2 file's boxes."""
    at = _codestream_at(data)
    if at is None or data[at : at + 4] != JPEG_2000:
        return None
    columns, rows, left, top = (number(data, at + offset, 4) for offset in (8, 12, 16, 20))
    return rows - top, columns - left, number(data, at + 40, 2)


def jpeg_2000_styles(data: bytes, components: int) -> Iterator[CodingStyle]:
    """Yield every coding style of a JPEG 2000 codestream of so many components, also behind a JP2 file's boxes."""
    data = data[_codestream_at(data) or 0 :]
    for marker, start, stop in jpeg_2000_segments(data):
        if marker == _COD:
            yield _style(data, number(data, start + 4, 1), start + 9, stop, layers=number(data, start + 6, 2))
        elif marker == _COC:
            at = start + (5 if components < 257 else 6)
            yield _style(data, number(data, at, 1), at + 1, stop, layers=1)


def _style(data: bytes, defines_precincts: int, at: int, stop: int, layers: int) -> CodingStyle:
    levels, wide, high = (number(data, at + offset, 1) for offset in range(3))
    if levels > 32 or wide > 8 or high > 8:
        raise ValueError
    sides = data[at + 5 : stop] if defines_precincts & 1 else bytes([_LARGEST_PRECINCT]) * (levels + 1)
    precincts = [(levels - number, side & 15, side >> 4) for number, side in enumerate(sides[: levels + 1])]
    return CodingStyle(layers, 1 << wide + high + 4, precincts)


def _codestream_at(data: bytes) -> int | None:
    return next((start for kind, start, _ in boxes(data) if kind == b"jp2c"), None) if data.startswith(BOXES[0]) else 0


def number(data: bytes, at: int, size: int) -> int:
    """Return a whole number, big endian."""
    if at + size > len(data):
        raise ValueError
    return int.from_bytes(data[at : at + size], "big")
