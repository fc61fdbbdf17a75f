"""Dates move by whole days; times of day and offsets from UTC stay; what is no date is not guessed at."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeward.imaging.deidentification.temporal import is_offset, shift

days = st.integers(-3650, -1)
dates = st.dates(date(1850, 1, 1), date(2200, 12, 31))


@given(dates, dates, days)
def test_intervals_between_dates_stay_exact(one: date, other: date, by: int) -> None:
    moved = [datetime.strptime(shift("DA", f"{d:%Y%m%d}", by) or "", "%Y%m%d").date() for d in (one, other)]
    assert moved[1] - moved[0] == other - one
    assert moved[0] - one == timedelta(by)


@given(st.datetimes(datetime(1850, 1, 1), datetime(2200, 1, 1)), st.sampled_from(["", "+0130", "-1200"]), days)
def test_a_date_time_keeps_its_time_of_day_and_offset(when: datetime, offset: str, by: int) -> None:
    expected = f"{when + timedelta(by):%Y%m%d%H%M%S.%f}{offset}"
    assert shift("DT", f"{when:%Y%m%d%H%M%S.%f}{offset}", by) == expected


@pytest.mark.parametrize(
    ("vr", "value", "moved"),
    [
        ("DA", "20240301", "20240229"),
        ("DA", "2024.03.01", "20240229"),
        ("DA", " 20240301 ", "20240229"),
        ("DA", "", ""),
        ("DT", "20240301", "20240229"),
        ("DT", "2024030112", "2024022912"),
        ("DT", "20240301-0500", "20240229-0500"),
        ("TM", "235960", "235960"),
        ("TM", "12:30:01.5", "12:30:01.5"),
        ("DA", "00010102", "00010101"),
    ],
)
def test_moves_by_a_day(vr: str, value: str, moved: str) -> None:
    assert shift(vr, value, -1) == moved


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("DA", "20240230"),  # no such day
        ("DA", "00010101"),  # leaves the calendar
        ("DA", "202403"),
        ("DA", "20240101-20240201"),
        ("DA", "٢٠٢٤٠٣٠١"),
        ("DT", "202403"),  # no full date: moving it would not keep intervals
        ("DT", "20240301250000"),
        ("DT", "20240301120000+9900"),
        ("TM", "2400"),
        ("TM", "12 Smith"),
        ("DA", "Smith"),
    ],
)
def test_says_none_of_what_is_no_full_date_or_time(vr: str, value: str) -> None:
    assert shift(vr, value, -1) is None


def test_knows_an_offset_from_utc() -> None:
    assert is_offset("-0500")
    assert not any(map(is_offset, ("0500", "-05000", "Smith", "-9900")))
