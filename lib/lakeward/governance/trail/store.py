"""The trail in SQLite: entries as the bytes that were hashed, hashes of the tree, and where the log stands.

Who, what and when are columns that SQLite derives from those bytes, so that they can't say anything else.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lakeward.governance.trail.catalogue import Kind, kind_of
from lakeward.governance.trail.merkle import Frontier, top
from lakeward.governance.trail.queue import Place
from lakeward.workspace.errors import Busy

_DERIVED = ("recorded", "$.recorded"), *((it, f"$.event.{it}") for it in ("kind", "type", "actor", "object", "id"))
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS entries (
    sequence INTEGER PRIMARY KEY, leaf BLOB NOT NULL, data TEXT, payload TEXT,
    {", ".join(f"{name} TEXT AS (json_extract(data, '{path}'))" for name, path in _DERIVED)});
CREATE INDEX IF NOT EXISTS by_kind ON entries (kind, recorded);
CREATE TABLE IF NOT EXISTS nodes (
    level INTEGER, position INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
    only INTEGER PRIMARY KEY CHECK (only = 0), vkey TEXT NOT NULL, generation TEXT NOT NULL, place INTEGER NOT NULL,
    size INTEGER NOT NULL, last BLOB NOT NULL, frontier BLOB NOT NULL, head TEXT NOT NULL);
"""
LEVELS = (8, 16)
"""Levels of the tree whose nodes are stored; those between are computed from at most 256 hashes."""

_HASH = 32
_ROWS = "SELECT sequence, leaf, CAST(data AS BLOB), CAST(payload AS BLOB) FROM entries"


class State(NamedTuple):
    """Where the log stands: the key in force, what was taken from the queue, the tree, and its signed head."""

    vkey: str
    done: Place
    last: bytes
    frontier: Frontier
    head: str


class Row(NamedTuple):
    """An entry as it is stored; `data` and `payload` are None once its time of keeping is over."""

    sequence: int
    leaf: bytes
    data: bytes | None
    payload: bytes | None


class Wanted(NamedTuple):
    """Which entries are asked for: those for which all of this holds; what is empty or None asks for nothing."""

    kinds: Sequence[str] = ()
    types: Sequence[str] = ()
    """Types of the event port; an entry is wanted whose kind *or* type is named."""

    actor: str = ""
    object: str = ""
    id: str = ""
    since: str = ""
    until: str = ""
    """Times of recording as `entries.stamp` writes them, from `since` to before `until`."""

    start: int | None = None
    stop: int | None = None
    """Numbers in the log, from `start` to before `stop`."""


ALL = Wanted()


class View:
    """The trail at one moment: what is appended meanwhile is not seen."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def state(self) -> State | None:
        """Return where the log stands, None if it was never opened."""
        return _state(self._connection)

    def rows(self) -> Iterator[list[tuple[int, bytes, bytes | None, bytes | None]]]:
        """Yield all entries in order, in lists of 256; each has what a `Row` has."""
        found = self._connection.execute(f"{_ROWS} ORDER BY sequence")
        while block := found.fetchmany(256):
            yield block

    def select(self, wanted: Wanted = ALL, by_time: bool = False, limit: int = -1) -> list[Row]:
        """Return the entries that are wanted, by their number in the log or by time."""
        where, values = _where(wanted, by_time)
        order = "recorded, sequence" if by_time else "sequence"
        found = self._connection.execute(f"{_ROWS} WHERE {where} ORDER BY {order} LIMIT ?", (*values, limit))
        return [Row(*row) for row in found]

    def times(self, since: str, until: str) -> Iterator[tuple[int, str]]:
        """Yield number and time of the entries that were recorded in a span of time, in their order."""
        sql = "SELECT sequence, recorded FROM entries WHERE recorded >= ? AND recorded < ? ORDER BY sequence"
        yield from self._connection.execute(sql, (since, until))

    def subtree(self, level: int, position: int) -> bytes:
        """Hash of a complete subtree, as `merkle` asks for it."""
        below = max((it for it in LEVELS if it <= level), default=0)
        span = level - below
        bounds = position << span, (position + 1) << span
        if not below:
            return top(list(self.leaves(*bounds)))
        sql = "SELECT hash FROM nodes WHERE level = ? AND position >= ? AND position < ? ORDER BY position"
        return top([hash_ for (hash_,) in self._connection.execute(sql, (below, *bounds))])

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the hashes of entries."""
        sql = "SELECT leaf FROM entries WHERE sequence >= ? AND sequence < ? ORDER BY sequence"
        for (leaf,) in self._connection.execute(sql, (start, stop)):
            yield leaf

    def nodes(self) -> dict[tuple[int, int], bytes]:
        """Return the stored inner nodes, by level and position."""
        return {(level, place): hash_ for level, place, hash_ in self._connection.execute("SELECT * FROM nodes")}


