"""What the pages draw: the task graph with its states, the timeline of tries, and how long the last runs took."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lakeward.jobs.bundle.job import Job
from lakeward.jobs.record.record import now
from lakeward.jobs.record.rows import Attempt, Run, State, TaskRun
from lakeward.pages import graph, states
from lakeward.pages.rendering import duration, took

_LABEL, _SUBJECT, _TIME = 24, 30, 11
"""Characters that a box has room for."""
_MOST_ROWS = 1000
_SIGNS = {
    "EQUAL_TO": "=",
    "NOT_EQUAL": "≠",
    "GREATER_THAN": ">",
    "GREATER_THAN_OR_EQUAL": "≥",
    "LESS_THAN": "<",
    "LESS_THAN_OR_EQUAL": "≤",
}


@dataclass(frozen=True)
class Box:
    """A task in the graph; `state` is None where it is shown outside of any run."""

    task: str
    x: int
    y: int
    label: str
    subject: str
    time: str
    state: State | None


@dataclass(frozen=True)
class Line:
    """An arrow in the graph; `label` is the outcome that it asks for."""

    path: str
    kind: str
    label: str
    x: int
    y: int


@dataclass(frozen=True)
class Graph:
    """The task graph, sizes in pixels."""

    width: int
    height: int
    boxes: list[Box]
    lines: list[Line]


@dataclass(frozen=True)
class Bar:
    """A bar; `start` and `length` are shares of the whole, in percent."""

    start: float
    length: float
    kind: str
    title: str


@dataclass(frozen=True)
class Row:
    """A task or iteration in the timeline, with its tries."""

    task: str
    iteration: int | None
    state: State
    time: str
    bars: list[Bar]


@dataclass(frozen=True)
class Timeline:
    """When each task ran; `ticks` are places on the axis, in percent, with their times; `more` rows are left out."""

    rows: list[Row]
    ticks: list[tuple[int, str]]
    more: int


def of_job(job: Job) -> Graph:
    """Return a job's graph, with no states."""
    return _graph(job.model_dump(mode="json")["tasks"], {}, {})


def of_run(run: Run, tasks: Sequence[TaskRun]) -> Graph:
    """Return the graph of a run."""
    loops: dict[str, list[TaskRun]] = {}
    for task in tasks:
        if task.iteration is not None:
            loops.setdefault(task.task, []).append(task)
    return _graph(run.settings.get("tasks", []), {task.task: task for task in tasks if task.iteration is None}, loops)


def timeline(run: Run, tasks: Sequence[TaskRun], attempts: Iterable[Attempt]) -> Timeline:
    """Return the timeline of a run, tasks in the order in which they began."""
    began = run.started or run.created
    whole = max((run.ended or now()) - began, 1)
    bars: dict[tuple[str, int | None], list[Bar]] = {}
    for attempt in attempts:
        bars.setdefault((attempt.task, attempt.iteration), []).append(_bar(attempt, began, whole))
    shown = sorted((task for task in tasks if (task.task, task.iteration) in bars), key=lambda task: task.started or 0)
    rows = [
        Row(task.task, task.iteration, task.state, took(task), bars[task.task, task.iteration])
        for task in shown[:_MOST_ROWS]
    ]
    ticks = [(share, duration(whole * share // 100) if share else "0") for share in (0, 25, 50, 75, 100)]
    return Timeline(rows, ticks, max(len(shown) - _MOST_ROWS, 0))


def durations(runs: Sequence[Run]) -> list[tuple[Run, Bar]]:
    """Return the runs, oldest first, each with a bar that is as long as it took."""
    spans = [(run.ended or now()) - run.started if run.started else 0 for run in runs]
    longest = max([*spans, 1])
    return [
        (run, Bar(0, max(100 * span / longest, 3), states.kind(run.state), f"Run {run.run_id}"))
        for run, span in reversed(list(zip(runs, spans, strict=True)))
    ]


def _graph(
    tasks: Sequence[Mapping[str, Any]], runs: Mapping[str, TaskRun], loops: Mapping[str, Sequence[TaskRun]]
) -> Graph:
    wanted = {task["task_key"]: {d["task_key"]: d.get("outcome") for d in task.get("depends_on", [])} for task in tasks}
    subjects = {task["task_key"]: _subject(task) for task in tasks}
    drawing = graph.draw({task: list(dependencies) for task, dependencies in wanted.items()})
    boxes = [
        Box(
            node.task,
            node.x,
            node.y,
            _cut(node.task, _LABEL),
            _cut(
                _count(loops.get(node.task, ())) or subjects[node.task],
                _SUBJECT - _TIME * bool(took(runs.get(node.task))),
            ),
            took(runs.get(node.task)),
            runs[node.task].state if node.task in runs else None,
        )
        for node in drawing.nodes
    ]
    corners = {node.task: (node.x, node.y) for node in drawing.nodes}
    lines = [
        Line(
            edge.path,
            states.kind(runs[edge.source].state) if edge.source in runs else "",
            wanted[edge.target].get(edge.source) or "",
            corners[edge.target][0] - 6,
            corners[edge.target][1] + graph.HEIGHT // 2 - 5,
        )
        for edge in drawing.edges
    ]
    return Graph(drawing.width, drawing.height, boxes, lines)


def _subject(task: Mapping[str, Any]) -> str:
    """What a task does, in a few characters."""
    name = next((name for name in task if name.endswith("_task") and task[name]), "")
    work = task.get(name, {})
    match name:
        case "notebook_task":
            return PurePosixPath(work["notebook_path"]).stem
        case "spark_python_task":
            return PurePosixPath(work["python_file"]).name
        case "sql_task":
            return PurePosixPath(work["file"]["path"]).name
        case "for_each_task":
            return f"for each: {_subject(work['task'])}"
        case "condition_task":
            return f"{_last(work['left'])} {_SIGNS[work['op']]} {_last(work['right'])}"
        case "python_wheel_task":
            return f"{work['package_name']}.{work['entry_point']}"
        case _:
            return name.removesuffix("_task").replace("_", " ")


def _last(operand: str) -> str:
    """The last part of a reference, or what is no reference."""
    return operand.strip("{} ").rpartition(".")[2] if operand.startswith("{{") else operand


def _count(iterations: Sequence[TaskRun]) -> str:
    done = sum(states.kind(iteration.state) == "ok" for iteration in iterations)
    return f"{done} of {len(iterations)} done" if iterations else ""


def _bar(attempt: Attempt, began: int, whole: int) -> Bar:
    start = min(max(100 * (attempt.started - began) / whole, 0), 100)
    length = 100 * ((attempt.ended or now()) - attempt.started) / whole
    title = f"Attempt {attempt.number + 1}: {states.word(attempt.state)}, {took(attempt)}"
    return Bar(round(start, 2), round(min(max(length, 0.3), 100 - start), 2), states.kind(attempt.state), title)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
