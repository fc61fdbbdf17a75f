"""The header of an object as table columns: those people query, typed, and the whole of it as DICOM JSON (PS3.18 F)."""

import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from lakeward.imaging.columns import COLUMNS, HeaderColumn
from lakeward.imaging.deidentification.values import values
from lakeward.imaging.objects.completeness import number_of_frames
from lakeward.imaging.objects.reading import contained
from lakeward.imaging.reasons import Reason

INLINE_CHARACTERS = 1024
"""Binary values up to this length, as base64, stand in the JSON header; longer ones are left out of it."""

_COLUMNS_OF: dict[int, list[HeaderColumn]] = {}
for _column in COLUMNS:
    _COLUMNS_OF.setdefault(int(Tag(_column.keyword)), []).append(_column)
_AGE = int(Tag("PatientAge"))
EMPTY_ROW: dict[str, Any] = dict.fromkeys((*(column.name for column in COLUMNS), "patient_age_years"))
"""The columns of an object that has none of their attributes."""

COLUMN_TAGS = frozenset({*_COLUMNS_OF, _AGE})
"""Tags of the attributes that fill a column of their own."""

_AGE_UNITS = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}


def _date(value: Any) -> date:
    return datetime.strptime(re.sub(r"\D", "", str(value))[:8], "%Y%m%d").date()


def _integer(value: Any) -> int:
    number = float(str(value))
    if not number.is_integer() or abs(number) >= 2**31:
        raise ValueError
    return int(number)


def _real(value: Any) -> float:
    number = float(str(value))
    if not math.isfinite(number):
        raise ValueError
    return number


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "STRING": lambda value: str(value).strip(),
    "INT": _integer,
    "DOUBLE": _real,
    "DATE": _date,
}


def read_column(column: HeaderColumn, found: list[Any]) -> Any:
    """Return a column's value among those of its attribute, or None where it is absent, empty or not of the type."""
    if len(found) <= column.index or str(found[column.index]).strip() == "":
        return None
    try:
        return _CONVERT[column.type](found[column.index])
    except (ValueError, OverflowError, TypeError):
        return None


def columns(ds: Dataset) -> dict[str, Any]:
    """Return the typed columns of a cleaned data set, with those that need more than one attribute."""
    row = {column.name: read_column(column, values(ds.get(column.keyword))) for column in COLUMNS}
    row["patient_age_years"] = age_in_years(str(ds.get("PatientAge") or ""))
    return completed(row, ds)


def completed(row: dict[str, Any], ds: Dataset) -> dict[str, Any]:
    """Add the columns that need more than one attribute; of `ds` only Number of Frames is looked at."""
    row["sop_class"] = UID(row["sop_class_uid"] or "").name or None
    row["number_of_frames"] = number_of_frames(ds) if row["rows"] else None
    return row


def columns_of(tag: int, ds: Dataset) -> dict[str, Any]:
    """Return the columns that one attribute fills."""
    if tag == _AGE:
        return {"patient_age_years": age_in_years(str(ds.get("PatientAge") or ""))}
    return {column.name: read_column(column, values(ds.get(column.keyword))) for column in _COLUMNS_OF.get(tag, ())}


def quick_columns(tag: int, encoded: bytes) -> dict[str, Any] | None:
    """Return the columns that an Explicit VR element fills; None unless it is one of the commonest kinds."""
    texts = _plain_texts(encoded)
    if texts is None:
        return None
    return {column.name: read_column(column, texts) for column in _COLUMNS_OF.get(tag, ())}


def age_in_years(age: str) -> float | None:
    """Return an AS value (PS3.5 6.2) in years, or None if it is none."""
    match = re.fullmatch(r"(\d{3})([DWMY])", age.strip())
    return round(int(match[1]) / _AGE_UNITS[match[2]], 3) if match else None


def as_json(ds: Dataset) -> str:
    """Return the whole header as DICOM JSON; pixels, and other binary values that are long, are left out.

    Values are taken as they are, overlong numbers too. One that JSON has no form for (an infinite number) is null.

    Raises
    ------
    Quarantined
        If a value is not what its VR says.
    """
    with contained(Reason.UNREADABLE), config.disable_value_validation():
        header = Dataset({tag: ds.get_item(tag) for tag in ds.keys() if tag >> 16 != 0x7FE0})
        implicit, little = ds.original_encoding
        header.set_original_encoding(implicit, little, ds.original_character_set)
        model = header.to_json_dict(INLINE_CHARACTERS, _left_out)
        try:
            return _dump(model)
        except ValueError:
            return _dump(json.loads(json.dumps(model), parse_constant=lambda name: None))


_QUICK: dict[bytes, tuple[re.Pattern[bytes], Callable[[str], str]]] = {
    b"UI": (re.compile(rb"[0-9.]{1,64}\0?"), '"{}"'.format),
    b"DS": (re.compile(rb" *[+-]?\d{1,12}(?:\.\d{1,12})? *"), lambda text: repr(float(text))),
    b"IS": (re.compile(rb" *[+-]?\d{1,9} *"), lambda text: str(int(text))),
    b"DA": (re.compile(rb"\d{8}"), '"{}"'.format),
    b"TM": (re.compile(rb"\d{6}(?:\.\d{1,6})? ?"), '"{}"'.format),
}


def quick_json(tag: int, encoded: bytes) -> str | None:
    """Return an Explicit VR element as `as_json` has it; None unless it is one of the commonest kinds."""
    texts = _plain_texts(encoded)
    if texts is None:
        return None
    vr = encoded[4:6]
    _, as_text = _QUICK[vr]
    return f'"{tag:08X}":{{"vr":"{vr.decode()}","Value":[{",".join(map(as_text, texts))}]}}'


def _plain_texts(encoded: bytes) -> list[str] | None:
    """Return the values of an element of which nothing needs to be known but its VR."""
    known = _QUICK.get(encoded[4:6])
    texts = encoded[8:].split(b"\\")
    if known is None or not all(known[0].fullmatch(text) for text in texts):
        return None
    return [text.decode().strip("\0 ") for text in texts]


def _dump(model: Any) -> str:
    return json.dumps(model, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _left_out(element: DataElement) -> str:
    """URI in place of a long binary value; the object itself has it."""
    return f"about:blank#{element.tag:08X}"
