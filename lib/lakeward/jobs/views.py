"""What a person looks at in a notebook: a job's tasks, and how a run of it went, as tables."""

from typing import TYPE_CHECKING

from lakeward.jobs.bundle.job import BaseTask, Job
from lakeward.jobs.record.record import Record

if TYPE_CHECKING:
    import pandas as pd


def job_table(job: Job) -> "pd.DataFrame":
    """List a job's tasks: what each waits for, and what it does."""
    import pandas as pd

    lines = [
        {
            "task": task.task_key,
            "after": ", ".join(d.task_key + (f" = {d.outcome}" if d.outcome else "") for d in task.depends_on),
            "if": task.run_if if task.depends_on else "",
            "does": _does(task),
            "tries": "for ever" if task.max_retries < 0 else str(1 + task.max_retries),
        }
        for task in job.tasks
    ]
    return pd.DataFrame(lines).set_index("task")


def tasks_table(record: Record, run_id: int) -> "pd.DataFrame":
    """List the tasks of a run: state, tries, seconds, and the values that they handed on."""
    import pandas as pd

    values = record.values(run_id)
    lines = [
        {
            "task": task.task,
            "iteration": "" if task.iteration is None else f"{task.iteration}: {task.value}",
            "state": str(task.state),
            "tries": task.attempts,
            "seconds": None if task.ended is None or task.started is None else (task.ended - task.started) / 1000,
            "values": values.get((task.task, task.iteration), {}),
        }
        for task in record.tasks(run_id)
    ]
    return pd.DataFrame(lines).set_index("task")


def attempts_table(record: Record, run_id: int) -> "pd.DataFrame":
    """List the tries at a run's tasks: how each ended, and what is kept of it."""
    import pandas as pd

    lines = [
        {
            "attempt": attempt.folder.relative_to(record.run(run_id).folder).as_posix(),
            "state": str(attempt.state),
            "error": attempt.failure.error if attempt.failure else "",
            "kept": ", ".join(sorted(path.name for path in attempt.folder.iterdir())),
        }
        for attempt in record.attempts(run_id)
    ]
    return pd.DataFrame(lines, columns=["attempt", "state", "error", "kept"]).set_index("attempt")


def _does(task: BaseTask) -> str:
    """Return in a few words what a task does."""
    each = getattr(task, "for_each_task", None)
    if each:
        return f"for each of {each.inputs}: {_does(each.task)}"
    if task.condition_task:
        return f"{task.condition_task.left} {task.condition_task.op} {task.condition_task.right!r}"
    if task.notebook_task:
        return task.notebook_task.notebook_path.rpartition("/")[2]
    return task.kinds[0]
