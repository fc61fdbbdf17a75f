"""DICOM PS3.15 Table E.1-1: what the Basic Profile and each of its options do with an attribute.

The table is that of edition 2026c. Its option columns are known as of 2024e; the rows that are new since then have no
option entry here, so they take the Basic Profile's action whatever the options say, which is the stricter reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, cast

from lakeward.imaging.deidentification.standard import _csv
from lakeward.imaging.deidentification.standard.options import Option

EDITION = "PS3.15 2026c"

BasicAction = Literal["D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"]
OptionAction = Literal["K", "C"]

PRIVATE = "ggggeeee"


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute, or group of attributes, of Table E.1-1.

    Parameters
    ----------
    tag : str
        Eight upper-case hex digits; ``x`` for any digit in repeating groups (``60xx3000``, ``50xxxxxx``); ``ggggeeee``
        for the row of private attributes.
    keyword : str
        Keyword as in PS3.6; empty where the row stands for several attributes, or the keyword isn't known.
    name : str
        Name as the table gives it.
    basic : str
        Action code of the Basic Profile. A pair such as ``X/Z`` depends on the attribute's Type in its IOD.
    options : Mapping[Option, str]
        Action code (K keep, C clean) of each option that says something on this row; it overrides ``basic``.

    """

    tag: str
    keyword: str
    name: str
    basic: BasicAction
    options: Mapping[Option, OptionAction]


@cache
def confidentiality_table() -> Mapping[str, Row]:
    """Return the whole table by tag, as written in ``Row.tag``."""
    return MappingProxyType({row["tag"]: _row(row) for row in _csv.read("confidentiality.csv")})


def lookup(tag: int) -> Row | None:
    """Return the row that covers a tag.

    Parameters
    ----------
    tag : int
        Group and element number, such as ``0x00100010`` (a pydicom ``BaseTag`` will do).

    Returns
    -------
    Row or None
        The row of this very tag, else of its repeating group (curves 50xx, overlays 60xx), else, where the group is
        odd, that of private attributes; None where the table says nothing.

    """
    rows = _by_number()
    if tag in rows:
        return rows[tag]
    if tag >> 16 & 1:
        return rows[_ODD]
    if tag >> 24 == 0x50:
        return rows[_CURVE]
    if tag >> 24 == 0x60:
        return rows.get(_OVERLAY | tag & 0xFFFF)
    return None


# Rows of many tags are filed under numbers that no tag can have.
_ODD = 1 << 32
_CURVE = 2 << 32
_OVERLAY = 3 << 32


@cache
def _by_number() -> dict[int, Row]:
    return {_number(tag): row for tag, row in confidentiality_table().items()}


def _number(tag: str) -> int:
    if tag == PRIVATE:
        return _ODD
    if tag == "50xxxxxx":
        return _CURVE
    if tag.startswith("60xx"):
        return _OVERLAY | int(tag[4:], 16)
    return int(tag, 16)


def _row(row: Mapping[str, str]) -> Row:
    return Row(
        tag=row["tag"],
        keyword=row["keyword"],
        name=row["name"],
        basic=cast(BasicAction, row["basic"]),
        options=MappingProxyType({option: cast(OptionAction, row[option]) for option in Option if row.get(option)}),
    )
