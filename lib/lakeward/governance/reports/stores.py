"""What a report looks at: the audit trail, people and signatures, Delta tables, for one span of days."""

import calendar
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from lakeward.governance.people.changes import History
from lakeward.governance.people.changes import Told as Known
from lakeward.governance.people.people import People
from lakeward.governance.people.register import told
from lakeward.governance.people.store import Person
from lakeward.governance.people.verify import Finding
from lakeward.governance.people.verify import Verification as Register
from lakeward.governance.people.verify import verify as verify_people
from lakeward.governance.trail import anchors
from lakeward.governance.trail.catalogue import Kind
from lakeward.governance.trail.continuity import Gap, gaps
from lakeward.governance.trail.entries import stamp
from lakeward.governance.trail.errors import NoSuchEvent
from lakeward.governance.trail.query import query
from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.verify import Verification, keys_of
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.rows import select
from lakeward.workspace.settings import settings
from lakeward.workspace.tables import Table

ALLOWED_SILENCE = timedelta(hours=1)

IN_BULK = (Kind.HEARTBEAT, Kind.MODEL_INFERENCE)
"""Kinds of which there may be millions in a month; they are counted only."""

Told = dict[str, Any]
"""An event, as `entries.read` tells it."""


class Period(NamedTuple):
    """Days that a report is about, the first and the last included."""

    first: date
    last: date

    @classmethod
    def month(cls, text: str) -> "Period":
        """Return the days of a month, which is written 2026-11.

        Raises
        ------
        ConfigurationError
            If it is none.
        """
        match = re.fullmatch(r"(\d{4})-(\d{2})", text)
        if not match or not 1 <= int(match[2]) <= 12:
            raise ConfigurationError(f"{text!r} is no month: write it as 2026-11.")
        year, month = int(match[1]), int(match[2])
        return cls(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))

    def __str__(self) -> str:
        """Return the month's name, else the days."""
        if self == Period.month(f"{self.first:%Y-%m}"):
            return f"{self.first:%B %Y}"
        return f"{self.first} to {self.last}"

    @property
    def begin(self) -> datetime:
        """Midnight at which it begins, UTC."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """Midnight at which it ends, UTC."""
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)

    def days(self, until: datetime) -> list[date]:
        """Return its days that are over."""
        stop = min(self.end, until).date()
        return [self.first + timedelta(days=number) for number in range(max((stop - self.first).days, 0))]


class Stores:
    """The lakehouse's stores, each read once.

    Parameters
    ----------
    now : datetime
        When the report is made; nothing later is expected of the stores.
    """

    def __init__(self, period: Period, now: datetime) -> None:
        self.period = period
        self.now = now
        self.until = min(now, period.end)
        self._trail = trail_here()

    @cached_property
    def events(self) -> list[Told]:
        """Events of the period, oldest first, but for those `IN_BULK`."""
        return self._query(self.period.first, self.period.last, tuple(kind for kind in Kind if kind not in IN_BULK))

    @cached_property
    def per_day(self) -> dict[str, int]:
        """How many events of any kind each day of the period had."""
        try:
            with self._trail.view() as view:
                times = view.times(stamp(self.period.begin), stamp(self.period.end))
                return dict(Counter(recorded[:10] for _, recorded in times))
        except NoSuchEvent:
            return {}

    def of(self, *types: str) -> list[Told]:
        """Return the period's events of these types, or of types that begin so (with a dot at the end)."""
        return [event for event in self.events if _is(event["type"], types)]

    def ever(self, *types: str) -> list[Told]:
        """Return the events of these types up to the period's end, whenever they were."""
        return self._query(None, self.period.last, types)

    def since(self, first: date, *types: str) -> list[Told]:
        """Return the events of these types from a day on up to now."""
        return self._query(first, None, types)

    @cached_property
    def verification(self) -> Verification | None:
        """What verifying the whole trail and its anchors finds; None if there is no trail."""
        try:
            return anchors.verified(self._trail)
        except NoSuchEvent:
            return None

    @cached_property
    def keys(self) -> list[str]:
        """The trail's public keys, oldest first."""
        try:
            with self._trail.view() as view:
                return [str(key) for key in keys_of(view)]
        except NoSuchEvent:
            return []

    @cached_property
    def gaps(self) -> list[Gap] | None:
        """Times in the period with no event that were longer than allowed; None if there is no trail."""
        try:
            with self._trail.view() as view:
                return gaps(view, self.period.begin, self.until, ALLOWED_SILENCE)
        except NoSuchEvent:
            return None

    @property
    def folders(self) -> list[Path]:
        """Folders that only their owner may look into: of the trail, of people and approvals, of what came in."""
        return [self._trail.folder, settings().home / "governance", settings().home / "intake"]

    @property
    def unfinished_withdrawals(self) -> int:
        """How many withdrawals of patients were interrupted; what they had to remove lies in the restricted zone."""
        return len(list((settings().home / "intake" / "withdrawals").glob("*")))

    @cached_property
    def has_people(self) -> bool:
        """Whether anybody was ever added."""
        return (settings().home / "governance" / "people.sqlite").exists() and bool(self.people.store.people())

    @cached_property
    def people(self) -> People:
        """People and their signatures."""
        return People(now=self.now.timestamp)

    @cached_property
    def register(self) -> Register | None:
        """What comparing people and signatures with the trail finds; None if nobody was ever added."""
        return verify_people(self.people) if self.has_people else None

    @cached_property
    def told(self) -> History:
        """What the trail tells of each person, in its order."""
        return told()

    def then(self, event: Told) -> Known | None:
        """What the trail tells of who did something, as they were when they did it; None if they were nobody here."""
        return next((it for it in reversed(self.told.get(event["actor"], ())) if it.number < event["sequence"]), None)

    @cached_property
    def active(self) -> list[Person]:
        """People who may come in."""
        return [person for person in self.people.store.people() if person.active] if self.has_people else []

    def rows(self, table: str, columns: Sequence[str], where: str = "true") -> list[dict[str, Any]] | None:
        """Return rows of a Delta table, in order; None if nothing has written it."""
        named = Table(name=table, comment="", columns=[], key=[])
        names = ", ".join(columns)
        return select(f"SELECT {names} FROM {table} WHERE {where} ORDER BY {names}", named)

    def _query(self, first: date | None, last: date | None, types: tuple[str, ...] = ()) -> list[Told]:
        try:
            with self._trail.view() as view:
                return query(view, first, last, types)
        except NoSuchEvent:
            return []


def of_signature(finding: Finding) -> bool:
    """Whether a finding of `Stores.register` is about a signature, not a person."""
    return finding.what == "signature" or "/" in finding.what


def _is(type_: str, wanted: Sequence[str]) -> bool:
    return any(type_ == it or (it.endswith(".") and type_.startswith(it)) for it in wanted)
