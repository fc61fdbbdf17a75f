"""Triggers that are times: a cron expression, or a fixed interval.

A fire time that is less than a minute past is still fired for, once, however many were missed; older ones are not made
up (Databricks: a scheduled job runs late when its service was away for a short while).
"""

from datetime import UTC, datetime

from lakeward.jobs.bundle.job import Periodic, Schedule
from lakeward.jobs.record.states import Started
from lakeward.jobs.schedule.quartz import Cron
from lakeward.jobs.schedule.trigger import Cursor, Look

LATEST_MS = 60_000
"""How late a fire time may be."""
LEAST_MS = 10_000
"""Shortest time between two runs of a schedule, whatever its expression says (Databricks, Run jobs on a schedule)."""

_UNITS_MS = {"MINUTES": 60_000, "HOURS": 3_600_000, "DAYS": 86_400_000, "WEEKS": 604_800_000}


class Times:
    """Base of both; the cursor is the last fire time, or when it was first asked."""

    started_by = Started.PERIODIC
    every_ms = 0
    remembers = False

    def after(self, at: int, since: int, last_fired: int | None) -> int | None:
        """Return the first fire time after `at`, of a trigger that counts from `since`."""
        raise NotImplementedError

    def look(self, cursor: Cursor, last_fired: int | None, now: int) -> Look:
        """Fire for the last of the fire times that have come."""
        if "since" not in cursor:
            return Look({"since": now})
        since = cursor["since"]
        found, probe = None, max(since, now - LATEST_MS)
        while (following := self.after(probe, since, last_fired)) is not None and following <= now:
            found = probe = following
        return Look({"since": found}, found) if found else Look(cursor)

    def missed(self, cursor: Cursor, last_fired: int | None, now: int) -> int | None:
        """Return the first fire time that is too long past to be made up."""
        if "since" not in cursor:
            return None
        first = self.after(cursor["since"], cursor["since"], last_fired)
        return first if first is not None and first <= now - LATEST_MS else None

    def upcoming(self, cursor: Cursor, last_fired: int | None, now: int, count: int) -> list[int]:
        """Return the next fire times."""
        since, probe = cursor.get("since", now), now
        found: list[int] = []
        while len(found) < count and (probe_or_none := self.after(probe, since, last_fired)) is not None:
            probe = last_fired = probe_or_none
            found.append(probe)
        return found


class CronTimes(Times):
    """The fire times of a cron expression."""

    def __init__(self, schedule: Schedule) -> None:
        self._cron = Cron.parse(schedule.quartz_cron_expression, schedule.timezone_id)

    def after(self, at: int, since: int, last_fired: int | None) -> int | None:
        """See `Times`."""
        earliest = at if last_fired is None else max(at, last_fired + LEAST_MS - 1)
        found = self._cron.next(datetime.fromtimestamp(earliest / 1000, UTC))
        return None if found is None else int(found.timestamp()) * 1000


class Interval(Times):
    """Fire times in equal distances, the first after one of them has passed."""

    def __init__(self, periodic: Periodic) -> None:
        self._length = periodic.interval * _UNITS_MS[periodic.unit]

    def after(self, at: int, since: int, last_fired: int | None) -> int | None:
        """See `Times`."""
        return since + (max(at - since, 0) // self._length + 1) * self._length
