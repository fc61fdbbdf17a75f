"""Dates and times moved by whole days, so that intervals within a patient stay exact.

Formats: PS3.5 6.2 (DA, TM, DT) and the older forms with dots and colons that PS3.5 asks readers to accept.
"""

import re
from datetime import date, timedelta

_DA = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})", re.ASCII)
_TM = re.compile(r"([01]\d|2[0-3])(:?[0-5]\d(:?([0-5]\d|60)(\.\d{1,6})?)?)?", re.ASCII)
_DT = re.compile(
    r"(\d{8})((?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?)?"  # date, time of day
    r"([+-](?:0\d|1[0-4])[0-5]\d)?",  # offset from UTC
    re.ASCII,
)
_OFFSET = re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d", re.ASCII)


def shift_date(value: str, days: int) -> str | None:
    """Move a DA value.

    Parameters
    ----------
    value : str
        One DA value.
    days : int
        Days to add.

    Returns
    -------
    str or None
        The moved date as ``YYYYMMDD``; None if the value is no date or leaves the calendar.
    """
    match = _DA.fullmatch(value.strip())
    if not match:
        return None
    try:
        return (date(*map(int, match.groups())) + timedelta(days)).strftime("%Y%m%d").zfill(8)
    except (ValueError, OverflowError):
        return None


def shift_datetime(value: str, days: int) -> str | None:
    """Move a DT value; its time of day and offset from UTC stay. None if it does not name a full date."""
    match = _DT.fullmatch(value.strip())
    if not match:
        return None
    day = shift_date(match[1], days)
    return None if day is None else day + (match[2] or "") + (match[3] or "")


def shift(vr: str, value: str, days: int) -> str | None:
    """Move one value of a temporal VR; a time of day (TM) stays, since only whole days are added.

    Returns None where the value is not valid for its VR; an empty value stays empty.
    """
    if not value.strip():
        return ""
    if vr == "DA":
        return shift_date(value, days)
    if vr == "DT":
        return shift_datetime(value, days)
    return value.strip() if _TM.fullmatch(value.strip()) else None


def is_offset(value: str) -> bool:
    """Whether a text is an offset from UTC and nothing else (PS3.3 C.12.1.1.8)."""
    return _OFFSET.fullmatch(value.strip("\0 ")) is not None
