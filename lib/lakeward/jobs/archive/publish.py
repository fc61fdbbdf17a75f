"""Publishing the record's ended runs to Delta, where they can be asked about with SQL, by any number of people."""

import socket
from datetime import UTC, datetime
from typing import Any

from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Attempt, Run, State
from lakeward.jobs.tables import JOB_RUNS, TASK_RUNS
from lakeward.workspace.lakehouse import add, exists, query
from lakeward.workspace.locks import exclusive
from lakeward.workspace.scrub import scrubbed


def publish(record: Record) -> int:
    """Add to ``jobs.job_runs`` and ``jobs.task_runs`` what has ended since the last time.

    The tasks come first, so that a run whose row is there is there whole; one that was cut off in between is published
    again, and its tasks then stand twice under the same key.

    Returns
    -------
    int
        How many runs were added.
    """
    with exclusive(record.folder / "publish.lock"):
        waiting = record.unpublished()
        # The table grows with each run, so it is read only if it may have one of these.
        there = _published(record) if any(waiting.values()) else set()
        runs = [record.run(run_id) for run_id, _ in sorted(waiting.keys() - there)]
        record.set_published(waiting, whole=False)
        if runs:
            add(TASK_RUNS, [row for run in runs for row in _task_rows(record, run)])
            add(JOB_RUNS, [_job_row(record, run) for run in runs])
        record.set_published(waiting, whole=True)
    return len(runs)


def _published(record: Record) -> set[tuple[int, int]]:
    if not exists(JOB_RUNS):
        return set()
    rows = query(f"SELECT lakehouse, run_id, repairs FROM {JOB_RUNS.name}", JOB_RUNS).to_pylist()
    return {(row["run_id"], row["repairs"]) for row in rows if row["lakehouse"] == _lakehouse(record)}


def _task_rows(record: Record, run: Run) -> list[dict[str, Any]]:
    return [
        {
            **_of_run(record, run),
            "task": attempt.task,
            "iteration": attempt.iteration,
            "attempt": attempt.number,
            "error": attempt.failure and attempt.failure.error,
            "reads": list(attempt.reads.items()),
            "writes": list(attempt.writes.items()),
            "mlflow_runs": attempt.mlflow_runs,
            **_end(attempt, attempt.state),
        }
        for attempt in record.attempts(run.run_id)
        if attempt.repair == run.repairs
    ]


def _job_row(record: Record, run: Run) -> dict[str, Any]:
    return {
        **_of_run(record, run),
        "target": run.target,
        "started_by": str(run.started_by),
        "user": run.user,
        "parameters": [(name, scrubbed(text)) for name, text in run.parameters.items()],
        **{name: run.provenance.get(name) for name in ("git_commit", "git_dirty", "environment")},
        **_end(run, run.state),
    }


def _of_run(record: Record, run: Run) -> dict[str, Any]:
    return {"lakehouse": _lakehouse(record), "run_id": run.run_id, "repairs": run.repairs, "job": run.job}


def _end(row: Run | Attempt, state: State) -> dict[str, Any]:
    seconds = (row.ended - row.started) / 1000 if row.ended and row.started else None
    return {
        "result": state.result,
        "code": state.code,
        "started_at": _time(row.started),
        "ended_at": _time(row.ended),
        "seconds": seconds,
    }


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _lakehouse(record: Record) -> str:
    return f"{socket.gethostname()}:{record.folder.parent}"
