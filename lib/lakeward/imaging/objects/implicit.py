"""Implicit VR Little Endian made explicit, and back, on the bytes alone (PS3.5 7.1.2, 7.1.3): no value is read.

It gives up on all that is unusual, which `reading.read_object` then looks at in full; what is made explicit has to be
checked as if it had come so.
"""

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct, error, pack

from pydicom.datadict import dictionary_VR, private_dictionary_VR
from pydicom.uid import ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, VR

from lakeward.imaging.objects.structure import (
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED_LENGTH,
    looks_explicit,
)

_START = 132
_SYNTAX = b"\x02\x00\x10\x00UI\x12\x00" + ImplicitVRLittleEndian.encode() + b"\0"
_META_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
_LONGEST_META = 4096
_PIXEL_REPRESENTATION = 0x00280103
_SIGNED = {b"\0\0": b"US", b"\1\0": b"SS"}
_LONG = frozenset(str(vr).encode() for vr in EXPLICIT_VR_LENGTH_32)
_SHORT = frozenset(str(vr).encode() for vr in VR if len(vr) == 2) - _LONG
_header = Struct("<HHL").unpack_from
_explicit_header = Struct("<HH2sH").unpack_from
_length = Struct("<L").unpack_from


def as_explicit(data: bytes, max_depth: int, size: int) -> bytes | None:
    """Return a file whose data set is in Implicit VR Little Endian with its VRs put in, and nothing else changed.

    Of a file of `size` bytes, `data` may be only the beginning; what is returned then ends inside its last element.

    VRs are those that pydicom finds: of PS3.6, of the pixel representation where they depend on it, and of its list of
    private elements; UN for all others.

    Returns
    -------
    bytes or None
        None if it is another file, or if anything is out of the ordinary.
    """
    if data.find(_SYNTAX, _START, _LONGEST_META) < 0:
        return None
    try:
        start = _meta_end(data)
        if looks_explicit(data[start + 4 : start + 6]):
            return None
        parts, _ = _with_vrs(data, start, size, b"", max_depth, delimited=False)
    except (ValueError, error):  # also a header that is cut
        return None
    return b"".join([data[:start], *parts])


def as_implicit(encoded: bytes) -> bytes:
    """Return elements in Explicit VR Little Endian without their VRs.

    Raises
    ------
    ValueError
        If an element without a stated length is no sequence.
    """
    parts, _ = _without_vrs(encoded, 0, len(encoded), delimited=False)
    return b"".join(parts)


def _meta_end(data: bytes) -> int:
    """Where group 0002 ends, if its stated length is right."""
    if data[_START : _START + 8] != _META_LENGTH:
        raise ValueError
    at = _START
    while data[at : at + 2] == b"\x02\x00":
        _, _, vr, length = _explicit_header(data, at)
        at += 12 + _length(data, at + 8)[0] if vr in _LONG else 8 + length
    if at != _START + 12 + _length(data, _START + 8)[0]:
        raise ValueError
    return at


def _with_vrs(
    data: bytes, at: int, end: int, signed: bytes, deeper: int, *, delimited: bool
) -> tuple[list[bytes | memoryview], int]:
    """Put VRs into a data set or item, and return it with where it ends.

    `signed` is the VR of what is signed if the pixels are; empty if that is not known by then.
    """
    if deeper < 0:
        raise ValueError
    parts: list[bytes | memoryview] = []
    creators: dict[int, bytes] = {}
    while at < end:
        group, element, length = _header(data, at)
        tag, value = group << 16 | element, at + 8
        if tag == ITEM_END and delimited:
            return parts, value
        creator = creators.get(group << 16 | element >> 8) if group & 1 else None
        vr = _vr(tag, creator) or (signed if tag > _PIXEL_REPRESENTATION else b"")
        stop = value + length
        if vr == b"SQ":
            items, stop = _items(data, value, min(end, stop), length, signed, deeper)
            parts += [data[at : at + 4], b"SQ\0\0", pack("<L", _size(length, items)), *items]
        elif stop > end or length == UNDEFINED_LENGTH or not vr:
            raise ValueError
        elif vr in _LONG:
            parts += [data[at : at + 4], vr, pack("<HL", 0, length), memoryview(data)[value:stop]]
        else:
            parts += [data[at : at + 4], vr, pack("<H", length) if length <= 0xFFFF else _fail(), data[value:stop]]
        if tag == _PIXEL_REPRESENTATION:
            signed = _SIGNED.get(data[value:stop], b"")
        elif group & 1 and element <= 0xFF:
            creators[tag] = data[value:stop]
        at = stop
    if delimited:
        raise ValueError
    return parts, at


