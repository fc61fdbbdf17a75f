"""Whether events kept coming: heartbeats tell a system at rest from one that was silenced."""

from datetime import datetime, timedelta
from typing import NamedTuple

from lakeward.governance.trail import entries
from lakeward.governance.trail.store import View
from lakeward.workspace.events import Event

HEARTBEAT = "governance.heartbeat"


class Gap(NamedTuple):
    """A time with no event."""

    after: int
    """Number of the event before it."""

    since: datetime
    until: datetime


def heartbeat() -> Event:
    """Return the event that says: at work, with nothing to tell."""
    return Event(type=HEARTBEAT, object="trail")


def gaps(view: View, since: datetime, until: datetime, longest: timedelta) -> list[Gap]:
    """Return the times with no event that are longer than allowed, up to `until`, from the first event if later."""
    found = []
    last: tuple[int, datetime] | None = None
    for number, recorded in view.times(entries.stamp(since), entries.stamp(until)):
        at = datetime.fromisoformat(recorded)
        before = last or (number - 1, since if number else at)
        if at - before[1] > longest:
            found.append(Gap(before[0], before[1], at))
        last = number, at
    if last and until - last[1] > longest:
        found.append(Gap(*last, until))
    return found if last or until - since <= longest else [Gap(-1, since, until)]
