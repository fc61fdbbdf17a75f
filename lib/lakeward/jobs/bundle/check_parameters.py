"""Checks of parameters: each is declared by a notebook that gets it, and fits its model."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakeward.jobs.bundle.bundle import Bundle
from lakeward.jobs.bundle.check_graph import every_task
from lakeward.jobs.bundle.faults import Fault, hint
from lakeward.jobs.bundle.job import BaseTask, Job
from lakeward.jobs.bundle.models import Verdict, judge
from lakeward.jobs.bundle.places import Step
from lakeward.jobs.bundle.references import references, texts
from lakeward.workspace.errors import ParameterError


@dataclass(frozen=True)
class _Use:
    """A task that runs a notebook: where it is, and what it is given; what holds a reference is known later."""

    job: str
    path: tuple[Step, ...]
    notebook: Path
    base: Mapping[str, str]
    values: Mapping[str, str]


def parameter_faults(bundle: Bundle, given: Mapping[str, Mapping[str, str]]) -> Iterator[Fault]:
    """Yield what is wrong with parameters; `given` has the jobs to look at, each with values that replace defaults."""
    uses = [use for key, values in given.items() for use in _uses(bundle, key, values)]
    sets: dict[Path, list[Mapping[str, str]]] = {}
    for use in uses:
        sets.setdefault(use.notebook, []).append(use.values)
    try:
        verdicts = judge(sets)
    except ParameterError as error:
        yield bundle.fault(next(iter(given)), "tasks", text=str(error))
        return
    for use, wrong in zip(uses, _in_order(uses, verdicts), strict=True):
        yield from _of_task(bundle, use, verdicts[use.notebook], wrong)
    for key in given:
        yield from _unused(bundle, key, uses, verdicts)


def _uses(bundle: Bundle, key: str, given: Mapping[str, str]) -> Iterator[_Use]:
    job = bundle.jobs[key]
    own = {parameter.name: parameter.default for parameter in job.parameters} | dict(given)
    for index, task in enumerate(job.tasks):
        for path, one in every_task(index, task):
            if one.notebook_task:
                base = one.notebook_task.base_parameters
                known = {name: text for name, text in {**base, **own}.items() if "{{" not in text}
                yield _Use(key, path, Path(one.notebook_task.notebook_path), base, known)


def _in_order(uses: list[_Use], verdicts: Mapping[Path, Verdict]) -> Iterator[Mapping[str, str]]:
    left = {path: iter(verdict.wrong) for path, verdict in verdicts.items()}
    for use in uses:
        yield next(left[use.notebook])


def _of_task(bundle: Bundle, use: _Use, verdict: Verdict, wrong: Mapping[str, str]) -> Iterator[Fault]:
    declared = verdict.schema["properties"]
    base: tuple[Step, ...] = (*use.path, "notebook_task", "base_parameters")
    for name in use.base:
        if name not in declared:
            text = f"{use.notebook.name} has no parameter {name}{hint(name, declared)}"
            yield bundle.fault(use.job, *base, name, text=text)
    names = [parameter.name for parameter in bundle.jobs[use.job].parameters]
    for name, reason in wrong.items():
        path = ("parameters", names.index(name), "default") if name in names else (*base, name)
        yield bundle.fault(use.job, *path, text=f"the parameters do not fit {use.notebook.name}: {reason}")


def _unused(bundle: Bundle, key: str, uses: list[_Use], verdicts: Mapping[Path, Verdict]) -> Iterator[Fault]:
    job = bundle.jobs[key]
    tasks = list(job.every_task())
    declared = {name for use in uses if use.job == key for name in verdicts[use.notebook].schema["properties"]}
    asked = {reference.parameter for task in tasks for _, text in texts(task) for reference in references(text)}
    for index, parameter in enumerate(job.parameters):
        name = parameter.name
        if name not in declared | asked and not any(_takes(bundle, task, name) for task in tasks):
            text = f"no task asks for the parameter {name}{hint(name, sorted(declared))}"
            yield bundle.fault(key, "parameters", index, text=text)


def _takes(bundle: Bundle, task: BaseTask, name: str) -> bool:
    """Whether a task that is no notebook takes a named parameter: in its SQL, its wheel, or the job that it runs."""
    if task.sql_task:
        sql = Path(task.sql_task.file.path).read_text(encoding="utf-8", errors="replace")
        return re.search(rf"(?<!:):{re.escape(name)}\b", sql) is not None
    if task.run_job_task:
        other: Job = bundle.jobs[str(bundle.job_of(int(task.run_job_task.job_id)))]
        return name in [parameter.name for parameter in other.parameters]
    return bool(task.python_wheel_task and task.python_wheel_task.named_parameters)