class Store:
    """A trail's file. Reading needs no lock; whoever changes it holds the trail's writer lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: tuple[tuple[int, int], sqlite3.Connection] | None = None

    def create(self) -> None:
        """Make the file, for its owner alone, if it is not there."""
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
        with self.changed() as change:
            for statement in _SCHEMA.split(";\n"):
                change.execute(statement)

    @contextmanager
    def view(self) -> Iterator[View]:
        """Look at the trail as it is now."""
        with self._reading() as connection:
            connection.execute("BEGIN")
            yield View(connection)

    def faults(self) -> list[str]:
        """Return what SQLite finds wrong with its file: pages, or indices that don't say what the entries say."""
        with self._reading() as connection:
            return [text for (text,) in connection.execute("PRAGMA integrity_check(10)") if text != "ok"]

    @contextmanager
    def changed(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk when the block has ended."""
        writer = self._connection()
        writer.execute("BEGIN IMMEDIATE")
        try:
            yield writer
        except BaseException:
            writer.rollback()
            raise
        writer.commit()

    def last_state(self) -> State | None:
        """Return where the log stands, over the writer's connection."""
        return _state(self._connection())

    def wipe(self) -> None:
        """Leave nothing of what was taken out in the log that SQLite writes ahead.

        Raises
        ------
        Busy
            If others read for minutes: then it goes with the next such change.
        """
        (busy, _, _) = self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Busy(
                f"It is done, but others read {self.path.name}, so what was taken out is in its -wal file still."
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        address = f"{self.path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA cache_size = -65536")  # in KiB
            yield connection

    def _connection(self) -> sqlite3.Connection:
        """The process's one connection for writing; a forked child makes its own, and so does one with a new file."""
        which = os.getpid(), self.path.stat().st_ino
        if self._writer is None or self._writer[0] != which:
            connection = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
            # WAL: readers never wait for a writer. FULL: what was committed outlives a power cut.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
            connection.execute("PRAGMA secure_delete = ON")
            self._writer = which, connection
        return self._writer[1]


def add(change: sqlite3.Connection, rows: Sequence[tuple[int, bytes, str, str]], state: State) -> None:
    """Write entries and where the log then stands."""
    change.executemany("INSERT INTO entries (sequence, leaf, data, payload) VALUES (?, ?, ?, ?)", rows)
    frontier = state.frontier
    change.execute(
        "INSERT OR REPLACE INTO state VALUES (0, ?, ?, ?, ?, ?, ?, ?)",
        (state.vkey, *state.done, frontier.size, state.last, b"".join(frontier.hashes), state.head),
    )


def add_nodes(change: sqlite3.Connection, nodes: Sequence[tuple[int, int, bytes]]) -> None:
    """Write those of the inner nodes that are kept."""
    kept = [node for node in nodes if node[0] in LEVELS]
    if kept:
        change.executemany("INSERT INTO nodes VALUES (?, ?, ?)", kept)


def leave(change: sqlite3.Connection, left: Mapping[int, bytes | None]) -> None:
    """Take out of entries, by their numbers, all but these disclosures; if None, the entry's bytes, too."""
    for number, payload in left.items():
        if payload is None:
            change.execute("UPDATE entries SET data = NULL, payload = NULL WHERE sequence = ?", (number,))
        else:
            change.execute("UPDATE entries SET payload = ? WHERE sequence = ?", (payload.decode(), number))


def _where(wanted: Wanted, by_time: bool) -> tuple[str, list[Any]]:
    """Return the condition of SQL for what is wanted, and its values."""
    kinds = {*wanted.kinds, *(kind_of(it) for it in wanted.types)} or (set(Kind) if by_time else set())
    conditions, values = ["1"], list[Any]()
    if kinds:  # said of types, too, since it is what the index begins with; the catalogue may not have had them once
        _add(conditions, values, "kind", sorted({*kinds, Kind.OTHER} if wanted.types else kinds))
    if wanted.types:
        either, named = list[str](), list[Any]()
        _add(either, named, "type", wanted.types)
        _add(either, named, "kind", wanted.kinds)
        conditions.append(f"({' OR '.join(either)})")
        values += named
    for name in ("actor", "object", "id"):
        if value := getattr(wanted, name):
            conditions.append(f"{name} = ?")
            values.append(value)
    for condition, bound in (
        ("recorded >= ?", wanted.since or None),
        ("recorded < ?", wanted.until or None),
        ("sequence >= ?", wanted.start),
        ("sequence < ?", wanted.stop),
    ):
        if bound is not None:
            conditions.append(condition)
            values.append(bound)
    return " AND ".join(conditions), values


def _add(conditions: list[str], values: list[Any], name: str, among: Sequence[str]) -> None:
    if among:
        conditions.append(f"{name} IN ({', '.join('?' * len(among))})")
        values += among


def _state(connection: sqlite3.Connection) -> State | None:
    row = connection.execute("SELECT vkey, generation, place, size, last, frontier, head FROM state").fetchone()
    if row is None:
        return None
    vkey, generation, place, size, last, frontier, head = row
    hashes = [frontier[at : at + _HASH] for at in range(0, len(frontier), _HASH)]
    return State(vkey, Place(generation, place), last, Frontier(size, hashes), head)
