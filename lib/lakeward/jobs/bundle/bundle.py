"""Reading a bundle: ``databricks.yml`` and the job files that it includes, for one of its targets."""

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeward.jobs.bundle.facts import facts_of, job_id
from lakeward.jobs.bundle.faults import BundleRefused, Fault, hint
from lakeward.jobs.bundle.job import Job
from lakeward.jobs.bundle.paths import absolute_paths, settings_of
from lakeward.jobs.bundle.places import Node, Step
from lakeward.jobs.bundle.reading import read_all
from lakeward.jobs.bundle.root import FILES
from lakeward.jobs.bundle.shapes import check_shape
from lakeward.jobs.bundle.targets import choose, overlay, presets_of, with_presets
from lakeward.jobs.bundle.variables import References, values
from lakeward.workspace.errors import ConfigurationError


@dataclass(frozen=True)
class Bundle:
    """A bundle as it is for one target: variables, overrides and presets applied.

    Attributes
    ----------
    root : Path
        Folder of its ``databricks.yml``.
    targets : list of str
        All targets, in the file's order.
    jobs : mapping of str to Job
        By resource key; each path is absolute and local.
    settings : mapping of str to dict
        The same as the Jobs API words it: defaults left out, paths as seen from the folder that `root` is in.
    elsewhere : list of str
        What else it makes in a workspace, such as ``experiments.drift``; nothing of it is looked at here.
    workspace : mapping
        What it says of the workspace that it is deployed to: host, profile, paths.
    nodes : mapping of str to Node
        The jobs with the places of their values.
    """

    name: str
    root: Path
    target: str
    targets: list[str]
    jobs: Mapping[str, Job]
    settings: Mapping[str, dict[str, Any]]
    elsewhere: list[str]
    workspace: Mapping[str, Any]
    nodes: Mapping[str, Node]

    def job(self, key: str) -> Job:
        """Return one job.

        Raises
        ------
        ConfigurationError
            If there is none of that key.
        """
        if key not in self.jobs:
            raise ConfigurationError(f"The bundle {self.name} has no job {key}{hint(key, self.jobs)}")
        return self.jobs[key]

    def place(self, job: str, *path: Step) -> str:
        """Return file and line of a value of a job, such as ``jobs/a.job.yml:14``."""
        return self.nodes[job].place_of(*path).written(self.root.parent)

    def fault(self, job: str, *path: Step, text: str) -> Fault:
        """Return a fault at a value of a job."""
        return self.nodes[job].place_of(*path).fault(text, self.root.parent)

    def job_of(self, number: int) -> str | None:
        """Return the key of the job that has a number, if it is of this bundle."""
        return next((key for key in self.jobs if job_id(self.name, key) == number), None)


def find_root(start: Path | None = None) -> Path:
    """Return the folder of the bundle that a folder is in: its own, one above it, or ``jobs`` in one of them.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    start = (start or Path.cwd()).absolute()
    for folder in (start, *start.parents):
        for candidate in (folder, folder / "jobs"):
            if any((candidate / name).is_file() for name in FILES):
                return candidate
    raise ConfigurationError(f"No {FILES[0]} in {start}, above it, or in a folder jobs there. Name its folder.")


def load(
    root: Path, target: str | None = None, variables: Mapping[str, str] | None = None, user: str | None = None
) -> Bundle:
    """Read a bundle for one of its targets.

    Parameters
    ----------
    root : Path
        Folder with ``databricks.yml``.
    target : str or None
        None for the one marked as default, or the only one.
    variables : mapping of str to str
        What ``--var`` says.
    user : str or None
        Name of the workspace's user that it is deployed by; None for this machine's user.

    Raises
    ------
    BundleRefused
        With everything that is wrong in it, each with its file and line.
    """
    root = root.absolute()
    tree = read_all(root)
    targets = tree.get("targets").entries or {"default": Node({}, tree.place)}
    chosen = choose(targets, target, root)
    found = values(tree, targets[chosen], variables or {}, root, chosen)
    tree = overlay(tree, targets[chosen], root.parent)
    name = str(tree.get("bundle", "name").value)
    references = References(
        facts_of(tree, found, name, chosen, root, user or getpass.getuser()), tree.get("variables").entries, root
    )
    presets = references.fill(presets_of(tree, targets[chosen]))
    nodes: dict[str, Node] = {}
    jobs: dict[str, Job] = {}
    faults: list[Fault] = []
    for key, written in tree.get("resources", "jobs").entries.items():
        nodes[key] = absolute_paths(with_presets(references.fill(written), presets))
        job, wrong = check_shape(Job, nodes[key], root.parent)
        faults += wrong
        jobs |= {key: job} if job else {}
    state = references.fill(Node("${workspace.state_path}", tree.place_of("workspace")))
    if references.faults or faults:
        raise BundleRefused([*references.faults, *faults])
    settings = {key: settings_of(job, root.parent) for key, job in jobs.items()}
    workspace = {**(tree.get("workspace").plain() or {}), "state_path": state.value}
    others = {kind: node for kind, node in tree.get("resources").entries.items() if kind != "jobs"}
    elsewhere = [f"{kind}.{key}" for kind, node in others.items() for key in node.entries]
    return Bundle(name, root, chosen, list(targets), jobs, settings, elsewhere, workspace, nodes)
