"""Values by VR: whether a kept one is what its VR says, and a dummy where one is needed (PS3.5 6.2)."""

import re
from collections.abc import MutableSequence
from typing import Any

from lakeward.imaging.deidentification.pseudonyms import Pseudonyms

TEXT = frozenset({"LO", "SH", "LT", "ST", "UT", "UC"})
TEMPORAL = frozenset({"DA", "DT", "TM"})
NUMERIC_BINARY = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "AT": 4, "FL": 4, "FD": 8, "UV": 8, "SV": 8}
"""VRs of binary numbers, with the length of one value in bytes."""
BINARY = frozenset({"OB", "OW", "OF", "OD", "OL", "OV"})

_PATTERNS = {
    "AE": rb"[\x20-\x5b\x5d-\x7e]{0,16}",
    "AS": rb"\d{3}[DWMY]",
    "CS": rb"[A-Za-z0-9 _./+-]{0,16}",
    "DA": rb"\d{4}\.?\d{2}\.?\d{2}",
    "DS": rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?",
    "DT": rb"\d{4,14}(?:\.\d{1,6})?(?:[+-]\d{4})?",
    "IS": rb"[+-]?\d{1,12}",
    "TM": rb"\d{2}(?::?\d{2}(?::?\d{2}(?:\.\d{1,6})?)?)?",
    "UI": rb"[0-9.]{0,64}",
}
FORMATTED = frozenset(_PATTERNS) | {"PN"}
"""VRs of texts that have a form, and names: what the dictionary says of these goes over what a data set says."""

# Possessive, so that a hostile value costs no more than its length.
_VALID = {
    vr: re.compile(rb"[ \0]*+(?:%s)?+[ \0]*+(?:\\[ \0]*+(?:%s)?+[ \0]*+)*+" % (p, p)) for vr, p in _PATTERNS.items()
}
_DUMMIES: dict[str, Any] = {
    **{"AE": "REMOVED", "AS": "000Y", "CS": "REMOVED", "DA": "19000101", "DT": "19000101000000", "TM": "000000"},
    **{"LT": "Removed", "ST": "Removed", "UT": "Removed", "UR": "urn:removed", "DS": "0", "IS": "0"},
    **dict.fromkeys(("US", "SS", "UL", "SL", "UV", "SV", "AT"), 0),
    **dict.fromkeys(("FL", "FD"), 0.0),
}


def has_form(vr: str) -> bool:
    """Whether `is_valid` looks at values of this VR."""
    return vr in _VALID


def is_valid(vr: str, raw: bytes) -> bool:
    """Whether encoded values are of their VR's form, so that no free text hides in them.

    Only VRs with a form are looked at: AE, AS, CS, DA, DS, DT, IS, TM and UI. Lower case and a few marks are let pass
    in CS, and overlong numbers in DS and IS, since scanners write them.

    Parameters
    ----------
    vr : str
        The VR that the element should have.
    raw : bytes
        Its value field.
    """
    pattern = _VALID.get(vr)
    return pattern is None or pattern.fullmatch(raw) is not None


def dummy(vr: str, original: Any, pseudonyms: Pseudonyms) -> Any:
    """Return a value of a VR that says nothing, for action D.

    Texts become keyed stand-ins, so that equal originals stay equal; numbers become zeros, as many as there were.
    """
    if vr == "UI":
        return pseudonyms.uid(str(first(original)))
    if vr in ("LO", "SH", "PN", "UC"):
        return pseudonyms.text(str(original))
    if vr in NUMERIC_BINARY or vr in ("DS", "IS"):
        return [_DUMMIES[vr]] * max(1, len(values(original)))
    return _DUMMIES.get(vr, b"\0" * 8)


def values(value: Any) -> list[Any]:
    """Return the values of an element as a list, whatever its multiplicity; a person's name is one value."""
    if value is None or value in ("", b""):
        return []
    return list(value) if isinstance(value, MutableSequence) else [value]


def first(value: Any) -> Any:
    """Return the first of an element's values, or an empty text."""
    return next(iter(values(value)), "")
