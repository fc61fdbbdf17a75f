"""The daemon: looks at the triggers of a bundle's jobs, and starts what is due.

Each start goes in three steps, so that a kill at any moment neither forgets one nor makes two of it:

1. The record gets the time of the start, what the trigger has seen, and a mark that the start is under way, at once.
2. The run is started, which the record shows as a run of the job, made after that time.
3. The mark goes.

A daemon that finds the mark looks for the run, for as long as one may need to show up: if it is there, only the mark is
missing; if not, the job is started now, late. A time of a schedule that is a minute past is given up instead.
"""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from lakeward.jobs.bundle.bundle import Bundle
from lakeward.jobs.bundle.job import Job
from lakeward.jobs.bundle.reading import state_of
from lakeward.jobs.record.record import Record, now
from lakeward.jobs.record.rows import JobState
from lakeward.jobs.record.states import Started
from lakeward.jobs.schedule.kinds import trigger_of
from lakeward.jobs.schedule.times import LATEST_MS, Times
from lakeward.jobs.schedule.trigger import Cursor, Trigger
from lakeward.workspace.errors import LakewardError

SHOWS_UP_MS = 20_000
"""How long a run that was started may take to show up in the record."""
AT_ONCE = 4
"""How many runs are being started at the same time."""
_PAUSE_S = 0.5
_RELOAD_MS = 2_000

Launch = Callable[[Bundle, str, Started], int]
"""Starts a run of a job, and returns its number when the record has it."""
Say = Callable[[Mapping[str, Any]], None]
"""Tells a person or a program: what happened, and to which job."""


@dataclass
class _Watched:
    """A job with its trigger, and when to ask it again."""

    key: str
    job: Job
    trigger: Trigger
    again: int = 0
    trouble: str = ""


def paused(job: Job, state: JobState) -> bool:
    """Whether a job is not to be started by itself: what a person said here, else what its file says."""
    starts = job.schedule or job.trigger
    return state.paused if state.paused is not None else bool(starts and starts.pause_status == "PAUSED")


def cursor_of(state: JobState) -> Cursor:
    """Return what a job's trigger has seen."""
    return dict(json.loads(state.cursor)["seen"]) if state.cursor else {}


class Daemon:
    """Looks at the triggers of a bundle's jobs, for as long as it runs.

    Parameters
    ----------
    load : callable
        Reads the bundle; called again when one of its files has changed.
    """

    def __init__(self, load: Callable[[], Bundle], launch: Launch, record: Record, say: Say) -> None:
        self._load, self._launch, self._record, self._say = load, launch, record, say
        self._starting: dict[str, Future[None]] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="start")
        self._watched: dict[str, _Watched] = {}
        self._bundle = load()
        self._files = state_of(self._bundle.root)
        self._again = 0
        self._watch()
        self._tell_missed(now())

    def run(self) -> None:
        """Look again and again, until the process is told to stop."""
        try:
            while True:
                self.look(now())
                time.sleep(_PAUSE_S)
        finally:
            self.wait()

    def wait(self) -> None:
        """Wait for the runs that are being started."""
        wait(self._starting.values())

    def look(self, at: int) -> None:
        """Read the bundle again if it has changed, and start what is due at a time, in milliseconds since 1970."""
        if at >= self._again:
            self._again = at + _RELOAD_MS
            self._reload()
        for key, start in list(self._starting.items()):
            if start.done():
                del self._starting[key]
        for watched in self._watched.values():
            if at >= watched.again and watched.key not in self._starting:
                watched.again = at + watched.trigger.every_ms
                self._look_at(watched, at)

    def _look_at(self, watched: _Watched, at: int) -> None:
        state = self._record.job(watched.key)
        if under_way := _under_way(state):
            self._take_up(watched, state, under_way, at)
            return
        halted = paused(watched.job, state)
        if halted and watched.trigger.remembers:
            return
        before = cursor_of(state)
        try:
            found = watched.trigger.look(before, state.last_fired, at)
        except (LakewardError, OSError) as error:
            self._trouble(watched, error)
            return
        watched.trouble = ""
        if found.at is not None and not halted:
            self._fire(watched, found.at, found.cursor)
        elif found.cursor != before:
            self._record.set_job(watched.key, cursor=_text(found.cursor))

    def _fire(self, watched: _Watched, fired: int, seen: Cursor) -> None:
        self._record.set_job(watched.key, last_fired=fired, cursor=_text(seen, now()))
        self._starting[watched.key] = self._pool.submit(self._start, watched, seen)

    def _start(self, watched: _Watched, seen: Cursor) -> None:
        told: dict[str, Any] = {"job": watched.key, "by": str(watched.trigger.started_by)}
        try:
            told |= {"event": "started", "run_id": self._launch(self._bundle, watched.key, watched.trigger.started_by)}
        except LakewardError as error:
            told |= {"event": "not started", "reason": str(error)}
        except Exception as error:  # the other jobs go on; its text may hold anything
            told |= {"event": "not started", "reason": type(error).__name__}
        self._record.set_job(watched.key, cursor=_text(seen))
        self._say(told)

    def _take_up(self, watched: _Watched, state: JobState, since: int, at: int) -> None:
        """Go on where a daemon that was killed left off."""
        runs = self._record.runs(watched.key, limit=50)
        if any(run.created >= since and run.started_by == watched.trigger.started_by for run in runs):
            self._record.set_job(watched.key, cursor=_text(cursor_of(state)))
        elif at - since >= SHOWS_UP_MS and not paused(watched.job, state):
            if isinstance(watched.trigger, Times) and at - (state.last_fired or since) > LATEST_MS:
                self._record.set_job(watched.key, cursor=_text(cursor_of(state)))
                self._say({"event": "missed", "job": watched.key, "at": state.last_fired})
            else:
                self._fire(watched, state.last_fired or at, cursor_of(state))

    def _reload(self) -> None:
        files = state_of(self._bundle.root)
        if files == self._files:
            return
        self._files = files
        try:
            self._bundle = self._load()
        except LakewardError as error:
            self._say({"event": "bundle refused", "reason": f"{error}\nThe jobs stay as they were read before."})
            return
        self._watch()
        self._say({"event": "bundle read again", "jobs": len(self._bundle.jobs)})

    def _watch(self) -> None:
        self._watched = {}
        for key, job in self._bundle.jobs.items():
            try:
                trigger = trigger_of(job)
            except LakewardError as error:
                self._say({"event": "not watched", "job": key, "reason": str(error)})
                continue
            if trigger:
                self._watched[key] = _Watched(key, job, trigger)

    def _tell_missed(self, at: int) -> None:
        for watched in self._watched.values():
            state = self._record.job(watched.key)
            if isinstance(watched.trigger, Times) and not paused(watched.job, state):
                missed = watched.trigger.missed(cursor_of(state), state.last_fired, at)
                if missed is not None:
                    self._say({"event": "missed", "job": watched.key, "at": missed})

    def _trouble(self, watched: _Watched, error: LakewardError | OSError) -> None:
        """Tell what keeps a trigger from looking, once; an error of the system's may quote a file's name."""
        trouble = str(error) if isinstance(error, LakewardError) else error.strerror or type(error).__name__
        if trouble != watched.trouble:
            self._say({"event": "not watched", "job": watched.key, "reason": trouble})
        watched.trouble = trouble


def _text(seen: Cursor, under_way: int | None = None) -> str:
    return json.dumps({"seen": seen, "under_way": under_way})


def _under_way(state: JobState) -> int | None:
    return json.loads(state.cursor)["under_way"] if state.cursor else None
