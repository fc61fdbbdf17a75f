"""What a target changes: its sections are put over the bundle's, and its mode and presets on every job.

Source: Databricks documentation, "Databricks Asset Bundle deployment modes".
"""

from collections.abc import Mapping
from pathlib import Path

from lakeward.jobs.bundle.faults import BundleRefused, hint
from lakeward.jobs.bundle.merging import Merge
from lakeward.jobs.bundle.places import Node, Place

_DEVELOPMENT_RUNS = 4


def choose(targets: Mapping[str, Node], target: str | None, root: Path) -> str:
    """Return the name of the target that is wanted, or of the only one, or of the one marked as default.

    Raises
    ------
    BundleRefused
        If there is none, or it is not clear which.
    """
    here = Place(root, 0)
    if target is not None:
        if target not in targets:
            raise BundleRefused([here.fault(f"there is no target {target}{hint(target, targets)}", root.parent)])
        return target
    if len(targets) == 1:
        return next(iter(targets))
    marked = [name for name, node in targets.items() if (flag := node.at("default")) and flag.value is True]
    if len(marked) != 1:
        which = f"{' and '.join(marked)} are marked" if marked else "none is marked"
        text = f"{which} as default: choose a target with --target{hint('', targets)}"
        raise BundleRefused([here.fault(text, root.parent)])
    return marked[0]


def overlay(tree: Node, target: Node, base: Path) -> Node:
    """Return the tree with a target's sections put over it."""
    merge = Merge(base)
    for section in ("bundle", "workspace", "artifacts", "resources", "sync", "permissions", "presets"):
        if over := target.at(section):
            under = tree.at(section)
            tree = tree.with_entry(section, merge.nodes(under, over, (section,)) if under else over)
    if run_as := target.at("run_as"):
        tree = tree.with_entry("run_as", run_as)
    if merge.faults:
        raise BundleRefused(merge.faults)
    return tree


def presets_of(tree: Node, target: Node) -> Node:
    """Return the presets; a development target has its own, which the file's beat."""
    presets = tree.get("presets")
    if (mode := target.at("mode")) is None or mode.value != "development":
        return presets
    user = "${workspace.current_user.short_name}"
    place = mode.place
    tags = presets.get("tags")
    own = {
        "name_prefix": Node(f"[dev {user}] ", place),
        "trigger_pause_status": Node("PAUSED", place),
        "jobs_max_concurrent_runs": Node(_DEVELOPMENT_RUNS, place),
    }
    return Node({**own, **presets.entries, "tags": Node({"dev": Node(user, place), **tags.entries}, place)}, place)


def with_presets(job: Node, presets: Node) -> Node:
    """Return a job with presets on it; what it says itself holds, but for the prefix of its name."""
    entries = presets.entries
    if (prefix := entries.get("name_prefix")) and (name := job.at("name")):
        job = job.with_entry("name", Node(f"{prefix.value}{name.value}", name.place))
    if (tags := entries.get("tags")) and tags.entries:
        own = job.at("tags") or tags
        job = job.with_entry("tags", Node({**tags.entries, **own.entries}, own.place))
    if (runs := entries.get("jobs_max_concurrent_runs")) and "max_concurrent_runs" not in job.entries:
        job = job.with_entry("max_concurrent_runs", runs)
    for start in ("schedule", "trigger"):
        if (paused := entries.get("trigger_pause_status")) and (node := job.at(start)) and isinstance(node.value, dict):
            job = job.with_entry(start, Node({"pause_status": paused, **node.value}, node.place))
    return job
