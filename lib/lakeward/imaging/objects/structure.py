"""A strict walk over the bytes of a data set, before pydicom sees them.

pydicom forgives: it returns short values at the end of a file, stops at stray delimiters, lets the last element of an
item run past the item. That is right for a viewer and wrong for a gate. The walk follows every length in the file,
holds each against its container, and writes down what it met, so that what pydicom returns can be compared with it.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import private_dictionary_VR
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, VR

from lakeward.imaging.reasons import Quarantined, Reason

UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
META_LENGTH = 0x00020000
TRANSFER_SYNTAX = 0x00020010
DEFLATED = str(DeflatedExplicitVRLittleEndian).encode()

SEQUENCE_MARK = 1 << 32
"""Added to the tag of an element in ``Walk.tags`` that holds items."""

_SEQUENCE_TAGS = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == VR.SQ)
_LONG_VRS = frozenset(str(vr).encode() for vr in EXPLICIT_VR_LENGTH_32)
_SHORT_VRS = frozenset(str(vr).encode() for vr in VR if len(vr) == 2) - _LONG_VRS
_LONGEST_REINTERPRETED_UN = 0xFFFF  # pydicom takes a longer public UN value as it is


@dataclass(frozen=True)
class Fragments:
    """Encapsulated pixel data: where each fragment's item starts, from the first one on, and the basic offset table."""

    starts: tuple[int, ...]
    offset_table: bytes


