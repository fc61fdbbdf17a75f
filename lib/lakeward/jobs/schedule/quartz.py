"""Quartz cron expressions, which are those of a job's schedule: what they mean, and when they fire next.

Source: Quartz 2.3, CronExpression and its tutorial, to which the Jobs API refers. Quartz passes over what it does not
understand (``MON-FRI/2`` is ``MON-FRI`` to it, ``2#1,4`` is ``2#1``); such an expression is refused here.
"""

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from lakeward.workspace.errors import ConfigurationError

Days = Callable[[int, int], Sequence[int]]
"""From a year and a month to the days of it, ascending."""


@dataclass(frozen=True)
class Field:
    """One of the seven fields: the values that it may have, and the names of these."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    @property
    def value(self) -> str:
        """One value, as a regular expression."""
        return "|".join((r"[0-9]{1,4}", *self.names))

    def number(self, text: str) -> int:
        """Return the value that a number or a name means."""
        number = self.low + self.names.index(text) if text in self.names else int(text)
        if not self.low <= number <= self.high:
            raise self.wrong(text, f"write a number from {self.low} to {self.high}")
        return number

    def wrong(self, text: str, cure: str) -> ConfigurationError:
        """Say what is wrong and what to write instead."""
        return ConfigurationError(f"{text!r} is no {self.name}: {cure}.")


SECOND = Field("second", 0, 59)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY_OF_MONTH = Field("day of month", 1, 31)
MONTH = Field("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"))
DAY_OF_WEEK = Field("day of week", 1, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))
YEAR = Field("year", 1970, 2099)
FURTHEST_FROM_LAST = 30


@dataclass(frozen=True)
class Cron:
    """A schedule; make it with `parse`."""

    expression: str
    zone: ZoneInfo
    seconds: Sequence[int]
    minutes: Sequence[int]
    hours: Sequence[int]
    days: Days
    months: Sequence[int]
    years: Sequence[int]

    @classmethod
    def parse(cls, expression: str, zone: str) -> "Cron":
        """Read an expression.

        Parameters
        ----------
        expression : str
            Second, minute, hour, day of month, month, day of week, and a year if wanted: ``0 30 7 ? * MON-FRI``.
        zone : str
            Time zone by area and city, ``Europe/Berlin``, or ``UTC``.

        Raises
        ------
        ConfigurationError
            If either is wrong; the message tells field, value and cure.
        """
        fields = expression.upper().split()
        try:
            if len(fields) not in (6, 7):
                raise ConfigurationError(
                    f"it has {len(fields)} fields: write second, minute, hour, day of month, month, day of week, "
                    "and a year if wanted."
                )
            second, minute, hour, day, month, weekday, year = (*fields, "*")[:7]
            return cls(
                expression,
                _zone(zone),
                _values(second, SECOND),
                _values(minute, MINUTE),
                _values(hour, HOUR),
                _days(day, weekday),
                _values(month, MONTH),
                _values(year, YEAR),
            )
        except ConfigurationError as error:
            raise ConfigurationError(f"The schedule {expression!r} in {zone!r} is wrong: {error}") from None

    def next(self, after: datetime) -> datetime | None:
        """Return the first time after another, which must be aware of its zone; None if it never fires again.

        As with Quartz, an hour that the clocks skip has no fire times, and of an hour that comes twice only the second
        counts. The answer is in UTC, since times of one zone compare wrongly around a change of its clocks.
        """
        local = after.astimezone(self.zone).replace(tzinfo=None, microsecond=0)
        while found := self._next_local(local):
            fire = found.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
            if fire.astimezone(self.zone).replace(tzinfo=None) == found:
                return fire
            local = found
        return None

    def _next_local(self, after: datetime) -> datetime | None:
        earliest = after + timedelta(seconds=1)
        for day in self._days_from(earliest.date()):
            at = self._time_from(earliest.time() if day == earliest.date() else time.min)
            if at is not None:
                return datetime.combine(day, at)
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in _from(self.years, first.year):
            for month in _from(self.months, first.month if year == first.year else 1):
                this = (year, month) == (first.year, first.month)
                for day in _from(self.days(year, month), first.day if this else 1):
                    yield date(year, month, day)

    def _time_from(self, first: time) -> time | None:
        for hour in _from(self.hours, first.hour):
            if hour > first.hour:
                return time(hour, self.minutes[0], self.seconds[0])
            for minute in _from(self.minutes, first.minute):
                if minute > first.minute:
                    return time(hour, minute, self.seconds[0])
                for second in _from(self.seconds, first.second):
                    return time(hour, minute, second)
        return None


def _from(values: Sequence[int], least: int) -> Sequence[int]:
    return values[bisect_left(values, least) :]


def _zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError("no such time zone is known: write area and city, Europe/Berlin, or UTC.") from None


def _values(text: str, field: Field) -> Sequence[int]:
    """Return all values that a field's text stands for, ascending."""
    return sorted({value for item in text.split(",") for value in _item(item, field)})


