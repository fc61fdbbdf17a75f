"""A record with runs in every state and archives that look real, for the pages to show."""

from pathlib import Path
from typing import Any

from lakeward.jobs.record.record import Record, now
from lakeward.jobs.record.rows import Failure, Run, State
from lakeward.jobs.record.states import Code, LifeCycle, Result, Started

MINUTE = 60_000
SETTINGS: dict[str, Any] = {
    "name": "Imaging every night",
    "tasks": [
        {"task_key": "ingest", "notebook_task": {"notebook_path": "../notebooks/imaging/01_ingest.ipynb"}},
        {
            "task_key": "verify",
            "depends_on": [{"task_key": "ingest"}],
            "notebook_task": {"notebook_path": "../notebooks/imaging/03_verify.ipynb"},
        },
        {
            "task_key": "any_quarantined",
            "depends_on": [{"task_key": "ingest"}],
            "condition_task": {"left": "{{tasks.ingest.values.quarantined}}", "op": "GREATER_THAN", "right": "0"},
        },
        {
            "task_key": "review",
            "depends_on": [{"task_key": "any_quarantined", "outcome": "true"}],
            "notebook_task": {"notebook_path": "../notebooks/imaging/04_review.ipynb"},
        },
        {
            "task_key": "explore",
            "depends_on": [{"task_key": "verify"}, {"task_key": "review"}],
            "run_if": "NONE_FAILED",
            "notebook_task": {"notebook_path": "../notebooks/imaging/02_explore.ipynb"},
        },
        {
            "task_key": "by_modality",
            "depends_on": [{"task_key": "verify"}],
            "for_each_task": {
                "inputs": '["CT", "MR", "US"]',
                "task": {
                    "task_key": "one",
                    "notebook_task": {"notebook_path": "../notebooks/imaging/02_explore.ipynb"},
                },
            },
        },
    ],
}
BEFORE = {
    "ingest": "",
    "verify": "ingest",
    "any_quarantined": "ingest",
    "review": "any_quarantined",
    "explore": "verify",
    "by_modality": "verify",
}
SUCCESS = State(LifeCycle.TERMINATED, Result.SUCCESS, Code.SUCCESS)
FAILED = State(LifeCycle.TERMINATED, Result.FAILED, Code.RUN_EXECUTION_ERROR)
RUNNING = State(LifeCycle.RUNNING)
ENDS = [
    SUCCESS,
    FAILED,
    State(LifeCycle.TERMINATED, Result.TIMEDOUT, Code.RUN_EXECUTION_ERROR, "It took longer than 3600 s."),
    State(LifeCycle.TERMINATED, Result.CANCELED, Code.USER_CANCELED, "Somebody has canceled it."),
    State(LifeCycle.TERMINATED, Result.SUCCESS_WITH_FAILURES, Code.SUCCESS_WITH_FAILURES),
    State(LifeCycle.SKIPPED, Result.MAXIMUM_CONCURRENT_RUNS_REACHED, Code.MAX_CONCURRENT_RUNS_EXCEEDED),
    State(LifeCycle.INTERNAL_ERROR, Result.FAILED, Code.INTERNAL_ERROR, "The runner was killed, or its machine died."),
]
FAILURE = Failure(
    error="MissingSecret",
    message="The secret deid_key was found in none of its places. Set LAKEWARD_DEID_KEY, or put a file deid_key "
    "with 64 hexadecimal digits into the folder that LAKEWARD_SECRETS_DIR names.",
    cell=4,
    source="report = ingest(p.folder, p.recipe, reprocess=p.reprocess, incremental=p.incremental)\nreport",
)
NOTEBOOK = """<!doctype html><html><head><meta charset="utf-8"><title>01_ingest</title>
<style>body {{ font: 14px sans-serif; margin: 24px }} pre {{ background: #f4f4f4; padding: 8px }}
#papermill-error-cell pre {{ background: #fdecec }}</style></head>
<body><h1>Ingest</h1>{cells}</body></html>"""


def add_run(
    record: Record,
    state: State,
    *,
    ago: int = 60 * MINUTE,
    took: int = 4 * MINUTE,
    settings: dict[str, Any] = SETTINGS,
    job: str = "imaging",
    started_by: Started = Started.PERIODIC,
    parameters: dict[str, str] | None = None,
) -> Run:
    """Add a run with no tasks."""
    started = now() - ago
    run = record.add_run(
        job,
        settings,
        {"source": "samples", "profile": "research"} if parameters is None else parameters,
        target="dev",
        started_by=started_by,
        user="somebody",
        provenance={"git_commit": "77886ed0c5a1b2d3e4f5a6b7c8d9e0f1a2b3c4d5", "git_dirty": True},
    )
    waits = state.life_cycle in (LifeCycle.QUEUED, LifeCycle.PENDING, LifeCycle.SKIPPED)
    record.set_run(
        run.run_id,
        state,
        created=started,
        started=None if waits else started,
        ended=started + took if state.life_cycle.ended else None,
    )
    return record.run(run.run_id)


def add_task(
    record: Record,
    run: Run,
    task: str,
    state: State,
    *,
    start: int,
    took: int | None,
    iteration: int | None = None,
    number: int = 0,
    failure: Failure | None = None,
    **columns: Any,
) -> None:
    """Add a task that has begun, with one try; times in ms from the run's start."""
    began = (run.started or 0) + start
    ended = None if took is None else began + took
    value = columns.pop("value", None)
    record.set_task(run.run_id, task, iteration, state, started=began, ended=ended, attempts=number + 1, value=value)
    record.set_attempt(
        run.run_id, task, iteration, number, state, repair=0, started=began, ended=ended, failure=failure, **columns
    )
    archive(record.attempt_folder(run.run_id, task, iteration, number), failure)