@dataclass
class Walk:
    """Everything met on the way over one data set.

    Parameters
    ----------
    data : bytes
        The file, or the inflated data set.
    little : bool
        Byte order.
    max_depth, max_elements : int
        Bounds on nested sequences and on elements, items included.

    Attributes
    ----------
    tags : array of int
        Tags in the order of the file, items included; those of sequences carry `SEQUENCE_MARK`.
    fragments : Fragments or None
        Of the top level's pixel data, where it is encapsulated.
    """

    data: bytes
    little: bool
    max_depth: int
    max_elements: int
    tags: "array[int]" = field(default_factory=lambda: array("Q"))
    fragments: Fragments | None = None
    _count: int = 0

    def __post_init__(self) -> None:
        order = "<" if self.little else ">"
        self._explicit = Struct(order + "HH2sH").unpack_from
        self._implicit = Struct(order + "HHL").unpack_from
        self._long = Struct(order + "L").unpack_from
        self._end_of_file = len(self.data)

    def meta(self, start: int) -> int:
        """Walk group 0002 and return where the data set starts.

        Its stated length isn't trusted, except to tell a deflated data set from one more element.
        """
        at = start
        stated_end = None
        seen: set[int] = set()
        implicit = not looks_explicit(self.data[at + 4 : at + 6])
        while self.data[at : at + 2] == b"\x02\x00" and at != stated_end:
            tag, _, length, value = self._header(at, self._end_of_file, implicit)
            if tag in seen or length == UNDEFINED_LENGTH:
                raise Quarantined(Reason.UNREADABLE, "file meta information that contradicts itself")
            seen.add(tag)
            self._note(tag)
            at = value + length
            if at > self._end_of_file:
                raise self._overrun(at, tag)
            if tag == TRANSFER_SYNTAX and self.data[value:at].strip(b"\0 ") == DEFLATED:
                stated_end = self._stated_end_of_meta(start)
        return at

    def _stated_end_of_meta(self, start: int) -> int | None:
        tag, _, length, value = self._header(start, self._end_of_file, implicit=False)
        return value + length + int(self._long(self.data, value)[0]) if (tag, length) == (META_LENGTH, 4) else None

    def data_set(self, start: int, end: int, implicit: bool, depth: int = 0, delimited: bool = False) -> int:
        """Walk one data set and return where it ended.

        Parameters
        ----------
        start, end : int
            Offsets; `end` is the bound of the container.
        implicit : bool
            Whether the VRs are left out.
        depth : int
            0 for the whole object.
        delimited : bool
            Whether an item delimiter must end it (an item of undefined length).

        Raises
        ------
        Quarantined
            If anything in it contradicts itself or the limits.
        """
        if depth > self.max_depth:
            raise Quarantined(Reason.TOO_DEEP, f"deeper than {self.max_depth}")
        at = start
        seen: set[int] = set()
        creators: dict[int, bytes] = {}
        while at < end:
            if depth == 0 and self._only_zeros(at, end):
                return at  # they fill up a block of a tape or disk
            tag, vr, length, value = self._header(at, end, implicit)
            if tag == ITEM_END and delimited:
                return at + 8
            self._check_tag(tag, seen)
            holds_items = self._holds_items(tag, vr, length, value, creators)
            self._note(tag | SEQUENCE_MARK if holds_items else tag)
            if length == UNDEFINED_LENGTH:
                at = self._undefined(tag, value, end, implicit, depth, holds_items)
                continue
            at = value + length
            if at > end:
                raise self._overrun(at, tag)
            if holds_items:
                self._items(value, at, implicit, depth, delimited=False)
            elif tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
                creators[tag] = self.data[value:at]
        if delimited:
            raise self._cut("an item without its end", end)
        return at

    def delimited(self, tag: int, vr: str, value: int) -> int:
        """Walk an explicit element of the top level that has no stated length, and return where it ends.

        Raises
        ------
        ValueError
            If it is neither a sequence nor pixel data.
        Quarantined
            As `data_set`.
        """
        if vr != "SQ" and tag != PIXEL_DATA:
            raise ValueError
        return self._undefined(tag, value, self._end_of_file, implicit=False, depth=0, holds_items=vr == "SQ")

    def _only_zeros(self, at: int, end: int) -> bool:
        return not self.data[at : at + 8].strip(b"\0") and self.data.count(0, at, end) == end - at

    def _header(self, at: int, end: int, implicit: bool) -> tuple[int, bytes | None, int, int]:
        """Return tag, VR (None where it is implicit), length, and the offset of the value."""
        if end - at < 8:
            raise self._cut("an element without its header", end)
        if not implicit:
            group, element, vr, length = self._explicit(self.data, at)
            if vr in _SHORT_VRS:
                return group << 16 | element, vr, length, at + 8
            if vr in _LONG_VRS:
                if end - at < 12:
                    raise self._cut("an element without its header", end)
                return group << 16 | element, vr, self._long(self.data, at + 8)[0], at + 12
            if b"AA" <= vr <= b"ZZ":
                raise Quarantined(Reason.UNREADABLE, f"an unknown VR at {_name(group << 16 | element)}")
        group, element, length = self._implicit(self.data, at)
        return group << 16 | element, None, length, at + 8

    def _check_tag(self, tag: int, seen: set[int]) -> None:
        group = tag >> 16
        if group == 0xFFFE:
            raise Quarantined(Reason.UNREADABLE, "a delimiter that ends nothing")
        if group in (0, 2):
            raise Quarantined(Reason.UNREADABLE, f"an element of group {group:04X} in the data set")
        if tag in seen:
            raise Quarantined(Reason.UNREADABLE, f"{_name(tag)} twice in one data set")
        seen.add(tag)

    def _holds_items(self, tag: int, vr: bytes | None, length: int, value: int, creators: Mapping[int, bytes]) -> bool:
        """Decide as pydicom does (PS3.5 6.2.2 for UN), so that the walk and pydicom go down the same paths."""
        if vr == b"SQ":
            return True
        if vr is not None and vr != b"UN":
            return False
        if length == UNDEFINED_LENGTH and (vr or (self._tag(value) == ITEM and tag not in DicomDictionary)):
            return True
        if tag >> 16 & 1:
            creator = creators.get(tag & 0xFFFF0000 | (tag & 0xFF00) >> 8)
            return creator is not None and length > 0 and _private_sequence(tag, creator)
        return tag in _SEQUENCE_TAGS and (vr is None or length < _LONGEST_REINTERPRETED_UN)

    def _undefined(self, tag: int, value: int, end: int, implicit: bool, depth: int, holds_items: bool) -> int:
        if holds_items:
            return self._items(value, end, implicit, depth, delimited=True)
        return self._fragments(value, end, keep=depth == 0 and tag == PIXEL_DATA)

    def _items(self, at: int, end: int, implicit: bool, depth: int, delimited: bool) -> int:
        while at < end:
            tag, length = self._item_header(at, end)
            if tag == SEQUENCE_END and delimited:
                return at + 8
            if tag != ITEM:
                raise Quarantined(Reason.UNREADABLE, "something other than an item in a sequence")
            self._note(ITEM)
            at += 8
            # An explicit data set may hold implicit items: PS3.5 6.2.2, and writers that mix them up.
            item_implicit = implicit or not looks_explicit(self.data[at + 4 : at + 6])
            if length == UNDEFINED_LENGTH:
                at = self.data_set(at, end, item_implicit, depth + 1, delimited=True)
                continue
            if at + length > end:
                raise self._overrun(at + length, ITEM)
            self.data_set(at, at + length, item_implicit, depth + 1)
            at += length
        if delimited:
            raise self._cut("a sequence without its end", end)
        return at

    def _fragments(self, at: int, end: int, keep: bool) -> int:
        """Walk encapsulated values (PS3.5 A.4): the basic offset table, then fragments, then the delimiter."""
        starts: list[int] = []
        table: tuple[int, int] | None = None
        while at < end:
            tag, length = self._item_header(at, end)
            if tag == SEQUENCE_END:
                if keep and table:
                    self.fragments = Fragments(tuple(starts), self.data[slice(*table)])
                return at + 8
            if tag != ITEM or length == UNDEFINED_LENGTH:
                raise Quarantined(Reason.UNREADABLE, "encapsulated data are not a row of fragments")
            self._count_one()
            if table is None:
                table = (at + 8, at + 8 + length)
            else:
                starts.append(at - table[1])
            at += 8 + length
            if at > end:
                raise self._overrun(at, ITEM)
        raise self._cut("encapsulated data without their end", end)

    def _item_header(self, at: int, end: int) -> tuple[int, int]:
        if end - at < 8:
            raise self._cut("an item without its header", end)
        group, element, length = self._implicit(self.data, at)
        return group << 16 | element, length

    def _tag(self, at: int) -> int:
        if at + 8 > self._end_of_file:
            return 0
        group, element, _ = self._implicit(self.data, at)
        return int(group << 16 | element)

    def _note(self, tag: int) -> None:
        self.tags.append(tag)
        self._count_one()

    def _count_one(self) -> None:
        self._count += 1
        if self._count > self.max_elements:
            raise Quarantined(Reason.TOO_MANY_ELEMENTS, f"more than {self.max_elements}")

    def _overrun(self, stop: int, tag: int) -> Quarantined:
        if stop > self._end_of_file:
            return Quarantined(Reason.TRUNCATED, f"{_name(tag)} goes on past the end of the file")
        return Quarantined(Reason.UNREADABLE, f"{_name(tag)} is longer than what holds it")

    def _cut(self, what: str, end: int) -> Quarantined:
        return Quarantined(Reason.TRUNCATED if end == self._end_of_file else Reason.UNREADABLE, what)


def _name(tag: int) -> str:
    """Name only tags of the standard: where a file is out of step, a 'tag' may be four letters of somebody's name."""
    if tag == ITEM:
        return "an item"
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})" if tag in DicomDictionary else "an element outside the dictionary"


def looks_explicit(vr: bytes) -> bool:
    """Whether the two bytes after an element's tag are a VR; as a length, two capitals would be 16 KiB or more."""
    return len(vr) < 2 or (0x40 < vr[0] < 0x5B and 0x40 < vr[1] < 0x5B)


@lru_cache(maxsize=4096)
def _private_sequence(tag: int, creator: bytes) -> bool:
    try:
        return private_dictionary_VR(tag, creator.decode("latin-1").strip(" \0")) == VR.SQ
    except KeyError:
        return False
