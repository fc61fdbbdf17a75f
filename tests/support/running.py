"""Jobs that tests make, and how their runs are."""

from typing import Any

from lakeward.jobs.bundle.job import Job
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.runner.order import Order


def order(*tasks: dict[str, Any], **job: Any) -> Order:
    settings = {"name": "A job", "tasks": list(tasks), **job}
    return Order("a_job", Job.model_validate(settings), settings)


def after(*keys: str, **outcome: str) -> list[dict[str, Any]]:
    return [{"task_key": key, **outcome} for key in keys]


def states(record: Record, run: Run) -> dict[str, str]:
    """How each task is now."""
    return {
        f"{row.task}.{row.iteration}" if row.iteration is not None else row.task: str(row.state)
        for row in record.tasks(run.run_id)
    }
