"""What a backup consists of: files as lists of chunks, tables with their versions, and the head of the audit trail."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from lakeward.governance.backups.sealing import CHUNK

_ID = "%Y%m%dT%H%M%SZ"
_SECOND = timedelta(seconds=1)


class Item(NamedTuple):
    """A file.

    Attributes
    ----------
    path : str
        Where it lies in the lakehouse, with slashes.
    size : int
        In bytes.
    mode : int
        Its permissions.
    changed : tuple of int
        Times of its content and of its inode, in nanoseconds: if they and the size are the same, so is the file.
    digests : list of str
        SHA-256 of each chunk, in hex and in order; that of a file of one chunk is that of the file.
    """

    path: str
    size: int
    mode: int
    changed: tuple[int, int]
    digests: list[str]

    def chunks(self) -> Iterator[tuple[bytes, int]]:
        """Yield digest and size of each chunk."""
        for number, digest in enumerate(self.digests):
            yield bytes.fromhex(digest), min(CHUNK, self.size - number * CHUNK)


class TableState(NamedTuple):
    """A Delta table: its folder in the lakehouse, the version that was backed up, and how many rows that has."""

    path: str
    version: int
    rows: int

    @property
    def name(self) -> str:
        """Its two-level name."""
        return self.path.replace("/", ".")


class Link(NamedTuple):
    """The backup before: its id, and the SHA-256 of its sealed manifest."""

    id: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A backup.

    Attributes
    ----------
    id : str
        When it was begun, as ``20261123T121314Z``.
    key : str
        Id of the key that it was made with.
    previous : Link or None
        The backup before.
    head : str
        The audit trail's signed head at that time; empty if there was no trail.
    databases : list of str
        Paths of those files that are SQLite's.
    folders : list of (str, int)
        Paths and permissions.
    sent : int
        Bytes that no backup before had.
    """

    id: str
    key: str
    previous: Link | None
    head: str
    tables: list[TableState]
    databases: list[str]
    folders: list[tuple[str, int]]
    sent: int = 0
    items: list[Item] = field(default_factory=list)

    @property
    def at(self) -> datetime:
        """When it was begun."""
        return moment(self.id)

    @property
    def size(self) -> int:
        """Size of all files."""
        return sum(item.size for item in self.items)

    def digests(self) -> Iterator[tuple[bytes, int]]:
        """Yield digest and size of each chunk of each file."""
        for item in self.items:
            yield from item.chunks()

    def text(self) -> bytes:
        """Return it as lines of JSON: all but the files, then a line for each."""
        whole = {**vars(self), "items": None}
        return "\n".join(json.dumps(line) for line in (whole, *self.items)).encode()

    @classmethod
    def parse(cls, text: bytes) -> "Manifest":
        """Read what `text` wrote."""
        first, *lines = text.split(b"\n")
        told: dict[str, Any] = json.loads(first)
        told["previous"] = told["previous"] and Link(*told["previous"])
        told["tables"] = [TableState(*table) for table in told["tables"]]
        told["folders"] = [(path, mode) for path, mode in told["folders"]]
        told["items"] = [_item(*json.loads(line)) for line in lines]
        return cls(**told)


def now() -> datetime:
    """Return the time, with its zone."""
    return datetime.now(UTC)


def new_id(at: datetime, after: str | None) -> str:
    """Return the id of a time, later than another: two in one second get different ones."""
    return max(at, moment(after) + _SECOND if after else at).strftime(_ID)


def moment(id_: str) -> datetime:
    """Return the time in an id; ValueError if it is none."""
    return datetime.strptime(id_, _ID).replace(tzinfo=UTC)


def is_id(name: str) -> bool:
    """Whether a name is that of a backup."""
    try:
        return moment(name).strftime(_ID) == name
    except ValueError:
        return False


def _item(path: str, size: int, mode: int, changed: list[int], digests: list[str]) -> Item:
    return Item(path, size, mode, (changed[0], changed[1]), digests)
