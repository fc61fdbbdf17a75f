"""What is written when an attempt or a run ends, and what goes when it is old."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lakeward.jobs.archive.publish import publish
from lakeward.jobs.record.record import Record, now
from lakeward.jobs.record.rows import Run, State
from lakeward.workspace.processes import replace_text
from lakeward.workspace.report import write_report
from lakeward.workspace.scrub import scrubbed_output
from lakeward.workspace.settings import settings

NOTEBOOK, PAGE, SUMMARY = "notebook.ipynb", "notebook.html", "run.json"
_DAY_MS = 86_400_000


def finish_attempt(folder: Path) -> None:
    """Make the page of an attempt's notebook, if it ran one; papermill put the notice of a failure on top."""
    notebook = folder / NOTEBOOK
    if notebook.exists():
        title = f"{folder.parents[0].name}, run {folder.parents[1].name}"
        write_report([notebook], title, folder / PAGE, code=True)


def finish_run(record: Record, run_id: int) -> Path:
    """Write a run's summary, ``run.json``, whole or not at all; publish the record; remove what is too old."""
    run = record.run(run_id)
    run.folder.mkdir(parents=True, exist_ok=True)
    path = run.folder / SUMMARY
    replace_text(path, json.dumps(summary(record, run), indent=2, ensure_ascii=False, default=_plain))
    publish(record)
    remove_old(record)
    return path


def summary(record: Record, run: Run) -> dict[str, Any]:
    """Return all that the record knows of a run, as JSON knows it; with no patient data, which parameters may hold."""
    values = record.values(run.run_id)
    told = {
        **_words(run),
        "tasks": [{**_words(t), "values": values.get((t.task, t.iteration), {})} for t in record.tasks(run.run_id)],
        "attempts": [_words(attempt) for attempt in record.attempts(run.run_id)],
    }
    # The folder of a bundle is named after no patient.
    origin = {name: value if name == "bundle" else scrubbed_output(value) for name, value in run.provenance.items()}
    return {**scrubbed_output(told), "provenance": origin}


def remove_old(record: Record) -> list[int]:
    """Remove the folders of runs that ended longer ago than the setting ``archive_days``; the record keeps their rows.

    Returns
    -------
    list of int
        Numbers of the runs whose folders went.
    """
    if (days := settings().archive_days) is None:
        return []
    oldest = now() - days * _DAY_MS
    gone = []
    for folder in sorted((record.folder / "runs").glob("[0-9]*")):
        # Cheap first: a run that was changed lately is not old.
        if folder.stat().st_mtime_ns // 1_000_000 < oldest:
            ended = record.run(int(folder.name)).ended
            if ended is not None and ended < oldest:
                shutil.rmtree(folder)
                gone.append(int(folder.name))
    return gone


def _words(row: Any) -> dict[str, Any]:
    """A row as JSON knows it: its state's parts among its own, folders relative to the archive."""
    words = asdict(row)
    state: State = row.state
    words |= {"state": state.life_cycle, "result": state.result, "code": state.code, "message": state.message}
    return {key: _plain(value) if isinstance(value, Path) else value for key, value in words.items()}


def _plain(value: Any) -> str:
    return os.path.relpath(value, settings().home) if isinstance(value, Path) else str(value)
