"""YAML whose every value knows its file and line.

A scalar means what it means to the Databricks CLI, which reads YAML 1.2: ``yes`` and ``on`` are text, and so is a date.
"""

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lakeward.jobs.bundle.faults import BundleRefused, Fault

Scalar = str | int | float | bool | None
Value = dict[str, "Node"] | list["Node"] | str | int | float | bool | None
Step = str | int

# Aliases are copied out: a small file could stand for a huge one.
_MOST_VALUES = 100_000


@dataclass(frozen=True)
class Place:
    """A line of a file; what was not written in any file has line 0."""

    file: Path
    line: int

    def fault(self, text: str, base: Path) -> Fault:
        """Return a fault at this place, with the file as seen from a folder."""
        return Fault(self._seen(base), self.line, text)

    def written(self, base: Path) -> str:
        """Return file and line, with the file as seen from a folder."""
        return f"{self._seen(base)}:{self.line}"

    def _seen(self, base: Path) -> str:
        return (self.file.relative_to(base) if self.file.is_relative_to(base) else self.file).as_posix()


@dataclass(frozen=True)
class Node:
    """A value, and where it was written: for an entry of a mapping, the line of its key.

    Attributes
    ----------
    anchors : bool
        Whether it is an anchor (``&name``), or a list or mapping of nothing but those.
    """

    value: Value
    place: Place
    anchors: bool = False

    @property
    def entries(self) -> dict[str, "Node"]:
        """The entries of a mapping; none of anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list["Node"]:
        """The items of a list; none of anything else."""
        return self.value if isinstance(self.value, list) else []

    def child(self, step: Step) -> "Node | None":
        """Return one entry or item, if there is one."""
        if isinstance(step, str):
            return self.entries.get(step)
        return self.items[step] if 0 <= step < len(self.items) else None

    def at(self, *path: Step) -> "Node | None":
        """Return what a path leads to, if it leads anywhere."""
        here: Node | None = self
        for step in path:
            here = here and here.child(step)
        return here

    def get(self, *path: Step) -> "Node":
        """Return what a path leads to, or null in the place nearest to it."""
        return self.at(*path) or Node(None, self.place_of(*path))

    def place_of(self, *path: Step) -> Place:
        """Return the place of what a path leads to, or of the last value on the way there."""
        here = self
        for step in path:
            here = here.child(step) or here
        return here.place

    def with_entry(self, key: str, node: "Node") -> "Node":
        """Return this mapping with an entry set."""
        return Node({**self.entries, key: node}, self.place)

    def plain(self) -> Any:
        """Return the value without its places."""
        match self.value:
            case dict():
                return {key: node.plain() for key, node in self.value.items()}
            case list():
                return [node.plain() for node in self.value]
            case _:
                return self.value


def read(file: Path, base: Path) -> Node:
    """Read a file.

    Raises
    ------
    BundleRefused
        If it can't be read, is not YAML, or has a key twice; `base` is the folder that its name is told from.
    """
    try:
        return _Reading(file, base).document(file.read_text(encoding="utf-8"))
    except OSError as error:
        reason, line = f"can't be read: {error.strerror}.", 0
    except UnicodeDecodeError:
        reason, line = "is not UTF-8 text.", 0
    except yaml.MarkedYAMLError as error:
        reason, line = f"not YAML: {error.problem}.", (error.problem_mark.line + 1) if error.problem_mark else 0
    except (yaml.YAMLError, RecursionError):
        reason, line = "not YAML.", 0
    raise BundleRefused([Place(file, line).fault(reason, base)])


# libyaml's parser, where PyYAML has it, is some eight times faster.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Parser):  # type: ignore[misc]
    """Gives scalars the tags of YAML 1.2's core schema, and the merge key of YAML 1.1, as the CLI's parser does."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's way to declare them


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("merge", r"<<", ["<"]),
    ("int", r"[-+]?(0x[\da-fA-F_]+|0o[0-7_]+|0b[01_]+|\d[\d_]*)", list("-+0123456789")),
    ("float", r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


class _Reading:
    """Turns the composed YAML of one file into nodes."""

    def __init__(self, file: Path, base: Path) -> None:
        self.file, self.base, self.count = file, base, 0
        self.lines: list[str] = []
        self.open: set[Hashable] = set()

    def document(self, text: str) -> Node:
        loader, self.lines = _Loader(text), re.split(r"\r\n?|[\n\x85\u2028\u2029]", text)
        try:
            composed = loader.get_single_node()
        finally:
            loader.dispose()
        return Node({}, Place(self.file, 1)) if composed is None else self.node(composed, self.place(composed))

    def place(self, composed: yaml.Node) -> Place:
        return Place(self.file, composed.start_mark.line + 1)

    def refuse(self, composed: yaml.Node, text: str) -> BundleRefused:
        return BundleRefused([self.place(composed).fault(text, self.base)])

    def node(self, composed: yaml.Node, place: Place) -> Node:
        self.count += 1
        if self.count > _MOST_VALUES:
            raise self.refuse(composed, f"with its aliases this file has more than {_MOST_VALUES:,} values.")
        if id(composed) in self.open:
            raise self.refuse(composed, "an anchor holds an alias of itself.")
        self.open.add(id(composed))
        try:
            match composed:
                case yaml.MappingNode():
                    value: Value = self.mapping(composed)
                case yaml.SequenceNode():
                    value = [self.node(item, self.place(item)) for item in composed.value]
                case _:
                    value = self.scalar(composed)
            return Node(value, place, self.anchored(composed) or _all_anchors(value))
        finally:
            self.open.discard(id(composed))

    def anchored(self, composed: yaml.Node) -> bool:
        mark = composed.start_mark
        return self.lines[mark.line][mark.column : mark.column + 1] == "&" if mark.line < len(self.lines) else False

    def mapping(self, composed: yaml.MappingNode) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in composed.value:
            if key.tag.endswith(":merge"):
                for source in self.merged(value):
                    merged |= source
            elif not isinstance(key, yaml.ScalarNode) or not key.tag.endswith((":str", ":null")):
                raise self.refuse(key, "a key that is not text; put it in quotes.")
            elif key.value in own:
                first = own[key.value].place.line
                raise self.refuse(key, f"the key {key.value} is there twice, first in line {first}; keep one.")
            else:
                own[key.value] = self.node(value, self.place(key))
        return merged | own

    def merged(self, composed: yaml.Node) -> Iterator[dict[str, Node]]:
        for source in composed.value if isinstance(composed, yaml.SequenceNode) else [composed]:
            node = self.node(source, self.place(source))
            if not isinstance(node.value, dict):
                raise self.refuse(source, "<< takes a mapping, or a list of mappings.")
            yield node.value

    def scalar(self, composed: yaml.Node) -> Scalar:
        text: str = composed.value
        match composed.tag.rpartition(":")[2]:
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                # 010 is ten: the CLI takes away leading zeros first.
                return int(text.lstrip("0") or "0") if text.isdecimal() else int(text, 0)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            case tag:
                raise self.refuse(composed, f"the tag {tag} is not known; write plain values.")


def _all_anchors(value: Value) -> bool:
    children = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return bool(children) and all(child.anchors for child in children)
