"""Paths of files in a job: seen from the file that they stand in when written, whole when run."""

import re
from pathlib import Path
from typing import Any

from lakeward.jobs.bundle.job import Job
from lakeward.jobs.bundle.places import Node, Place

PATHS = (("notebook_task", "notebook_path"), ("spark_python_task", "python_file"), ("sql_task", "file", "path"))
"""Where in a task the paths of files stand."""


def absolute_paths(job: Node) -> Node:
    """Return a job with each path of a file made whole, links followed."""
    if (tasks := job.at("tasks")) is None or not tasks.items:
        return job
    return job.with_entry("tasks", Node([_absolute_task(task) for task in tasks.items], tasks.place))


def _absolute_task(task: Node) -> Node:
    for path in PATHS:
        if (node := task.at(*path)) and isinstance(node.value, str):
            task = _replace(task, path, Node(_absolute(node.value, node.place), node.place))
    if inner := task.at("for_each_task", "task"):
        task = _replace(task, ("for_each_task", "task"), _absolute_task(inner))
    return task


def _absolute(text: str, place: Place) -> str:
    """Return a path seen from the file that it stands in as a whole one; a whole one, or a URL, as it is."""
    if text.startswith("/") or re.match(r"[a-zA-Z][\w+.-]*:", text):
        return text
    return str((place.file.parent / text).resolve())


def _replace(node: Node, path: tuple[str, ...], value: Node) -> Node:
    if not path:
        return value
    child = node.child(path[0])
    return node.with_entry(path[0], _replace(child, path[1:], value)) if child else node


def settings_of(job: Job, base: Path) -> dict[str, Any]:
    """Return a job as the Jobs API words it: defaults left out, paths as seen from a folder."""
    settings: dict[str, Any] = job.model_dump(mode="json", exclude_defaults=True)
    for task in settings["tasks"]:
        for one in (task, task.get("for_each_task", {}).get("task", {})):
            if (called := one.get("run_job_task")) and called["job_id"].isdecimal():
                called["job_id"] = int(called["job_id"])
            for *parents, last in PATHS:
                holder = one
                for parent in parents:
                    holder = holder.get(parent, {})
                if last in holder and Path(holder[last]).is_relative_to(base):
                    holder[last] = Path(holder[last]).relative_to(base).as_posix()
    return settings
