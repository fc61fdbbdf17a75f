"""How far a run is, on standard error: a table that changes in a terminal, else a line for each change."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lakeward.jobs.record.record import now
from lakeward.jobs.record.rows import Run, TaskRun

COLORS = {
    "SUCCESS": "green",
    "SUCCESS_WITH_FAILURES": "yellow",
    "RUNNING": "cyan",
    "WAITING_FOR_RETRY": "yellow",
    "FAILED": "red",
    "TIMEDOUT": "red",
    "UPSTREAM_FAILED": "red",
}
Show = Callable[[Run, list[TaskRun]], None]


@contextmanager
def display() -> Iterator[Show]:
    """Return what shows a run's state whenever it is called."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False) as live:
        yield _Table(live)


class _Lines:
    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def __call__(self, run: Run, tasks: list[TaskRun]) -> None:
        for task in tasks:
            state = f"{task.state} {task.state.message}".strip()
            if self._shown.get(name(task)) != state and str(task.state) != "BLOCKED":
                self._shown[name(task)] = state
                clock = time.strftime("%H:%M:%S")
                print(f"{clock}  {name(task)}: {state}{_after(task)}", file=sys.stderr, flush=True)


class _Table:
    def __init__(self, live: Any) -> None:
        self._live = live

    def __call__(self, run: Run, tasks: list[TaskRun]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table("task", "state", "tries", "time", box=None, header_style="bold", padding=(0, 2, 0, 0))
        for task in tasks:
            state = Text(str(task.state), COLORS.get(str(task.state), "dim"))
            table.add_row(Text(name(task)), state, str(task.attempts or ""), duration(task.started, task.ended))
        table.title = Text(f"{run.name}: run {run.run_id}")
        self._live.update(table, refresh=True)


def name(task: TaskRun) -> str:
    """Return a task's key, with the number of its iteration if it is in a loop."""
    return task.task if task.iteration is None else f"{task.task}.{task.iteration}"


def duration(started: int | None, ended: int | None) -> str:
    """Return how long something took, or takes."""
    if started is None:
        return ""
    seconds = ((ended or now()) - started) / 1000
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def _after(task: TaskRun) -> str:
    return f" after {duration(task.started, task.ended)}" if task.started and task.ended else ""