def archive(folder: Path, failure: Failure | None) -> None:
    """Write what a try leaves behind."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"2026-11-22 02:30:{second:02} cell {second // 4 + 1} of 9" for second in range(0, 36, 4)]
    broken = (
        f'<div id="papermill-error-cell"><h2>Cell 4</h2><pre>{failure.source}</pre><pre>{failure.error}</pre></div>'
        if failure
        else ""
    )
    cells = "".join(f"<pre>cell {number} = {number * number}</pre><p>{number * number}</p>" for number in range(12))
    (folder / "log.txt").write_text("\n".join(lines) + "\n")
    (folder / "notebook.html").write_text(NOTEBOOK.format(cells=broken + cells))


def fill(record: Record) -> dict[str, int]:
    """Add runs in every state, and return some by name."""
    day = 24 * 60 * MINUTE
    for number in range(14):
        add_run(record, ENDS[number % len(ENDS)] if number % 3 == 0 else SUCCESS, ago=(20 - number) * day,
                took=(3 + number % 5) * MINUTE)  # fmt: skip
    for state in ENDS[2:5]:
        add_run(record, state, ago=3 * day)
    add_run(record, SUCCESS, job="training", settings={**SETTINGS, "name": "Training, gone"}, ago=30 * day)
    return {
        "succeeded": succeeded(record),
        "failed": failed(record),
        "running": running(record),
        "queued": queued(record),
    }


def succeeded(record: Record) -> int:
    """A run in which all went well, though one task only at its second try."""
    run = add_run(record, SUCCESS, ago=26 * 60 * MINUTE, took=7 * MINUTE)
    add_task(record, run, "ingest", FAILED, start=500, took=40_000, failure=FAILURE, exit_code=1)
    add_task(record, run, "ingest", SUCCESS, start=70_500, took=2 * MINUTE, number=1, exit_code=0,
             writes={"imaging.images": 4, "imaging.pixels": 4, "intake.files": 9})  # fmt: skip
    record.set_values(run.run_id, "ingest", None, {"stored": 61, "quarantined": 0})
    add_task(record, run, "verify", SUCCESS, start=200_000, took=MINUTE, reads={"imaging.images": 4})
    record.set_task(run.run_id, "any_quarantined", None, SUCCESS, started=(run.started or 0) + 200_000,
                    ended=(run.started or 0) + 200_020, value="false")  # fmt: skip
    record.set_task(run.run_id, "review", None, State(LifeCycle.SKIPPED, Result.EXCLUDED))
    add_task(
        record, run, "explore", SUCCESS, start=265_000, took=90_000, mlflow_runs=["5f0c1de0a9b84c5c9f6ad3f1f2a4b6c8"]
    )
    loop(record, run, [SUCCESS, SUCCESS, SUCCESS])
    return run.run_id


def failed(record: Record) -> int:
    """A run whose first task failed in a cell."""
    run = add_run(record, FAILED, ago=3 * 60 * MINUTE, took=50_000, started_by=Started.ONE_TIME)
    add_task(record, run, "ingest", FAILED, start=500, took=40_000, failure=FAILURE, exit_code=1)
    for task in ("verify", "any_quarantined", "review", "explore", "by_modality"):
        record.set_task(run.run_id, task, None, State(LifeCycle.TERMINATED, Result.UPSTREAM_FAILED))
    (run.folder / "log.txt").write_text("ingest began\n\x1b[31mingest failed\x1b[0m\n5 tasks were not run\n")
    return run.run_id


def running(record: Record) -> int:
    """A run in the middle of its tasks."""
    run = add_run(record, RUNNING, ago=150_000, started_by=Started.ONE_TIME)
    add_task(record, run, "ingest", SUCCESS, start=500, took=60_000, writes={"imaging.images": 5})
    add_task(record, run, "verify", RUNNING, start=61_000, took=None)
    record.set_task(run.run_id, "any_quarantined", None, SUCCESS, started=run.started, ended=run.started, value="true")
    add_task(record, run, "review", State(LifeCycle.WAITING_FOR_RETRY), start=61_000, took=30_000)
    for task in ("explore", "by_modality"):
        record.set_task(run.run_id, task, None, State(LifeCycle.BLOCKED))
    return run.run_id


def queued(record: Record) -> int:
    """A run that waits for the one before it."""
    run = add_run(record, State(LifeCycle.QUEUED), ago=20_000)
    for task in BEFORE:
        record.set_task(run.run_id, task, None, State(LifeCycle.BLOCKED))
    return run.run_id


def loop(record: Record, run: Run, states: list[State]) -> None:
    """Add the loop with its iterations."""
    record.set_task(run.run_id, "by_modality", None, SUCCESS, started=(run.started or 0) + 262_000,
                    ended=(run.started or 0) + 400_000)  # fmt: skip
    for number, state in enumerate(states):
        add_task(record, run, "by_modality", state, start=262_000 + 45_000 * number, took=44_000, iteration=number,
                 value=json_of(["CT", "MR", "US"][number % 3]))  # fmt: skip


def json_of(text: str) -> str:
    """A text as a loop hands it on."""
    return f'"{text}"'
