"""What starts each job by itself and when next, and pausing it here; for commands and pages."""

from dataclasses import dataclass
from typing import Literal

from lakeward.jobs.bundle.bundle import Bundle
from lakeward.jobs.bundle.job import Job
from lakeward.jobs.record.record import Record, home, now
from lakeward.jobs.schedule.daemon import cursor_of, paused
from lakeward.jobs.schedule.kinds import trigger_of
from lakeward.jobs.schedule.times import Times
from lakeward.workspace.errors import Busy, LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.locks import exclusive

Kind = Literal["schedule", "periodic", "file_arrival", "table_update"]


@dataclass(frozen=True)
class Upcoming:
    """When a job starts by itself.

    Attributes
    ----------
    last_fired : int or None
        In milliseconds since 1970, as are the `times`.
    times : list of int
        The next ones; none for a job that is paused, or waits for files or tables.
    trouble : str
        Why it can't start by itself on this machine; empty if it can.
    """

    job: str
    kind: Kind
    paused: bool
    last_fired: int | None
    times: list[int]
    trouble: str = ""


def next_fires(bundle: Bundle, record: Record, count: int = 1) -> list[Upcoming]:
    """Return when the jobs of a bundle start by themselves; those that don't are left out."""
    found = []
    for key, job in bundle.jobs.items():
        if (kind := kind_of(job)) is None:
            continue
        state = record.job(key)
        halted = paused(job, state)
        times: list[int] = []
        trouble = ""
        try:
            trigger = trigger_of(job)
            if isinstance(trigger, Times) and not halted:
                times = trigger.upcoming(cursor_of(state), state.last_fired, now(), count)
        except LakewardError as error:
            trouble = str(error)
        found.append(Upcoming(key, kind, halted, state.last_fired, times, trouble))
    return found


def kind_of(job: Job) -> Kind | None:
    """Return what starts a job by itself, as its file calls it."""
    if job.schedule:
        return "schedule"
    if job.trigger is None:
        return None
    if job.trigger.periodic:
        return "periodic"
    return "file_arrival" if job.trigger.file_arrival else "table_update"


def pause(job: str) -> None:
    """Let a job not start by itself on this machine, whatever its file says."""
    _set_paused(job, True)


def unpause(job: str) -> None:
    """Let a job start by itself on this machine, whatever its file says."""
    _set_paused(job, False)


def _set_paused(job: str, halted: bool) -> None:
    record(Event(type=f"jobs.schedule.{'paused' if halted else 'unpaused'}", object=job))
    Record().set_job(job, paused=halted)


LOCK = "schedule.lock"
"""What the one daemon of a lakehouse holds."""


def is_running() -> bool:
    """Whether a daemon runs for this lakehouse, without which nothing starts by itself."""
    try:
        with exclusive(home() / LOCK, wait_s=0):
            return False
    except Busy:
        return True