def _item(text: str, field: Field) -> Sequence[int]:
    """Return the values of one item of a list: ``*``, ``5``, ``5-9``, ``5/15``, ``5-9/2``, ``*/2``, ``/2``, ``MON``."""
    if found := re.fullmatch(rf"({field.value})(?:-({field.value}))?", text):
        first = field.number(found[1])
        return _span(first, field.number(found[2]) if found[2] else first, 1, field)
    if found := re.fullmatch(r"(?:\*?|([0-9]{1,4})(?:-([0-9]{1,4}))?)/([0-9]{1,4})", text):
        step = int(found[3])
        if not 1 <= step <= field.high:
            raise field.wrong(text, f"write a step from 1 to {field.high}")
        first = field.number(found[1]) if found[1] else field.low
        return _span(first, field.number(found[2]) if found[2] else field.high, step, field)
    if text == "*":
        return range(field.low, field.high + 1)
    what = "* or ? or a value" if field in (DAY_OF_MONTH, DAY_OF_WEEK) else "* or a value"
    raise field.wrong(
        text, f"write {what} from {field.low} to {field.high}, a range 1-5, a step */2 or a list of these"
    )


def _span(first: int, last: int, step: int, field: Field) -> Sequence[int]:
    """Return the values of a range, which goes on at the field's lowest value if its end is before its start."""
    if last < first and field is YEAR:
        raise field.wrong(f"{first}-{last}", "write the earlier year first")
    size = field.high - field.low + 1
    beyond = size if last < first else 0
    return [field.low + (value - field.low) % size for value in range(first, last + beyond + 1, step)]


def _days(day: str, weekday: str) -> Days:
    if (day == "?") == (weekday == "?"):
        raise ConfigurationError(
            f"day of month is {day!r} and day of week {weekday!r}: write ? for one of them, and only for one."
        )
    return _days_of_month(day) if weekday == "?" else _days_of_week(weekday)


def _days_of_month(text: str) -> Days:
    if found := re.fullmatch(r"L(?:-([0-9]{1,2}))?(W?)", text):
        before, near = int(found[1] or 0), found[2]
        if before > FURTHEST_FROM_LAST:
            raise DAY_OF_MONTH.wrong(text, f"write at most {FURTHEST_FROM_LAST} days before the last one, L-3")
        return lambda year, month: _existing(_length(year, month) - before, year, month, bool(near))
    if found := re.fullmatch(r"([0-9]{1,2})W", text):
        number = DAY_OF_MONTH.number(found[1])
        return lambda year, month: _existing(number, year, month, True)
    if re.search("[LW]", text):
        raise DAY_OF_MONTH.wrong(text, "write L, L-3, LW or 15W, each alone and not in a list or a range")
    days = _values(text, DAY_OF_MONTH)
    return lambda year, month: days[: bisect_left(days, _length(year, month) + 1)]


def _existing(day: int, year: int, month: int, weekday: bool) -> Sequence[int]:
    """Return a day if the month has it, or the weekday nearest to it, which lies in the same month."""
    last = _length(year, month)
    if not 1 <= day <= last:
        return []
    if not weekday:
        return [day]
    match date(year, month, day).isoweekday():
        case 6:
            return [day - 1 if day > 1 else day + 2]
        case 7:
            return [day + 1 if day < last else day - 2]
        case _:
            return [day]


def _days_of_week(text: str) -> Days:
    one = f"({DAY_OF_WEEK.value})"
    if text == "L":
        text = "SAT"
    if found := re.fullmatch(f"{one}L", text):
        last = DAY_OF_WEEK.number(found[1])
        return lambda year, month: _weekdays(year, month, last)[-1:]
    if found := re.fullmatch(f"{one}#([1-5])", text):
        number, nth = DAY_OF_WEEK.number(found[1]), int(found[2])
        return lambda year, month: _weekdays(year, month, number)[nth - 1 : nth]
    if "L" in text or "#" in text:
        raise DAY_OF_WEEK.wrong(text, "write L, 6L or FRI#2 (first to fifth), each alone and not in a list or a range")
    numbers = _values(text, DAY_OF_WEEK)
    return lambda year, month: sorted(day for number in numbers for day in _weekdays(year, month, number))


def _weekdays(year: int, month: int, number: int) -> Sequence[int]:
    """Return the days of a month that are a day of the week, 1 for Sunday."""
    first = date(year, month, 1).isoweekday() % 7 + 1
    return range(1 + (number - first) % 7, _length(year, month) + 1, 7)


def _length(year: int, month: int) -> int:
    return monthrange(year, month)[1]
