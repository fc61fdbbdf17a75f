"""Whether events kept coming: heartbeats tell a system at rest from one that was silenced."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from lakeward.governance.trail import entries
from lakeward.governance.trail.catalogue import Kind
from lakeward.governance.trail.store import View, Wanted
from lakeward.governance.trail.walk import CLOCK_TOLERANCE
from lakeward.workspace.events import Event

HEARTBEAT = "governance.heartbeat"


class Silence(StrEnum):
    """What a time with no event is."""

    SILENCED = "silenced"
    """Heartbeats came until then, so rest is no reason."""

    UNKNOWN = "silenced or at rest"
    """No heartbeat had come for as long as was allowed."""

    CLOCK = "clock step back"
    """The clock was put back, so nobody knows how long there was no event."""


class Gap(NamedTuple):
    """A time with no event."""

    after: int
    """Number of the event before it."""

    since: datetime
    until: datetime
    what: Silence


def heartbeat() -> Event:
    """Return the event that says: at work, with nothing to tell."""
    return Event(type=HEARTBEAT, object="trail")


def gaps(view: View, since: datetime, until: datetime, longest: timedelta) -> list[Gap]:
    """Return the times with no event that are longer than allowed, up to `until`, from the first event if later.

    Where an event was recorded earlier than the one before it, the clock was put back: that is a gap, too, whose end
    lies before its begin.
    """
    found = []
    last: tuple[int, datetime] | None = None
    for number, recorded in view.times(entries.stamp(since), entries.stamp(until)):
        at = datetime.fromisoformat(recorded)
        before = last or (number - 1, since if number else at)
        if at - before[1] > longest or before[1] - at > CLOCK_TOLERANCE:
            found.append((*before, at))
        last = number, at
    if last is None:
        last = -1, since
    if until - last[1] > longest:
        found.append((*last, until))
    return [Gap(*it, _what(view, it[1], it[2], longest)) for it in found]


def _what(view: View, since: datetime, until: datetime, longest: timedelta) -> Silence:
    if until < since:
        return Silence.CLOCK
    beat = Wanted(kinds=[Kind.HEARTBEAT], since=entries.stamp(since - longest), until=entries.stamp(until))
    return Silence.SILENCED if view.select(beat, by_time=True, limit=1) else Silence.UNKNOWN
