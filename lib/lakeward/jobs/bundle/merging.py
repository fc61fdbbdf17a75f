"""Putting configuration together as the Databricks CLI does.

Mappings are merged, lists are joined, and of two other values the later one holds. In a job, tasks, job clusters and
parameters with the same key are merged too. Source: Databricks documentation, "Override with target settings".
"""

from pathlib import Path

from lakeward.jobs.bundle.faults import Fault
from lakeward.jobs.bundle.places import Node

BY_KEY = {"tasks": "task_key", "job_clusters": "job_cluster_key", "parameters": "name"}
"""Lists of a job whose items are known by a key."""


class Merge:
    """Merges nodes, and collects what does not fit together."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.faults: list[Fault] = []

    def nodes(self, first: Node, later: Node, path: tuple[str, ...] = ()) -> Node:
        """Return the two as one; `path` is where they stand, from the root."""
        if later.value is None:
            return first
        if first.value is None:
            return later
        if isinstance(first.value, dict) and isinstance(later.value, dict):
            return Node({**first.value, **self._common(first, later, path)}, first.place)
        if isinstance(first.value, list) and isinstance(later.value, list):
            return Node(self._items(first, later, path), first.place)
        if isinstance(first.value, dict | list) or isinstance(later.value, dict | list):
            was = f"a {_kind(first)} in {first.place.written(self.base)}"
            text = f"{'.'.join(path)} is a {_kind(later)} here, and {was}."
            self.faults.append(later.place.fault(text, self.base))
        return later

    def _common(self, first: Node, later: Node, path: tuple[str, ...]) -> dict[str, Node]:
        return {
            key: self.nodes(first.entries[key], node, (*path, key)) if key in first.entries else node
            for key, node in later.entries.items()
        }

    def _items(self, first: Node, later: Node, path: tuple[str, ...]) -> list[Node]:
        key = BY_KEY.get(path[-1]) if len(path) == 4 and path[:2] == ("resources", "jobs") else None
        items = list(first.items)
        places = {_key(item, key): index for index, item in enumerate(items)} if key else {}
        for item in later.items:
            index = places.get(_key(item, key)) if key else None
            if index is None:
                items.append(item)
            else:
                items[index] = self.nodes(items[index], item, (*path, str(index)))
        return items


def _key(item: Node, name: str | None) -> object:
    node = item.entries.get(name or "")
    return node.value if node and isinstance(node.value, str) else id(item)


def _kind(node: Node) -> str:
    if isinstance(node.value, dict):
        return "mapping"
    return "list" if isinstance(node.value, list) else "plain value"
