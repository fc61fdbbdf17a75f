"""The task graph as a drawing: layers by the longest path, few crossings, no edge through a task.

Source: Sugiyama, Tagawa, Toda (1981), Methods for visual understanding of hierarchical system structures.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean

WIDTH, HEIGHT = 208, 44
_COLUMN, _GAP, _MARGIN = WIDTH + 56, 14, 12
_MOST_BENDS = 2000
"""Bends that are worth their time; a graph with more long edges has them drawn straight."""

_Bend = tuple[str, str, int]
_Place = str | _Bend


@dataclass(frozen=True)
class Node:
    """A task's box, by its upper left corner, in pixels."""

    task: str
    x: int
    y: int


@dataclass(frozen=True)
class Edge:
    """A line from a task to one that depends on it, as an SVG path."""

    source: str
    target: str
    path: str


@dataclass(frozen=True)
class Drawing:
    """The whole graph, in pixels."""

    width: int
    height: int
    nodes: list[Node]
    edges: list[Edge]


def draw(depends_on: Mapping[str, Sequence[str]]) -> Drawing:
    """Lay out tasks from left to right.

    Parameters
    ----------
    depends_on : mapping of str to sequence of str
        Each task with those before it.
    """
    before = {task: [d for d in dict.fromkeys(wanted) if d in depends_on] for task, wanted in depends_on.items()}
    layer = _layers(before)
    edges = [(d, task) for task, wanted in before.items() for d in wanted if layer[d] < layer[task]]
    routes = _routes(edges, layer)
    rows = _rows(layer, routes)
    y = _heights(rows, routes)
    top = min(y.values(), default=0) - _MARGIN - HEIGHT // 2
    at = {
        place: (_MARGIN + number * _COLUMN, round(y[place] - top)) for number, row in enumerate(rows) for place in row
    }
    return Drawing(
        width=2 * _MARGIN + max(len(rows) * _COLUMN + WIDTH - _COLUMN, 0),
        height=_MARGIN + HEIGHT // 2 + max((middle for _, middle in at.values()), default=0),
        nodes=[Node(task, at[task][0], at[task][1] - HEIGHT // 2) for task in before],
        edges=[Edge(*edge, _path([at[place] for place in route])) for edge, route in routes.items()],
    )


def _layers(before: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Longest path to each task; tasks on a circle, which no job that was checked has, stay in the first layer."""
    after: dict[str, list[str]] = {task: [] for task in before}
    for task, wanted in before.items():
        for dependency in wanted:
            after[dependency].append(task)
    missing = {task: len(wanted) for task, wanted in before.items()}
    layer = dict.fromkeys(before, 0)
    ready = [task for task, count in missing.items() if not count]
    for task in ready:
        for follower in after[task]:
            layer[follower] = max(layer[follower], layer[task] + 1)
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    return layer


def _routes(edges: Sequence[tuple[str, str]], layer: Mapping[str, int]) -> dict[tuple[str, str], list[_Place]]:
    """Each edge as the places it goes through: a bend in every layer between its two tasks."""
    bends = sum(layer[target] - layer[source] - 1 for source, target in edges)
    return {
        (source, target): [
            source,
            *((source, target, number) for number in range(layer[source] + 1, layer[target]) if bends <= _MOST_BENDS),
            target,
        ]
        for source, target in edges
    }


def _rows(layer: Mapping[str, int], routes: Mapping[tuple[str, str], list[_Place]]) -> list[list[_Place]]:
    """Places of each layer, ordered by the middle of their neighbors, forth and back."""
    rows: list[list[_Place]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for task, number in layer.items():
        rows[number].append(task)
    for (source, _), route in routes.items():
        for number, place in enumerate(route[1:-1], start=layer[source] + 1):
            rows[number].append(place)
    left, right = _neighbors(routes.values())
    for neighbors, ordered in 3 * ((left, rows), (right, rows[::-1])):
        for row, other in zip(ordered[1:], ordered, strict=False):
            index = {place: number for number, place in enumerate(other)}
            middle = {place: _middle(place, neighbors, index, own) for own, place in enumerate(row)}
            row.sort(key=middle.__getitem__)
    return rows


def _heights(rows: Sequence[list[_Place]], routes: Mapping[tuple[str, str], list[_Place]]) -> dict[_Place, float]:
    """Middle of each place from top to bottom: near its neighbors, in its row's order, with room between."""
    y: dict[_Place, float] = {}
    for row in rows:
        y.update(zip(row, accumulate((_room(*two) for two in pairwise(row)), initial=0.0), strict=False))
    left, right = _neighbors(routes.values())
    for neighbors, ordered in 2 * ((left, rows[1:]), (right, rows[-2::-1])):
        for row in ordered:
            wanted = [_middle(place, neighbors, y, y[place]) for place in row]
            placed = [wanted[0]]
            for two, one in zip(pairwise(row), wanted[1:], strict=True):
                placed.append(max(one, placed[-1] + _room(*two)))
            shift = fmean(wanted) - fmean(placed)
            y.update(zip(row, (one + shift for one in placed), strict=True))
    return y


def _room(upper: _Place, lower: _Place) -> float:
    """Distance of two places' middles; a bend needs none of a box's height."""
    return _GAP + sum(HEIGHT / 2 for place in (upper, lower) if isinstance(place, str))


def _neighbors(routes: Iterable[Sequence[_Place]]) -> tuple[dict[_Place, list[_Place]], dict[_Place, list[_Place]]]:
    left: dict[_Place, list[_Place]] = {}
    right: dict[_Place, list[_Place]] = {}
    for route in routes:
        for one, next_one in pairwise(route):
            right.setdefault(one, []).append(next_one)
            left.setdefault(next_one, []).append(one)
    return left, right


def _middle(place: _Place, neighbors: Mapping[_Place, list[_Place]], at: Mapping[_Place, float], own: float) -> float:
    found = [at[neighbor] for neighbor in neighbors.get(place, ()) if neighbor in at]
    return fmean(found) if found else own


def _path(points: Sequence[tuple[int, int]]) -> str:
    """A curve from the right side of the first box over the middles of the bends to the left side of the last."""
    (x, y), *rest = points
    parts = [f"M{x + WIDTH} {y}"]
    x += WIDTH
    for number, (next_x, next_y) in enumerate(rest, start=1):
        half = (next_x - x) // 2
        parts.append(f"C{x + half} {y} {next_x - half} {next_y} {next_x} {next_y}")
        x, y = next_x, next_y
        if number < len(rest):
            parts.append(f"h{WIDTH}")
            x += WIDTH
    return "".join(parts)
