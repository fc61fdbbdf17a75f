"""The trail in SQLite: one file, which the processes of one machine share.

Who, what and when are columns that SQLite derives from the bytes that were hashed, so that they can't say anything
else. Processes put their events into a file beside it, and whoever gets the writer's lock appends all that waits.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from lakeward.governance.trail.errors import NotProven, StoreDamaged, StoreFailed
from lakeward.governance.trail.queue import Place, Queue
from lakeward.governance.trail.store import ALL, BLOCK, Batch, Make, Row, Sealed, State, View, Wanted
from lakeward.governance.trail.store_sql import DERIVED, condition, state_of
from lakeward.governance.trail.together import Together
from lakeward.workspace.errors import Busy

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS entries (
    sequence INTEGER PRIMARY KEY, leaf BLOB NOT NULL, data TEXT, payload TEXT,
    {", ".join(f"{name} TEXT AS (json_extract(data, '$.{path}'))" for name, path in DERIVED)});
CREATE INDEX IF NOT EXISTS by_kind ON entries (kind, recorded);
CREATE INDEX IF NOT EXISTS by_actor ON entries (actor, recorded);
CREATE INDEX IF NOT EXISTS by_object ON entries (object, recorded);
CREATE TABLE IF NOT EXISTS nodes (
    level INTEGER, position INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
    only INTEGER PRIMARY KEY CHECK (only = 0), vkey TEXT NOT NULL, generation TEXT NOT NULL, place INTEGER NOT NULL,
    size INTEGER NOT NULL, last BLOB NOT NULL, frontier BLOB NOT NULL, head TEXT NOT NULL);
"""
_ROWS = "SELECT sequence, leaf, CAST(data AS BLOB), CAST(payload AS BLOB) FROM entries"
_TOGETHER_BYTES = 4 << 20
_PATIENCE_S = 60
_UNHARMED = (
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
)  # fmt: skip
"""Errors that say nothing of what is in the file."""

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.0002, 0.005


