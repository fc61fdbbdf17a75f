"""One run: how far it is, what failed and why, what it wrote, and its tasks with their archives."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Attempt, TaskRun
from lakeward.jobs.runner.cancel import cancel
from lakeward.jobs.runner.launch import launch_repair
from lakeward.pages import states
from lakeward.pages.drawings import of_run, timeline
from lakeward.pages.rendering import page, redirect
from lakeward.pages.security import ARCHIVE_POLICY, FRAMED_ARCHIVE_POLICY, Form
from lakeward.pages.site import Here, NotFound

router = APIRouter()

_TAIL = 64 * 1024
_BROKEN = ("failed", "timedout")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f]")
"""Colors and movements for a terminal."""


@router.get("/runs/{run_id}", name="run")
def show_run(request: Request, site: Here, run_id: int) -> Response:
    """Show a run."""
    record = site.record()
    run, tasks, attempts = record.run(run_id), record.tasks(run_id), record.attempts(run_id)
    return page(
        request,
        "run.html",
        run=run,
        tasks=tasks,
        counts=_counts(tasks),
        graph=of_run(run, tasks),
        timeline=timeline(run, tasks, attempts),
        failures=_failures(tasks, attempts),
        writes=_versions((attempt.writes for attempt in attempts), max),
        reads=_versions((attempt.reads for attempt in attempts), min),
        mlflow_runs=[one for attempt in attempts for one in attempt.mlflow_runs],
        log=_tail(record, run.folder / "log.txt"),
        tables=site.table_names(),
    )


@router.post("/runs/{run_id}/repair", name="repair")
def repair_run(request: Request, site: Here, run_id: int, form: Form) -> Response:
    """Run the failed tasks again, and those after them."""
    launch_repair(site.record().run(run_id).run_id)
    return redirect(request, "run", run_id=run_id)


@router.post("/runs/{run_id}/cancel", name="cancel")
def cancel_run(request: Request, site: Here, run_id: int, form: Form) -> Response:
    """Stop a run."""
    cancel(site.record(), run_id, wait_s=0)
    return redirect(request, "run", run_id=run_id)


@router.get("/runs/{run_id}/tasks/{task}", name="task")
def show_task(
    request: Request, site: Here, run_id: int, task: str, iteration: int | None = None, attempt: int | None = None
) -> Response:
    """Show a task of a run: its tries, what failed, its log and its notebook."""
    record = site.record()
    run, tasks = record.run(run_id), record.tasks(run_id)
    found = next((one for one in tasks if (one.task, one.iteration) == (task, iteration)), None)
    if found is None:
        raise NotFound(f"Run {run_id} has no task {task}.")
    attempts = [one for one in record.attempts(run_id) if (one.task, one.iteration) == (task, iteration)]
    shown = next((one for one in attempts if one.number == attempt), attempts[-1] if attempts else None)
    return page(
        request,
        "task.html",
        run=run,
        task=found,
        iterations=[one for one in tasks if one.task == task and one.iteration is not None and iteration is None],
        attempts=attempts,
        shown=shown,
        values=record.values(run_id).get((task, iteration), {}),
        log=_tail(record, shown.folder / "log.txt") if shown else "",
        tables=site.table_names(),
        notebook=shown is not None and (shown.folder / "notebook.html").is_file(),
    )


@router.get("/runs/{run_id}/tasks/{task}/notebook", name="notebook")
def show_notebook(
    request: Request, site: Here, run_id: int, task: str, attempt: int, iteration: int | None = None
) -> Response:
    """Serve the notebook as it ran; inside a page its charts are drawn, on its own nothing in it runs."""
    record = site.record()
    tried = (one for one in record.attempts(run_id) if (one.task, one.iteration) == (task, iteration))
    found = next((one for one in tried if one.number == attempt), None)
    file = _inside(record, found.folder / "notebook.html") if found else None
    if file is None:
        raise NotFound(f"There is no notebook of this try at {task}.")
    framed = request.headers.get("sec-fetch-dest") == "iframe"
    policy = FRAMED_ARCHIVE_POLICY if framed else ARCHIVE_POLICY
    return HTMLResponse(file.read_bytes(), headers={"Content-Security-Policy": policy})


@router.get("/runs/{run_id}/log", name="log")
def show_log(site: Here, run_id: int) -> Response:
    """Serve the runner's whole log of a run."""
    record = site.record()
    file = _inside(record, record.run(run_id).folder / "log.txt")
    if file is None:
        raise NotFound(f"Run {run_id} has no log.")
    return PlainTextResponse(_CONTROL.sub("", file.read_text(encoding="utf-8", errors="replace")))


def _inside(record: Record, file: Path) -> Path | None:
    """Return a file of the archives; None if there is none, or a link leads out of them."""
    real = file.resolve()
    return real if real.is_file() and real.is_relative_to((record.folder / "runs").resolve()) else None


def _tail(record: Record, file: Path) -> str:
    real = _inside(record, file)
    if real is None:
        return ""
    with real.open("rb") as log:
        start = max(log.seek(0, 2) - _TAIL, 0)
        log.seek(start)
        text = log.read(_TAIL).decode(errors="replace")
    return _CONTROL.sub("", text.partition("\n")[2] if start else text)


def _failures(tasks: Sequence[TaskRun], attempts: Sequence[Attempt]) -> list[Attempt]:
    """The last try of each task that has failed; a loop's own failure is told by its iterations."""
    last = {(attempt.task, attempt.iteration): attempt for attempt in attempts}
    broken = [task for task in tasks if states.kind(task.state) in _BROKEN]
    return [last[task.task, task.iteration] for task in broken if (task.task, task.iteration) in last]


def _counts(tasks: Sequence[TaskRun]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for task in tasks:
        if task.iteration is None:
            counts[states.kind(task.state)] = counts.get(states.kind(task.state), 0) + 1
    return counts


def _versions(found: Iterable[dict[str, int]], choose: Callable[[int, int], int]) -> dict[str, int]:
    """Each table's first or last version of those that the tries have noted."""
    chosen: dict[str, int] = {}
    for one in found:
        for table, version in one.items():
            chosen[table] = choose(version, chosen.get(table, version))
    return dict(sorted(chosen.items()))
