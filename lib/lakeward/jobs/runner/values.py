"""What the references in a task stand for once it starts.

Source: Databricks documentation, What is a dynamic value reference?
"""

import json
from datetime import UTC, datetime
from typing import Any

from lakeward.jobs.bundle.job import Job
from lakeward.jobs.bundle.references import steps
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run, TaskRun
from lakeward.jobs.record.states import Started
from lakeward.jobs.runner.order import Order
from lakeward.workspace.errors import LakewardError

_TIMES = {
    "iso_date": "%Y-%m-%d",
    "year": "%Y",
    "month": "%m",
    "day": "%d",
    "hour": "%H",
    "minute": "%M",
    "second": "%S",
}
_TRIGGERS = {
    Started.ONE_TIME: "one_time",
    Started.PERIODIC: "periodic",
    Started.FILE_ARRIVAL: "file_arrival",
    Started.TABLE: "table_update",
    Started.RUN_JOB_TASK: "run_job_task",
    Started.RETRY: "retry",
}


class NoValue(LakewardError):
    """A reference stands for nothing, for example for a value that a task has not set."""


class References:
    """Looks up the inside of ``{{ }}`` for one task.

    Parameters
    ----------
    item : object
        The input of a loop's iteration; the task is in no loop if it is left out.
    """

    def __init__(self, record: Record, run: Run, order: Order, task: str, *item: Any, attempt: int = 0) -> None:
        self._record = record
        self._run = run
        self._order = order
        self._task = task
        self._item = item
        self._attempt = attempt

    def __call__(self, reference: str) -> str:
        """Return what a reference stands for, as text.

        Raises
        ------
        NoValue
            If that is nothing.
        """
        found = self._find(list(steps(reference)))
        if found is None:
            raise NoValue(f"{{{{{reference}}}}} stands for nothing when the task {self._task} starts.")
        return found if isinstance(found, str) else json.dumps(found)

    def _find(self, parts: list[str]) -> Any:
        match parts:
            case ["job", *rest]:
                return self._of_job(rest)
            case ["task", *rest]:
                return self._of_task(self._task, rest)
            case ["tasks", name, "values", *key]:
                return self._record.values(self._run.run_id).get((name, None), {}).get(".".join(key))
            case ["tasks", name, *rest]:
                return self._of_task(name, rest)
            case ["input", *keys]:
                return self._of_input(keys)
            case ["workspace", "id" | "url"]:
                return "local"
        return None

    def _of_job(self, what: list[str]) -> Any:
        match what:
            case ["id"]:
                return self._order.number
            case ["name"]:
                return self._run.name
            case ["run_id"]:
                return self._run.run_id
            case ["repair_count"]:
                return self._run.repairs
            case ["start_time", kind]:
                return _time(self._run.started or self._run.created, kind)
            case ["parameters", *name]:
                return self._run.parameters.get(".".join(name))
            case ["trigger", "type"]:
                return _TRIGGERS[self._run.started_by]
            case ["trigger", "time", kind]:
                return _time(self._run.created, kind)
            case ["trigger", "file_arrival", "location"]:
                trigger = self._order.job.trigger
                return trigger.file_arrival.url if trigger and trigger.file_arrival else None
        return None

    def _of_input(self, keys: list[str]) -> Any:
        found = self._item[0] if self._item else None
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def _of_task(self, name: str, what: list[str]) -> Any:
        match what:
            case ["name"]:
                return name
            case ["run_id"]:
                # Here a task has no number of its own.
                return f"{self._run.run_id}/{name}"
            case ["execution_count"]:
                return self._attempt + 1 if name == self._task else getattr(self._row(name), "attempts", 0)
            case ["notebook_path"]:
                return _notebook(self._order.job, name)
            case ["result_state"]:
                row = self._row(name)
                return str(row.state.result).lower() if row and row.state.result else None
            case ["error_code"]:
                row = self._row(name)
                return str(row.state.code or "") if row else None
            case ["outcome"]:
                row = self._row(name)
                return row.value if row else None
        return None

    def _row(self, name: str) -> TaskRun | None:
        return self._record.task(self._run.run_id, name)


def _notebook(job: Job, name: str) -> str | None:
    task = next((task for task in job.every_task() if task.task_key == name), None)
    return task.notebook_task.notebook_path if task and task.notebook_task else None


def _time(milliseconds: int, kind: str) -> Any:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    match kind:
        case "iso_datetime":
            return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}+00:00"
        case "timestamp_ms":
            return milliseconds
        case "iso_weekday":
            return moment.isoweekday()
        case "is_weekday":
            return moment.isoweekday() <= 5
    return moment.strftime(_TIMES[kind]) if kind in _TIMES else None
