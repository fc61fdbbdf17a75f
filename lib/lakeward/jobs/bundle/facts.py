"""What references ``${...}`` may name beside variables, with a local meaning for what a workspace would say."""

import hashlib
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakeward.jobs.bundle.places import Node, Place


def job_id(bundle: str, key: str) -> int:
    """Return the number of a job on this machine: the same each time, positive, below 2 to the power of 63."""
    digest = hashlib.sha256(f"{bundle}/{key}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def short_name(user: str) -> str:
    """Return what is before the @, in lower case, with one _ for whatever is no letter or digit."""
    return re.sub(r"[\W_]+", "_", user.partition("@")[0].lower()).strip("_")


def facts_of(tree: Node, variables: Mapping[str, Node], name: str, target: str, root: Path, user: str) -> Node:
    """Return what references may name, with a local meaning for what a workspace would say."""
    nowhere = Place(root, 0)

    def node(value: Any) -> Node:
        if isinstance(value, dict):
            return Node({key: node(inner) for key, inner in value.items()}, nowhere)
        return value if isinstance(value, Node) else Node(value, nowhere)

    short = short_name(user)
    current = {"userName": user, "short_name": short, "domain_friendly_name": short.replace("_", "-").lower()}
    given = tree.get("workspace").entries
    root_path = str(tree.get("workspace", "root_path").value or f"~/.bundle/{name}/{target}")
    parts = {"artifact_path": "artifacts", "resource_path": "resources", "state_path": "state"}
    # Files are not copied anywhere to be run here: they are where they are.
    workspace = {
        **{path: f"${{workspace.root_path}}/{part}" for path, part in parts.items()},
        **{**given, "root_path": re.sub("^~(?=/|$)", f"/Workspace/Users/{user}", root_path)},
        **{"file_path": str(_sync_root(tree, root)), "current_user": current},
    }
    mode = tree.get("targets", target, "mode")
    about = {**tree.get("bundle").entries, "target": target, "environment": target, "mode": mode}
    resources = tree.get("resources").entries
    jobs = tree.get("resources", "jobs").entries
    known = {key: job.with_entry("id", node(str(job_id(name, key)))) for key, job in jobs.items()}
    facts = {"bundle": about, "workspace": workspace, "resources": {**resources, "jobs": known}, "var": {**variables}}
    return node(facts)


def _sync_root(tree: Node, root: Path) -> Path:
    """Return the lowest folder that has the bundle and all that it uploads."""
    uploaded = [root / str(item.value) for item in tree.get("sync", "paths").items]
    folders = [root, *(path.resolve() for path in uploaded)]
    return next(folder for folder in (root, *root.parents) if all(path.is_relative_to(folder) for path in folders))


def git_facts(root: Path) -> Node:
    """Return commit, branch and origin of the repository that a folder is in; asked for only when named.

    What is not there is an empty text, as the CLI has it.
    """
    asked = {
        "commit": ["rev-parse", "HEAD"],
        "branch": ["rev-parse", "--abbrev-ref", "HEAD"],
        "origin_url": ["config", "remote.origin.url"],
    }
    said = {name: _ask_git(root, words) for name, words in asked.items()}
    return Node({name: Node(text, Place(root, 0)) for name, text in said.items()}, Place(root, 0))


def _ask_git(root: Path, words: list[str]) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
