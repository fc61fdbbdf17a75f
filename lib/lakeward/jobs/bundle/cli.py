"""The commands ``lakeward jobs validate | list | params``, and the options that tell which bundle is meant."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeward.workspace.console import Json, print_either, print_json, print_rows

if TYPE_CHECKING:
    from lakeward.jobs.bundle.bundle import Bundle
    from lakeward.jobs.bundle.job import Job
    from lakeward.jobs.schedule.upcoming import Upcoming

Root = Annotated[Path | None, typer.Option("--bundle", help="Folder of databricks.yml; found from here if not given.")]
Target = Annotated[str | None, typer.Option("--target", "-t", help="dev, staging, prod; the default one if not given.")]
Variables = Annotated[list[str] | None, typer.Option("--var", help="A bundle variable, NAME=VALUE; may be repeated.")]
JobKey = Annotated[str, typer.Argument(help="Key of a job, such as imaging.", metavar="JOB")]


def bundle_of(root: Path | None, target: str | None, variables: Sequence[str] | None) -> "Bundle":
    """Return the bundle that the options mean."""
    from lakeward.jobs.bundle.bundle import find_root, load

    return load(root or find_root(), target, pairs("--var", variables))


def pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    """Return ``NAME=VALUE`` options as a mapping."""
    for text in given or ():
        if not text.partition("=")[1] or text.startswith("="):
            raise typer.BadParameter(f"{option} takes NAME=VALUE, not {text}.")
    return {text.partition("=")[0]: text.partition("=")[2] for text in given or ()}


def validate(root: Root = None, target: Target = None, variables: Variables = None, json: Json = False) -> None:
    """Check a bundle: fields, graph, references, files, schedules, parameters; ends with 2 if anything is wrong.

    Example: lakeward jobs validate --target prod
    """
    from lakeward.jobs.bundle.checks import check
    from lakeward.jobs.bundle.faults import BundleRefused

    try:
        bundle = bundle_of(root, target, variables)
        check(bundle)
    except BundleRefused as refused:
        if not json:
            raise
        print_json({"ok": False, "faults": [asdict(fault) for fault in refused.faults]})
        raise typer.Exit(refused.exit_code) from None
    tasks = sum(len(job.tasks) for job in bundle.jobs.values())
    facts = {"bundle": bundle.name, "target": bundle.target, "jobs": list(bundle.jobs), "tasks": tasks}
    said = f"{bundle.name}, target {bundle.target}: {', '.join(bundle.jobs) or 'no job'}; {tasks} tasks. All is well."
    if bundle.elsewhere:
        said += f"\nOn Databricks only, so not looked at here: {', '.join(bundle.elsewhere)}."
    print_either({"ok": True, **facts, "databricks_only": bundle.elsewhere, "faults": []}, json, said)


def list_jobs(root: Root = None, target: Target = None, variables: Variables = None, json: Json = False) -> None:
    """List the jobs of a bundle, what starts them, and when they run next on this machine.

    Example: lakeward jobs list
    """
    from lakeward.jobs.record.record import Record
    from lakeward.jobs.schedule.upcoming import next_fires
    from lakeward.jobs.schedule.words import told

    bundle = bundle_of(root, target, variables)
    starts = {start.job: start for start in next_fires(bundle, Record())}
    rows = [
        {
            "job": key,
            "name": job.name,
            "tasks": len(job.tasks),
            "starts": told(job) or "by hand",
            "paused": starts[key].paused if key in starts else None,
            "next": _next(job, starts[key]) if key in starts else "",
        }
        for key, job in bundle.jobs.items()
    ]
    print_rows(rows, json)


def params(
    job: JobKey, root: Root = None, target: Target = None, variables: Variables = None, json: Json = False
) -> None:
    """Show the parameters of a job and of its notebooks: what they are by default, and what they may be.

    Those of the job can be set when it is run: lakeward jobs run imaging --param source=/data/pacs

    Example: lakeward jobs params imaging
    """
    from lakeward.jobs.bundle.models import notebook_models

    chosen = bundle_of(root, target, variables).job(job)
    tasks = {task.task_key: task.notebook_task for task in chosen.every_task() if task.notebook_task}
    schemas = notebook_models({Path(task.notebook_path) for task in tasks.values()})
    given = {parameter.name: parameter.default for parameter in chosen.parameters}
    rows: list[dict[str, Any]] = []
    for key, task in tasks.items():
        for name, known in schemas[Path(task.notebook_path)]["properties"].items():
            source = "job" if name in given else "task" if name in task.base_parameters else "notebook"
            value = {**task.base_parameters, **given}.get(name, known["default"])
            rows.append({"parameter": name, "value": value, "set by": source, "task": key, "may be": may_be(known)})
    asked = {row["parameter"] for row in rows}
    rest = [{"parameter": n, "value": v, "set by": "job", "task": "", "may be": "text"} for n, v in given.items()]
    print_rows(sorted([*rows, *(r for r in rest if r["parameter"] not in asked)], key=lambda r: r["set by"]), json)


def may_be(known: dict[str, Any]) -> str:
    """Say in few words what a JSON schema allows."""
    if "enum" in known:
        return " or ".join(map(str, known["enum"]))
    if "anyOf" in known:
        return " or ".join(may_be(one) for one in known["anyOf"])
    kind = {"string": "text", "boolean": "true or false", "integer": "whole number", "array": "list"}
    said = [kind.get(known.get("type", ""), known.get("type", "anything"))]
    words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}
    said += [f"{word} {known[name]}" for name, word in words.items() if name in known]
    said += [f"like {known['pattern']}"] if "pattern" in known else []
    return ", ".join([*said, *(["not empty"] if known.get("minLength") else [])])


def _next(job: "Job", start: "Upcoming") -> str:
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(job.schedule.timezone_id) if job.schedule else UTC
    return start.trouble or "".join(
        datetime.fromtimestamp(at / 1000, zone).isoformat("T", "minutes") for at in start.times
    )