class SqliteView(View):
    """What one transaction sees."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def state(self) -> State | None:
        """Return where the log stands, None if it was never opened."""
        return _state(self._connection)[0]

    def rows(self) -> Iterator[list[tuple[int, bytes, bytes | None, bytes | None]]]:
        """Yield all entries in order, in lists of `BLOCK`; each has what a `Row` has."""
        found = self._connection.execute(f"{_ROWS} ORDER BY sequence")
        while block := found.fetchmany(BLOCK):
            yield block

    def select(self, wanted: Wanted = ALL, by_time: bool = False, limit: int = -1) -> list[Row]:
        """Return the entries that are wanted, by their number in the log or by time."""
        where, values = condition(wanted, by_time)
        order = "recorded, sequence" if by_time else "sequence"
        sql = f"{_ROWS} WHERE {where} ORDER BY {order} LIMIT :limit"
        return [Row(*row) for row in self._connection.execute(sql, {**values, "limit": limit})]

    def times(self, since: str, until: str) -> Iterator[tuple[int, str]]:
        """Yield number and time of the entries that were recorded in a span of time, in their order."""
        sql = "SELECT sequence, recorded FROM entries WHERE recorded >= ? AND recorded < ? ORDER BY sequence"
        yield from self._connection.execute(sql, (since, until))

    def row_of_nodes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the hashes of the stored inner nodes of a level from one position to before another."""
        sql = "SELECT hash FROM nodes WHERE level = ? AND position >= ? AND position < ? ORDER BY position"
        return [hash_ for (hash_,) in self._connection.execute(sql, (level, start, stop))]

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the hashes of entries."""
        sql = "SELECT leaf FROM entries WHERE sequence >= ? AND sequence < ? ORDER BY sequence"
        for (leaf,) in self._connection.execute(sql, (start, stop)):
            yield leaf

    def nodes(self) -> dict[tuple[int, int], bytes]:
        """Return the stored inner nodes, by level and position."""
        return {(level, place): hash_ for level, place, hash_ in self._connection.execute("SELECT * FROM nodes")}


class SqliteStore:
    """A trail's file, with its queue and its lock beside it.

    Parameters
    ----------
    path : Path
        The file, on a local disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue = Queue(path.with_suffix(".queue"))
        self._lock_path = path.with_suffix(".lock")
        self._together = Together(_TOGETHER_BYTES)
        self._done = Place("", 0)
        self._writer: tuple[tuple[int, int], sqlite3.Connection] | None = None

    def __str__(self) -> str:
        return str(self.path)

    # --- reading -----------------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    @contextmanager
    def view(self) -> Iterator[SqliteView]:
        """Look at the trail as it is now.

        Raises
        ------
        StoreDamaged
            If the file is damaged.
        """
        with self._reading() as connection:
            connection.execute("BEGIN")
            yield SqliteView(connection)

    def faults(self) -> list[str]:
        """Return what SQLite finds wrong with its file: pages, or indices that don't say what the entries say.

        Raises
        ------
        StoreDamaged
            If it is damaged so much that SQLite can't look.
        """
        with self._reading() as connection:
            return [text for (text,) in connection.execute("PRAGMA integrity_check(10)") if text != "ok"]

    # --- writing -----------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Make the file, for its owner alone, if it is not there."""
        with self._judged(), self._alone():
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
            with self._changed() as change:
                for statement in _SCHEMA.split(";\n"):
                    change.execute(statement)

    def append(self, events: Sequence[Sealed], make: Make) -> None:
        """Append events, perhaps together with those of others, and return when they outlive a power cut.

        Raises
        ------
        NotProven
            If the queue was tampered with: then it is not known that they are recorded.
        """
        with self._judged():
            self._together.append(events, lambda waiting: self._append(make, waiting))

    def alone(self, make: Make) -> None:
        """Make a change that nobody else can make; it is given what waits, too."""
        with self._judged():
            self._together.alone(lambda: self._change(make))

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

    # --- the one who writes ------------------------------------------------------------------------------------------

    def _append(self, make: Make, events: Sequence[Sealed]) -> None:
        """Append events of this process, or leave that to the process that has the lock, and wait for it."""
        with self._lock() as got:
            if got:
                self._drain(make, events)
                return
        while (mine := self._queue.put(events)) is None:
            with self._alone():
                self._drain(make)
        self._wait_for(mine, make)

    def _change(self, make: Make) -> None:
        with self._alone():
            state, done = _state(self._connection())
            waiting = self._queue.waiting(done)
            if batch := make(state, waiting.events):
                self._write(batch, waiting.end)
                if batch.left:
                    self._queue.wipe(waiting.end)
                    self.wipe()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until this process is the one writer."""
        for _ in _pauses(f"The trail {self.path} was being written by others for {_PATIENCE_S} s. Try again."):
            with self._lock() as got:
                if got:
                    yield
                    return

    def _wait_for(self, mine: Place, make: Make) -> None:
        """Return once all before a place is in the store, by whoever's doing."""
        for _ in _pauses(f"Another process held up the trail {self.path} for {_PATIENCE_S} s: is it stopped?"):
            if _reached(self._done, mine):
                return
            with self._lock() as got:
                if got:
                    self._drain(make)
                else:
                    self._done = _state(self._connection())[1]
            if got and not _reached(self._done, mine):
                raise NotProven(f"The queue of events beside {self.path} was changed by another program.")

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        """Take the writer's lock if it is free, which is told; the kernel drops it at death.

        Waiting for it asleep would wake all who wait at each release, one by one, only to find their events done.
        """
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            got = True
        except BlockingIOError:
            got = False
        try:
            yield got
        finally:
            os.close(lock)

    def _drain(self, make: Make, mine: Sequence[Sealed] = ()) -> None:
        """Append all that waits, and then these."""
        state, done = _state(self._connection())
        waiting = self._queue.waiting(done)
        if (events := [*waiting.events, *mine]) and (batch := make(state, events)):
            self._write(batch, waiting.end)
        if waiting.events:
            self._queue.clear(waiting.end)
        self._done = waiting.end

    def _write(self, batch: Batch, done: Place) -> None:
        state = batch.state
        with self._changed() as change:
            change.executemany(
                "INSERT INTO entries (sequence, leaf, data, payload) VALUES (?, ?, ?, ?)",
                [(number, leaf, data.decode(), payload.decode()) for number, leaf, data, payload in batch.rows],
            )
            if batch.nodes:
                change.executemany("INSERT INTO nodes VALUES (?, ?, ?)", batch.nodes)
            change.execute(
                "INSERT OR REPLACE INTO state VALUES (0, ?, ?, ?, ?, ?, ?, ?)",
                (state.vkey, *done, state.frontier.size, state.last, b"".join(state.frontier.hashes), state.head),
            )
            for number, payload in batch.left.items():
                if payload is None:
                    change.execute("UPDATE entries SET data = NULL, payload = NULL WHERE sequence = ?", (number,))
                else:
                    change.execute("UPDATE entries SET payload = ? WHERE sequence = ?", (payload.decode(), number))

    @contextmanager
    def _changed(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk when the block has ended."""
        writer = self._connection()
        writer.execute("BEGIN IMMEDIATE")
        try:
            yield writer
        except BaseException:
            writer.rollback()
            raise
        writer.commit()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        address = f"{self.path.absolute().as_uri()}?mode=ro"
        with self._judged(), closing(sqlite3.connect(address, uri=True, timeout=60, isolation_level=None)) as reader:
            reader.execute("PRAGMA cache_size = -65536")  # in KiB
            yield reader

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Say of an error of SQLite's whether the file is damaged."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNHARMED:
                raise StoreFailed(f"The trail {self.path} can't be used now: {error}.") from error
            cure = "Restore it from a backup: lakeward backup restore"
            raise StoreDamaged(f"The trail's file {self.path} is damaged: {error}. {cure}") from error

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


def _state(connection: sqlite3.Connection) -> tuple[State | None, Place]:
    """Return where the log stands, and what of the queue is in it."""
    row = connection.execute("SELECT generation, place, vkey, size, last, frontier, head FROM state").fetchone()
    return (state_of(*row[2:]), Place(*row[:2])) if row else (None, Place("", 0))


def _pauses(message: str) -> Iterator[None]:
    """Yield again and again, after longer and longer pauses, and at last raise Busy."""
    deadline, pause = time.monotonic() + _PATIENCE_S, _SHORTEST_PAUSE_S
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE_S)
    raise Busy(message)


def _reached(done: Place, mine: Place) -> bool:
    return done.generation == mine.generation and done.offset >= mine.offset
