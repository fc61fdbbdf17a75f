"""The commands ``lakeward jobs run | runs | show | repair | cancel``."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeward.jobs.bundle.cli import JobKey, Root, Target, Variables, bundle_of, pairs
from lakeward.jobs.remote.cli import run_there
from lakeward.workspace.console import Json, print_either, print_json, print_rows

if TYPE_CHECKING:
    from lakeward.jobs.record.record import Record
    from lakeward.jobs.record.rows import Attempt, Run
    from lakeward.jobs.runner.runner import Runner

Number = Annotated[int, typer.Argument(help="Number of a run.", metavar="RUN", min=1)]
Given = Annotated[list[str] | None, typer.Option("--param", "-p", help="NAME=VALUE; may be repeated.")]
Announce = Annotated[bool, typer.Option("--announce", hidden=True)]


def run(
    job: JobKey,
    param: Given = None,
    root: Root = None,
    target: Target = None,
    variables: Variables = None,
    json: Json = False,
    remote: Annotated[bool, typer.Option("--remote", help="Run it in the workspace that it was deployed to.")] = False,
    announce: Announce = False,
    started_by: Annotated[str, typer.Option(hidden=True)] = "ONE_TIME",
    within: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run a job to its end; ends with 0 if it succeeds, 10 if it fails, 11 timed out, 12 canceled, 13 skipped.

    Example: lakeward jobs run imaging --param source=/data/pacs
    """
    if remote:
        run_there(job, pairs("--param", param), root, target, pairs("--var", variables), json)
        return
    from lakeward.jobs.bundle.checks import check
    from lakeward.jobs.record.record import Record
    from lakeward.jobs.record.states import Started
    from lakeward.jobs.runner.nested import Nested
    from lakeward.jobs.runner.order import order_of
    from lakeward.jobs.runner.runner import Runner

    nested = Nested.of(within)
    given = pairs("--param", param)
    with nested.refusing():
        bundle = bundle_of(root, target, variables)
        check(bundle, job, given)
        runner = Runner(record := Record(), order_of(bundle, job, pairs("--var", variables)))
        begun = runner.start(given, Started(started_by), nested.parent)
    ended = _to_the_end(runner, announce, begun, lambda: runner.run(begun))
    nested.end(ended)
    _print_run(record, ended, json)


def repair(run_id: Number, param: Given = None, json: Json = False, announce: Announce = False) -> None:
    """Run again what failed in a run, and what comes after it; what succeeded is kept. Ends as `run` does.

    Example: lakeward jobs repair 42
    """
    from lakeward.jobs.bundle.bundle import load
    from lakeward.jobs.bundle.checks import check
    from lakeward.jobs.record.record import Record
    from lakeward.jobs.runner.order import order_of
    from lakeward.jobs.runner.runner import Runner

    record = Record()
    before = record.run(run_id)
    variables = before.provenance.get("variables", {})
    bundle = load(Path(before.provenance["bundle"]), before.target, variables)
    given = pairs("--param", param)
    check(bundle, before.job, given)
    runner = Runner(record, order_of(bundle, before.job, variables))
    again = runner.start_repair(run_id, given)
    _print_run(record, _to_the_end(runner, announce, again, lambda: runner.run(again)), json)


def runs(
    job: Annotated[str | None, typer.Argument(help="Key of a job; all if not given.", metavar="[JOB]")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, at most.")] = 20,
    json: Json = False,
) -> None:
    """List runs, newest first.

    Example: lakeward jobs runs imaging --limit 5
    """
    from lakeward.jobs.record.record import Record
    from lakeward.jobs.runner.display import duration
    from lakeward.jobs.runner.truth import reconcile

    reconcile(record := Record())
    rows = [
        {
            "run": one.run_id,
            "job": one.job,
            "target": one.target,
            "state": str(one.state),
            "started": _moment(one.created),
            "time": duration(one.started, one.ended),
            "by": one.started_by,
            "repairs": one.repairs,
        }
        for one in record.runs(job, limit)
    ]
    print_rows(rows, json)


def show(run_id: Number, json: Json = False) -> None:
    """Show a run: first what failed, with the cell and the cure, then its tasks.

    Example: lakeward jobs show 42
    """
    from lakeward.jobs.record.record import Record
    from lakeward.jobs.runner.truth import reconcile

    reconcile(record := Record())
    _tell(record, record.run(run_id), json)


def cancel(run_id: Number, json: Json = False) -> None:
    """Cancel a run that goes on or waits, and wait until it has ended.

    Example: lakeward jobs cancel 42
    """
    from lakeward.jobs.record.record import Record
    from lakeward.jobs.runner.cancel import cancel as cancel_run

    ended = cancel_run(Record(), run_id)
    print_either({"run": run_id, "state": str(ended.state)}, json, f"Run {run_id}: {ended.state}")


def _to_the_end(runner: "Runner", announced: bool, begun: "Run", go: Any) -> "Run":
    from lakeward.jobs.runner.display import display
    from lakeward.jobs.runner.launch import announce

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: runner.cancel())
    if announced:
        announce(begun.run_id, begun.folder)
    with display() as runner.show:
        return go()  # type: ignore[no-any-return]


def _print_run(record: "Record", ended: "Run", as_json: bool) -> None:
    from lakeward.jobs.record.states import exit_code

    _tell(record, ended, as_json)
    if code := exit_code(str(ended.state)):
        raise typer.Exit(code)


def _tell(record: "Record", run: "Run", as_json: bool) -> None:
    from lakeward.jobs.archive.finish import summary

    if as_json:
        print_json(summary(record, run))
        return
    from lakeward.jobs.runner.display import duration, name

    tasks, tries = record.tasks(run.run_id), record.attempts(run.run_id)
    took = duration(run.started, run.ended)
    typer.echo(f"Run {run.run_id} of {run.name} ({run.target}): {run.state}{f' after {took}' if took else ''}")
    if run.state.message:
        typer.echo(run.state.message)
    last = {(one.task, one.iteration): one for one in tries}
    for task in tasks:
        attempt = last.get((task.task, task.iteration))
        if attempt and attempt.failure and str(task.state) != "SUCCESS":
            typer.echo(_failure(name(task), attempt))
    typer.echo()
    print_rows(
        [
            {
                "task": name(task),
                "state": str(task.state),
                "tries": task.attempts or "",
                "time": duration(task.started, task.ended),
                "": task.state.message,
            }
            for task in tasks
        ],
        as_json=False,
    )
    typer.echo(f"Archive: {run.folder}")


def _failure(task: str, attempt: "Attempt") -> str:
    failure = attempt.failure
    if not failure:
        return ""
    place = f", cell {failure.cell}" if failure.cell else ""
    lines = [f"\n{task}{place}: {failure.what}", f"    {failure.source}" if failure.source else ""]
    kept = [attempt.folder / it for it in ("notebook.html", "log.txt")]
    shown = next((path for path in kept if path.exists()), attempt.folder)
    return "\n".join([*filter(None, lines), f"    {shown}"])


def _moment(milliseconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone().isoformat(" ", "seconds")
