"""Checks of what a job needs on this machine: notebooks, files, packages, other jobs, and a calendar it can keep."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from zoneinfo import ZoneInfo

from lakeward.jobs.bundle.bundle import Bundle
from lakeward.jobs.bundle.check_graph import every_task
from lakeward.jobs.bundle.faults import Fault, hint
from lakeward.jobs.bundle.job import BaseTask, Schedule
from lakeward.jobs.bundle.places import Step
from lakeward.workspace.errors import LakewardError

_KINDS = {"notebook_path": (".ipynb", "a notebook"), "python_file": (".py", "a Python file"), "path": (".sql", "SQL")}


def resource_faults(bundle: Bundle, key: str) -> Iterator[Fault]:
    """Yield what a job needs that is not there."""
    job = bundle.jobs[key]
    for index, task in enumerate(job.tasks):
        for where, one in every_task(index, task):
            for path, reason in _needs(bundle, one):
                yield bundle.fault(key, *where, *path, text=reason)
    if job.schedule:
        for field, reason in _calendar(job.schedule):
            yield bundle.fault(key, "schedule", field, text=f"{field} {reason}")


def _needs(bundle: Bundle, task: BaseTask) -> Iterator[tuple[tuple[Step, ...], str]]:
    files = {
        ("notebook_task", "notebook_path"): task.notebook_task and task.notebook_task.notebook_path,
        ("spark_python_task", "python_file"): task.spark_python_task and task.spark_python_task.python_file,
        ("sql_task", "file", "path"): task.sql_task and task.sql_task.file.path,
    }
    for path, file in files.items():
        if file and (reason := _file(bundle, file, *_KINDS[path[-1]])):
            yield path, reason
    if task.sql_task and (braces := _braces(Path(task.sql_task.file.path))):
        reason = f"the file asks for {braces} in braces, which is not read here; write :name."
        yield ("sql_task", "file", "path"), reason
    if task.python_wheel_task and (reason := _package(task.python_wheel_task.package_name)):
        yield ("python_wheel_task", "package_name"), reason
    if task.run_job_task:
        yield from _other_job(bundle, task.run_job_task.job_id, task.run_job_task.job_parameters)


def _file(bundle: Bundle, text: str, suffix: str, kind: str) -> str:
    file = Path(text)
    if file.suffix != suffix:
        return f"{file.name} is not {kind} that can run here: its name must end with {suffix}."
    if not file.is_file():
        base = bundle.root.parent
        seen = file.relative_to(base) if file.is_relative_to(base) else file
        near = [other.name for other in file.parent.glob(f"*{suffix}")] if file.parent.is_dir() else []
        return f"there is no file {seen}{hint(file.name, near)}"
    return ""


def _braces(file: Path) -> str:
    """The parameters that a file of SQL has as ``{{name}}``, the form of before named parameters."""
    if not file.is_file():
        return ""
    found = re.findall(r"\{\{\s*\w+\s*\}\}", file.read_text(encoding="utf-8", errors="replace"))
    return ", ".join(dict.fromkeys(found))


def _package(name: str) -> str:
    try:
        distribution(name)
    except PackageNotFoundError:
        return f"the package {name} is not installed here; install its wheel."
    return ""


def _other_job(bundle: Bundle, number: str, parameters: dict[str, str]) -> Iterator[tuple[tuple[Step, ...], str]]:
    other = bundle.job_of(int(number)) if number.isdecimal() else None
    if other is None:
        text = f"job {number} is not of this bundle; write ${{resources.jobs.KEY.id}}{hint('', bundle.jobs)}"
        yield ("run_job_task", "job_id"), text
        return
    declared = [parameter.name for parameter in bundle.jobs[other].parameters]
    for name in parameters:
        if name not in declared:
            path = ("run_job_task", "job_parameters", name)
            yield path, f"the job {other} has no parameter {name}{hint(name, declared)}"


def _calendar(schedule: Schedule) -> Iterator[tuple[str, str]]:
    try:
        ZoneInfo(schedule.timezone_id)
    except (KeyError, OSError, ValueError):
        yield "timezone_id", f"{schedule.timezone_id} is not a time zone; write one such as Europe/Berlin or UTC."
        return
    from lakeward.jobs.schedule.quartz import Cron

    try:
        Cron.parse(schedule.quartz_cron_expression, schedule.timezone_id)
    except (LakewardError, ValueError) as error:
        yield "quartz_cron_expression", f"{schedule.quartz_cron_expression}: {error}"
