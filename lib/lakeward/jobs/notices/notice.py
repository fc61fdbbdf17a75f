"""What a notice says: names, states, times, and of a failure what the record keeps of it; no parameter and no path."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from lakeward.jobs.record.record import Record, now
from lakeward.jobs.record.rows import Run, TaskRun

Event = Literal["start", "success", "failure", "duration_warning"]

_FIELDS: dict[Event, str] = {"duration_warning": "on_duration_warning_threshold_exceeded"}
_MOST_FAILURES = 5


def field(event: Event) -> str:
    """Return the field of the Jobs API that asks for an event, such as ``on_failure``."""
    return _FIELDS.get(event, f"on_{event}")


@dataclass(frozen=True)
class Notice:
    """One event of a run, or of a task of it."""

    event: Event
    run: Run
    task: TaskRun | None

    @property
    def subject(self) -> str:
        """The line that a list of mails shows."""
        what = _one_line(self.run.name)
        if self.task:
            what += f", task {self._task_name}"
        return f"[Lakeward] {what}: {self._happened} (run {self.run.run_id})"

    @property
    def text(self) -> str:
        """The mail."""
        lines = {
            "Job": f"{_one_line(self.run.name)} ({self.run.job}), target {self.run.target}",
            "Run": f"{self.run.run_id}, started by {self.run.started_by} of {self.run.user}",
            "Task": self._task_name,
            "State": f"{self._row.state.life_cycle} {self._row.state.result or ''}".strip(),
            "Started": _time(self._row.started),
            "Took": self._duration,
        }
        told = [f"{name + ':':9}{value}" for name, value in lines.items() if value]
        return "\n".join([*told, *self._failures, "", f"More: lakeward jobs show {self.run.run_id}", ""])

    @property
    def payload(self) -> dict[str, Any]:
        """What is posted, worded as Databricks does.

        Source: Databricks, Add notifications on a job, HTTP webhook payloads. A task's run has no number of its own
        here: both numbers are those of the job's run. The workspace is the bundle's target.
        """
        run = str(self.run.run_id)
        return {
            "event_type": f"jobs.{field(self.event)}",
            "workspace_id": self.run.target,
            **({"task": {"task_key": self.task.task}} if self.task else {}),
            "run": {"run_id": run, "parent_run_id": run} if self.task else {"run_id": run},
            "job": {"job_id": self.run.job, "name": self.run.name},
        }

    @property
    def _row(self) -> Run | TaskRun:
        return self.task or self.run

    @property
    def _task_name(self) -> str:
        if not self.task:
            return ""
        return self.task.task if self.task.iteration is None else f"{self.task.task}, iteration {self.task.iteration}"

    @property
    def _happened(self) -> str:
        match self.event:
            case "start":
                return "started"
            case "success":
                return "succeeded" if str(self._row.state) == "SUCCESS" else str(self._row.state).lower()
            case "duration_warning":
                return "takes longer than expected"
            case "failure":
                return str(self._row.state).lower().replace("_", " ")

    @property
    def _duration(self) -> str:
        if self._row.started is None or self.event == "start":
            return ""
        return f"{((self._row.ended or now()) - self._row.started) / 1000:.0f} s"

    @property
    def _failures(self) -> list[str]:
        """The last failure of each task that the notice is about."""
        if self.event != "failure":
            return []
        last = {
            (attempt.task, attempt.iteration): attempt
            for attempt in Record(self.run.folder.parents[1]).attempts(self.run.run_id)
            if not self.task or (attempt.task, attempt.iteration) == (self.task.task, self.task.iteration)
        }
        failed = [attempt for attempt in last.values() if attempt.failure]
        told = [
            f"{attempt.task}{f', cell {attempt.failure.cell}' if attempt.failure.cell else ''}: {attempt.failure.what}"
            for attempt in failed[:_MOST_FAILURES]
            if attempt.failure
        ]
        more = len(failed) - len(told)
        return ["", *told, *([f"and {more} more"] if more else [])] if told else []


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _time(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at / 1000, UTC).isoformat(sep=" ", timespec="seconds")
