"""Dynamic value references: ``{{job.run_id}}`` and its like, filled in when a task starts.

Source: Databricks documentation, "What is a dynamic value reference?". What is not documented there is refused: on
Databricks it would stay in the text as it is, or be an error.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lakeward.jobs.bundle.job import BaseTask, ForEachTask

_REFERENCE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_STEP = r"(?:\w+|`[^`]+`)"
_WHOLE = re.compile(rf"{_STEP}(?:\.{_STEP})*", re.ASCII)

TIMES = frozenset(
    ("iso_weekday", "is_weekday", "iso_date", "iso_datetime", "year", "month", "day", "hour", "minute", "second")
) | {"timestamp_ms"}
"""What can be asked of a time, all in UTC."""

RENAMED = {
    "job_id": "job.id",
    "run_id": "task.run_id",
    "parent_run_id": "job.run_id",
    "start_date": "job.start_time.iso_date",
    "start_time": "job.start_time.timestamp_ms",
    "task_retry_count": "task.execution_count",
    "task_key": "task.name",
}
"""Old references, and what they are called now."""


@dataclass(frozen=True)
class Reference:
    """One reference: what stands inside the braces, and its steps without backticks."""

    text: str
    steps: tuple[str, ...]

    @property
    def task(self) -> str | None:
        """Key of the other task that it asks, if it asks one."""
        return self.steps[1] if len(self.steps) > 1 and self.steps[0] == "tasks" else None

    @property
    def parameter(self) -> str | None:
        """Name of the job parameter that it asks for, if it asks for one."""
        return self.steps[2] if len(self.steps) == 3 and self.steps[:2] == ("job", "parameters") else None

    @property
    def wrong(self) -> str:
        """Why it is refused; empty if it is documented."""
        if self.text in RENAMED:
            return f"is the old form; write {{{{{RENAMED[self.text]}}}}}."
        if not self.steps:
            return "is not a reference: names of letters, digits and _, others in `backticks`, with dots between."
        return "" if _documented(self.steps) else "is not a reference that Databricks documents."


def references(text: str) -> list[Reference]:
    """Return the references in a text, in their order."""
    return [_parsed(match[1]) for match in _REFERENCE.finditer(text)]


def resolve(text: str, look_up: Callable[[str], str]) -> str:
    """Return a text with each reference replaced.

    Parameters
    ----------
    look_up : callable
        Gets what stands inside the braces, such as ``tasks.a.values.k``; `steps` takes it apart.
    """
    return _REFERENCE.sub(lambda match: look_up(match[1]), text)


def steps(inside: str) -> tuple[str, ...]:
    """Return the steps of what stands inside the braces, without backticks; none if it is not well formed."""
    if not _WHOLE.fullmatch(inside):
        return ()
    return tuple(step.strip("`") for step in re.findall(_STEP, inside, re.ASCII))


def texts(task: BaseTask) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every text of a task in which references are filled in, with its path in the task; not a loop's task."""
    if task.notebook_task:
        yield from _entries(("notebook_task", "base_parameters"), task.notebook_task.base_parameters)
    if task.condition_task:
        yield ("condition_task", "left"), task.condition_task.left
        yield ("condition_task", "right"), task.condition_task.right
    if task.run_job_task:
        yield from _entries(("run_job_task", "job_parameters"), task.run_job_task.job_parameters)
    if task.python_wheel_task:
        wheel = task.python_wheel_task
        yield from _entries(("python_wheel_task", "named_parameters"), wheel.named_parameters)
        yield from _items(("python_wheel_task", "parameters"), wheel.parameters)
    if task.spark_python_task:
        yield from _items(("spark_python_task", "parameters"), task.spark_python_task.parameters)
    if task.sql_task:
        yield from _entries(("sql_task", "parameters"), task.sql_task.parameters)
    loop = getattr(task, "for_each_task", None)
    if isinstance(loop, ForEachTask):
        yield ("for_each_task", "inputs"), loop.inputs


def _entries(path: tuple[str, ...], values: dict[str, str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for key, text in values.items():
        yield (*path, key), text


def _items(path: tuple[str, ...], values: list[str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for index, text in enumerate(values):
        yield (*path, index), text


def _parsed(inside: str) -> Reference:
    return Reference(inside, steps(inside))


def _documented(path: tuple[str, ...]) -> bool:
    match path:
        case ("job", *rest):
            return _of_job(rest)
        case ("task", what):
            return what in ("name", "run_id", "execution_count", "notebook_path")
        case ("tasks", _, what):
            return what in ("run_id", "result_state", "error_code", "execution_count", "notebook_path")
        case ("tasks", _, "values", _) | ("tasks", _, "output", "rows") | ("tasks", _, "output", "first_row", _):
            return True
        case ("workspace", "id" | "url") | ("input",) | ("input", _):
            return True
        case _:
            return False


def _of_job(path: list[str]) -> bool:
    match path:
        case ["id" | "name" | "run_id" | "repair_count"] | ["parameters", _] | ["trigger", "type"]:
            return True
        case ["start_time", time] | ["trigger", "time", time]:
            return time in TIMES
        case ["trigger", "file_arrival", "location"] | ["trigger", "table_update", "updated_tables"]:
            return True
        case ["trigger", "table_update", _, *_, "version"]:
            return True
        case ["trigger", "table_update", _, *_, "commit_timestamp", time]:
            return time in TIMES
        case _:
            return False
