"""Checks of a job's tasks: keys, dependencies, outcomes, cycles."""

from collections import Counter
from collections.abc import Iterable, Iterator

from lakeward.jobs.bundle.bundle import Bundle
from lakeward.jobs.bundle.faults import Fault, hint
from lakeward.jobs.bundle.graph import cycle
from lakeward.jobs.bundle.job import BaseTask, Task
from lakeward.jobs.bundle.places import Step


def graph_faults(bundle: Bundle, key: str) -> Iterator[Fault]:
    """Yield what is wrong with the tasks' graph of a job."""
    job = bundle.jobs[key]
    yield from _twice(bundle, key, "tasks", "task_key", [task.task_key for task in job.tasks])
    yield from _twice(bundle, key, "parameters", "name", [parameter.name for parameter in job.parameters])
    yield from _twice(bundle, key, "job_clusters", "job_cluster_key", [one.job_cluster_key for one in job.job_clusters])
    yield from _twice(bundle, key, "environments", "environment_key", [one.environment_key for one in job.environments])
    kinds = {task.task_key: task for task in job.tasks}
    for index, task in enumerate(job.tasks):
        for number, one in enumerate(task.depends_on):
            if reason := _dependency(kinds, task, one.task_key, one.outcome):
                yield bundle.fault(key, "tasks", index, "depends_on", number, text=f"{task.task_key} {reason}")
        yield from _shared(bundle, key, index, task)
    known = {task.task_key: [one.task_key for one in task.depends_on] for task in job.tasks}
    if loop := cycle(known):
        index = next(i for i, task in enumerate(job.tasks) if task.task_key == loop[0])
        text = f"tasks that wait for each other: {' -> '.join(loop)}. Take out one depends_on."
        yield bundle.fault(key, "tasks", index, "depends_on", text=text)


def every_task(index: int, task: Task) -> Iterator[tuple[tuple[Step, ...], BaseTask]]:
    """Yield a task with its path in the job, and after a loop the task inside it."""
    yield ("tasks", index), task
    if task.for_each_task:
        yield ("tasks", index, "for_each_task", "task"), task.for_each_task.task


def _twice(bundle: Bundle, key: str, part: str, name: str, values: list[str]) -> Iterator[Fault]:
    for value in [value for value, count in Counter(values).items() if count > 1]:
        index = len(values) - 1 - values[::-1].index(value)
        yield bundle.fault(key, part, index, name, text=f"the {name} {value} is there twice; give it another.")


def _dependency(tasks: dict[str, Task], task: Task, before: str, outcome: str | None) -> str:
    if before == task.task_key:
        return "depends on itself."
    if before not in tasks:
        return f"depends on {before}, which is not a task of this job{hint(before, tasks)}"
    if outcome and not tasks[before].condition_task:
        return f"asks for the outcome of {before}, which is not a condition_task; take the outcome out."
    if [one.task_key for one in task.depends_on].count(before) > 1 and not tasks[before].condition_task:
        return f"depends on {before} twice."
    return ""


def _shared(bundle: Bundle, key: str, index: int, task: Task) -> Iterator[Fault]:
    """Clusters and environments that a task names must be the job's."""
    job = bundle.jobs[key]
    clusters = [one.job_cluster_key for one in job.job_clusters]
    environments = [one.environment_key for one in job.environments]
    path: tuple[Step, ...] = ("tasks", index)
    for where, one in every_task(index, task):
        yield from _named(bundle, key, (*where, "job_cluster_key"), one.job_cluster_key, clusters)
        yield from _named(bundle, key, (*where, "environment_key"), one.environment_key, environments)
        if where != path and one.depends_on:
            yield bundle.fault(key, *where, "depends_on", text="a loop's task has none before it; give it to the loop.")


def _named(bundle: Bundle, key: str, path: tuple[Step, ...], name: str | None, known: Iterable[str]) -> Iterator[Fault]:
    if name is not None and name not in known:
        yield bundle.fault(key, *path, text=f"the job has no {path[-1]} {name}{hint(name, known)}")
