"""What starts a job by itself, in words, for commands and pages."""

import re

from lakeward.jobs.bundle.job import Job, Schedule, Trigger

_DAILY = re.compile(r"^0 (\d+) (\d+) (?:\* \* \?|\? \* \*)$")


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
