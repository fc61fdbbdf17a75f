"""A bundle's variables, and the references ``${...}`` that stand for them and for facts of the bundle.

Source: Databricks documentation, "Substitutions and variables in Databricks Asset Bundles". A value comes from
``--var``, else ``BUNDLE_VAR_name`` in the environment, else ``.databricks/bundle/TARGET/variable-overrides.json``,
else the target, else the default.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from lakeward.jobs.bundle.facts import git_facts
from lakeward.jobs.bundle.faults import BundleRefused, Fault, hint
from lakeward.jobs.bundle.job import Job
from lakeward.jobs.bundle.places import Node, Place, Step, read
from lakeward.jobs.bundle.root import OVERRIDES
from lakeward.jobs.bundle.shapes import elsewhere

_NAME = r"[^\W\d_]+(?:[-_]*[^\W_]+)*"
REFERENCE = re.compile(rf"\$\{{({_NAME}(?:\[\d+\])*(?:\.{_NAME}(?:\[\d+\])*)*)\}}")
_FULL = {"default", "type", "description", "lookup"}


class NotHere(Exception):
    """A reference that has no value on this machine."""


def values(tree: Node, target: Node, given: Mapping[str, str], root: Path, name: str) -> dict[str, Node]:
    """Return each variable's value; one that only a workspace can look up is left out.

    Parameters
    ----------
    tree : Node
        The whole bundle, targets not yet applied.
    target : Node
        The chosen target's section.
    given : mapping of str to str
        What ``--var`` says.

    Raises
    ------
    BundleRefused
        If a variable is unknown, or a required one has no value.
    """
    declared = tree.get("variables").entries
    overrides = target.get("variables")
    faults = [
        overrides.place_of(key).fault(f"the variable {key} is not declared{hint(key, declared)}", root.parent)
        for key in overrides.entries
        if key not in declared
    ]
    here = Place(root, 0)
    faults += [
        here.fault(f"--var {key}: there is no such variable{hint(key, declared)}", root.parent)
        for key in given
        if key not in declared
    ]
    file = root / OVERRIDES.format(name)
    kept = read(file, root.parent).entries if file.is_file() else {}
    found: dict[str, Node] = {}
    for key, declaration in declared.items():
        try:
            value = _value(key, declaration, overrides.entries.get(key), given, kept)
        except ValueError as error:
            faults.append(declaration.place.fault(f"the variable {key} {error}", root.parent))
        else:
            found |= {key: value} if value else {}
    if faults:
        raise BundleRefused(faults)
    return found


def _value(
    key: str, declaration: Node, override: Node | None, given: Mapping[str, str], kept: Mapping[str, Node]
) -> Node | None:
    is_complex = (node := declaration.at("type")) is not None and node.value == "complex"
    for source, texts in (("--var", given), (f"BUNDLE_VAR_{key}", _environment(key))):
        if key in texts:
            if is_complex:
                raise ValueError(f"is complex, so {source} can't give it; write it into a target.")
            return Node(texts[key], declaration.place)
    if key in kept and declaration.at("lookup") is None:
        return kept[key]
    default = declaration.at("default")
    if override is not None:
        full = override.entries and override.entries.keys() <= _FULL
        default = (override.at("default") if full else override) or (None if override.at("lookup") else default)
    if default is not None and default.value is not None:
        return default
    if declaration.at("lookup") or (override and override.at("lookup")):
        return None
    raise ValueError(f"has no value: give it a default, use --var {key}=..., or set BUNDLE_VAR_{key}.")


def _environment(key: str) -> dict[str, str]:
    value = os.environ.get(f"BUNDLE_VAR_{key}")
    return {} if value is None else {key: value}


class References:
    """Puts values where references stand.

    Parameters
    ----------
    facts : Node
        What references may name: ``bundle``, ``workspace``, ``resources``, and ``var`` with the variables' values.
    variables : mapping
        The declarations of all variables, to tell one that needs a workspace from one that is not there.
    """

    def __init__(self, facts: Node, variables: Mapping[str, Node], root: Path) -> None:
        self.facts, self.variables, self.root = facts, variables, root
        self.faults: list[Fault] = []
        self._open: list[str] = []

    def fill(self, node: Node, path: tuple[Step, ...] = ()) -> Node:
        """Return a job with its references filled in; `path` is where the node stands in the job."""
        if isinstance(node.value, dict):
            return Node({key: self.fill(child, (*path, key)) for key, child in node.value.items()}, node.place)
        if isinstance(node.value, list):
            return Node([self.fill(child, (*path, i)) for i, child in enumerate(node.value)], node.place)
        if not isinstance(node.value, str) or "${" not in node.value:
            return node
        try:
            return self._text(node)
        except NotHere as error:
            # What is Databricks' alone is left to the CLI, references and all.
            if not elsewhere(Job, path):
                self.faults.append(node.place.fault(str(error), self.root.parent))
            return node

    def _text(self, node: Node) -> Node:
        text = str(node.value)
        if whole := REFERENCE.fullmatch(text):
            found = self._find(whole[1])
            return found if isinstance(found.value, dict | list) else Node(found.value, node.place)
        return Node(REFERENCE.sub(lambda match: _inside(match[1], self._find(match[1])), text), node.place)

    def _find(self, reference: str) -> Node:
        if reference in self._open:
            raise NotHere(f"${{{reference}}} leads back to itself: {' -> '.join([*self._open, reference])}.")
        steps = _steps(reference)
        found = self.facts.at(*steps)
        if found is None and steps[:2] == ["bundle", "git"]:
            found = git_facts(self.root).at(*steps[2:])
        if found is None or found.value is None:
            raise NotHere(self._why(reference, steps))
        self._open.append(reference)
        try:
            return self._deep(found)
        finally:
            self._open.pop()

    def _deep(self, node: Node) -> Node:
        if isinstance(node.value, dict):
            return Node({key: self._deep(child) for key, child in node.value.items()}, node.place)
        if isinstance(node.value, list):
            return Node([self._deep(child) for child in node.value], node.place)
        return self._text(node) if isinstance(node.value, str) and "${" in node.value else node

    def _why(self, reference: str, steps: list[Step]) -> str:
        first, second = str(steps[0]), str(steps[1]) if len(steps) > 1 else ""
        if first == "var" and second in self.variables and self.variables[second].at("lookup"):
            return f"${{{reference}}} is looked up in a workspace, which is not here; give it with --var {second}=..."
        if first == "resources" and second != "jobs":
            return f"${{{reference}}} is known only when the resource was made in a workspace."
        return f"${{{reference}}} has no value here{self._hint(steps)}"

    def _hint(self, steps: list[Step]) -> str:
        """Say what is there instead of the first step that leads nowhere."""
        here = self.facts
        for step in steps:
            if (child := here.child(step)) is None:
                return hint(str(step), here.entries)
            here = child
        return "; it is empty."


def _steps(reference: str) -> list[Step]:
    steps: list[Step] = []
    for part in reference.split("."):
        name, *indexes = re.findall(r"[^\[\]]+", part)
        steps += [name, *map(int, indexes)]
    if steps[0] == "variables":
        # ${variables.x.value} is the long form of ${var.x}.
        return ["var", *steps[1:2], *steps[3:]]
    return steps


def _inside(reference: str, node: Node) -> str:
    """Return a value as text among other text."""
    match node.value:
        case dict() | list():
            raise NotHere(f"${{{reference}}} is a list or a mapping, which can't stand inside a text.")
        case bool():
            return str(node.value).lower()
        case _:
            return str(node.value)
