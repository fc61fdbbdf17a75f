"""The order of a job's tasks."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from lakeward.jobs.bundle.job import Job


def cycle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the keys of a cycle, each depending on the next, the first again at the end; empty if there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def upstream(job: Job) -> dict[str, frozenset[str]]:
    """Return for each task all tasks that end before it starts.

    Raises
    ------
    graphlib.CycleError
        If there is a cycle.
    """
    edges = {task.task_key: [one.task_key for one in task.depends_on] for task in job.tasks}
    found: dict[str, frozenset[str]] = {}
    for key in TopologicalSorter(edges).static_order():
        before = edges.get(key, [])
        found[key] = frozenset(before).union(*(found[one] for one in before))
    return found
