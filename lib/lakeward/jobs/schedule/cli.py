"""The command ``lakeward jobs schedule``."""

import json as json_module
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lakeward.jobs.bundle.cli import Root, Target, Variables, bundle_of, pairs
from lakeward.workspace.console import Json, print_either, print_rows

if TYPE_CHECKING:
    from lakeward.jobs.bundle.bundle import Bundle
    from lakeward.jobs.record.states import Started

_WAIT_S = 2.0  # for somebody who only looks whether a daemon runs


def schedule(
    root: Root = None,
    target: Target = None,
    variables: Variables = None,
    listed: Annotated[bool, typer.Option("--list", help="Only say what would start when.")] = False,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="With --list: how many times.")] = 3,
    pause: Annotated[str | None, typer.Option(metavar="JOB", help="Only pause a job here.")] = None,
    unpause: Annotated[str | None, typer.Option(metavar="JOB", help="Only start a job by itself again.")] = None,
    json: Json = False,
) -> None:
    """Start jobs by themselves, by their schedules and triggers, until it is stopped; one for a lakehouse.

    A time that is missed, since this did not run, is not made up once it is a minute past; files and tables are looked
    up again. Runs go on when this is stopped.

    Example: lakeward jobs schedule --list
    """
    from lakeward.jobs.schedule import upcoming

    bundle = bundle_of(root, target, variables)
    for job, change in ((pause, upcoming.pause), (unpause, upcoming.unpause)):
        if job:
            bundle.job(job)
            change(job)
            said = "paused" if job == pause else "no longer paused"
            print_either({"job": job, "paused": job == pause}, json, f"{job} is {said} here.")
    if listed:
        _list(bundle, count, json)
    elif not (pause or unpause):
        _serve(bundle, pairs("--var", variables), json)


def _list(bundle: "Bundle", count: int, as_json: bool) -> None:
    from lakeward.jobs.record.record import Record
    from lakeward.jobs.schedule.upcoming import is_running, next_fires

    rows = [
        {
            "job": one.job,
            "starts by": one.kind,
            "paused": one.paused,
            "last": one.last_fired and _time(one.last_fired),
            "next": [_time(at) for at in one.times] if as_json else "  ".join(map(_time, one.times)),
            "trouble": one.trouble,
        }
        for one in next_fires(bundle, Record(), count)
    ]
    print_rows(rows, as_json)
    if not as_json and not is_running():
        typer.echo("No daemon runs, so none of these will start: lakeward jobs schedule", err=True)


def _serve(bundle: "Bundle", variables: Mapping[str, str], as_json: bool) -> None:
    from lakeward.jobs.bundle.bundle import load
    from lakeward.jobs.record.record import Record, home
    from lakeward.jobs.schedule.daemon import Daemon
    from lakeward.jobs.schedule.upcoming import LOCK
    from lakeward.workspace.locks import exclusive

    def read() -> "Bundle":
        return load(bundle.root, bundle.target, variables)

    def start(bundle: "Bundle", job: str, started_by: "Started") -> int:
        from lakeward.jobs.runner.launch import launch

        return launch(bundle.root, bundle.target, job, {}, started_by, variables)

    def say(told: Mapping[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        plain = {name: _time(value) if name == "at" else value for name, value in told.items()}
        text = "  ".join(str(value) for value in plain.values())
        typer.echo(json_module.dumps({"said": at, **plain}, ensure_ascii=False) if as_json else f"{at}  {text}")

    with exclusive(home() / LOCK, wait_s=_WAIT_S):
        signal.signal(signal.SIGTERM, _stop)
        daemon = Daemon(read, start, Record(), say)
        say({"event": "watching", "bundle": bundle.name, "target": bundle.target})
        try:
            daemon.run()
        except KeyboardInterrupt:
            say({"event": "stopped"})


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")
