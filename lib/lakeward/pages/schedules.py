"""When a job runs by itself."""

import re
from datetime import UTC, datetime

from lakeward.jobs.bundle.job import Job, Schedule, Trigger
from lakeward.jobs.record.rows import JobState
from lakeward.jobs.schedule.quartz import Cron

_DAILY = re.compile(r"^0 (\d+) (\d+) (?:\* \* \?|\? \* \*)$")


def paused(job: Job, state: JobState) -> bool:
    """Whether it does not at present: as somebody has said here, else as its file says."""
    start = job.schedule or job.trigger
    if start is None:
        return False
    return start.pause_status == "PAUSED" if state.paused is None else state.paused


def told(job: Job) -> str:
    """Return what starts it, in words."""
    match job.schedule or job.trigger:
        case Schedule(quartz_cron_expression=expression, timezone_id=zone):
            return f"{_DAILY.sub(_time, expression)}, {zone}"
        case Trigger(periodic=periodic) if periodic:
            unit = periodic.unit.lower()
            return f"every {unit[:-1]}" if periodic.interval == 1 else f"every {periodic.interval} {unit}"
        case Trigger(file_arrival=arrival) if arrival:
            return f"new files in {arrival.url}"
        case Trigger(table_update=update) if update:
            return f"new versions of {', '.join(update.table_names)}"
        case _:
            return ""


def _time(match: re.Match[str]) -> str:
    return f"daily at {int(match[2]):02}:{int(match[1]):02}"


def next_fire(job: Job, state: JobState) -> int | None:
    """Return when it starts next, in ms; None if nobody can know, or it is paused."""
    if paused(job, state):
        return None
    if job.schedule:
        cron = Cron.parse(job.schedule.quartz_cron_expression, job.schedule.timezone_id)
        fires = cron.next(datetime.now(UTC))
        return round(fires.timestamp() * 1000) if fires else None
    return None