def _items(
    data: bytes, at: int, end: int, length: int, signed: bytes, deeper: int
) -> tuple[list[bytes | memoryview], int]:
    """Put VRs into the items of a sequence."""
    parts: list[bytes | memoryview] = []
    while at < end:
        group, element, size = _header(data, at)
        tag = group << 16 | element
        if tag == SEQUENCE_END and length == UNDEFINED_LENGTH:
            return [*parts, data[at : at + 8]], at + 8
        if tag != ITEM or (size != UNDEFINED_LENGTH and at + 8 + size > end):
            raise ValueError
        delimited = size == UNDEFINED_LENGTH
        stop = end if delimited else at + 8 + size
        inside, stop = _with_vrs(data, at + 8, stop, signed, deeper - 1, delimited=delimited)
        inside += [data[stop - 8 : stop]] if delimited else []
        parts += [data[at : at + 4], pack("<L", _size(size, inside)), *inside]
        at = stop
    if length == UNDEFINED_LENGTH:
        raise ValueError
    return parts, at


def _without_vrs(data: bytes, at: int, end: int, *, delimited: bool) -> tuple[list[bytes], int]:
    parts: list[bytes] = []
    while at < end:
        start = at
        group, element, vr, length = _explicit_header(data, at)
        at += 8
        if delimited and group << 16 | element == ITEM_END:
            return parts, at
        if vr not in _SHORT:
            (length,) = _length(data, at)
            at += 4
        inside, stop = [data[at : at + length]], at + length
        if vr == b"SQ":
            inside, stop = _bare_items(data, at, end, length)
        elif length == UNDEFINED_LENGTH:
            raise ValueError
        parts += [data[start : start + 4], pack("<L", _size(length, inside)), *inside]
        at = stop
    return parts, at


def _bare_items(data: bytes, at: int, end: int, length: int) -> tuple[list[bytes], int]:
    parts: list[bytes] = []
    stop = end if length == UNDEFINED_LENGTH else at + length
    while at < stop:
        group, element, size = _header(data, at)
        if group << 16 | element == SEQUENCE_END:
            return [*parts, data[at : at + 8]], at + 8
        delimited = size == UNDEFINED_LENGTH
        inside, after = _without_vrs(data, at + 8, end if delimited else at + 8 + size, delimited=delimited)
        inside += [data[after - 8 : after]] if delimited else []
        parts += [data[at : at + 4], pack("<L", _size(size, inside)), *inside]
        at = after
    return parts, at


def _size(length: int, parts: Sequence[bytes | memoryview]) -> int:
    return length if length == UNDEFINED_LENGTH else sum(map(len, parts))


def _fail() -> bytes:
    raise ValueError


@lru_cache(maxsize=1 << 14)
def _vr(tag: int, creator: bytes | None) -> bytes:
    """VR of a tag; empty if it depends on the pixel representation.

    Raises
    ------
    ValueError
        If it depends on anything else, or the tag belongs in no data set.
    """
    group, element = tag >> 16, tag & 0xFFFF
    if group in (0, 2, 0xFFFE) or (group & 1 and not element):
        raise ValueError
    if tag == PIXEL_DATA:
        return b"OW"
    if not element or (group & 1 and 0x10 <= element <= 0xFF):
        return b"LO" if element else b"UL"
    try:
        name = (creator or b"").decode("latin-1").strip(" \0")
        vr = private_dictionary_VR(tag, name) if group & 1 else dictionary_VR(tag)
    except KeyError:
        return b"UN"
    if vr == "US or SS" and not group & 1:
        return b""
    if len(vr) != 2:
        raise ValueError
    return vr.encode()
