"""The trail in SQLite: one file, which the processes of one machine share.

Who, what and when are columns that SQLite derives from the bytes that were hashed, so that they can't say anything
else. What is new goes into a table without indices, and a thousand at once into the one with them: keeping three
indices at each append would more than double what a commit writes. Processes put their events into a file beside it,
and whoever gets SQLite's lock for writing appends all that waits.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import uuid4
from weakref import WeakSet

from lakeward.governance.trail.errors import NoSuchEvent, NotProven, StoreDamaged, StoreFailed
from lakeward.governance.trail.queue import Place, Queue
from lakeward.governance.trail.store import ALL, BLOCK, Batch, Make, Row, Sealed, State, View, Wanted
from lakeward.governance.trail.store_sql import DERIVED, condition, state_of
from lakeward.governance.trail.together import Together
from lakeward.workspace.errors import Busy
from lakeward.workspace.events import sync_folder

_TABLES = ("entries", "recent")
_ENTRIES = f"""
    sequence INTEGER PRIMARY KEY, leaf BLOB NOT NULL, data TEXT, payload TEXT,
    {", ".join(f"{name} TEXT AS (json_extract(data, '$.{path}'))" for name, path in DERIVED)}
"""
_STATE = ("vkey", "generation", "place", "size", "last", "frontier", "head")
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entries ({_ENTRIES});
CREATE TABLE IF NOT EXISTS recent ({_ENTRIES});
CREATE INDEX IF NOT EXISTS by_kind ON entries (kind, recorded);
CREATE INDEX IF NOT EXISTS by_actor ON entries (actor, recorded);
CREATE INDEX IF NOT EXISTS by_object ON entries (object, recorded);
CREATE TABLE IF NOT EXISTS nodes (
    level INTEGER, position INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
    only INTEGER PRIMARY KEY CHECK (only = 0), vkey TEXT NOT NULL, generation TEXT NOT NULL, place INTEGER NOT NULL,
    size INTEGER NOT NULL, last BLOB NOT NULL, frontier BLOB NOT NULL, head TEXT NOT NULL);
COMMIT;
"""
_STORED = "sequence, leaf, data, payload"
_ROW = "sequence, leaf, CAST(data AS BLOB), CAST(payload AS BLOB)"
_PUT_STATE = f"""
INSERT INTO state VALUES (0{", ?" * len(_STATE)})
ON CONFLICT DO UPDATE SET {", ".join(f"{it} = excluded.{it}" for it in _STATE)}
"""
MOST_RECENT = 1024
"""Entries that are indexed at once; a query reads those that are not yet, in a millisecond."""

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
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        # A file that was last written before there were recent entries has none.
        tables = [f"SELECT * FROM {table}" for table in _TABLES if table == "entries" or table in there]
        self._log = f"({' UNION ALL '.join(tables)})"

    def state(self) -> State | None:
        """Return where the log stands, None if it was never opened."""
        return _state(self._connection)[0]

    def rows(self) -> Iterator[list[tuple[int, bytes, bytes | None, bytes | None]]]:
        """Yield all entries in order, in lists of `BLOCK`; each has what a `Row` has."""
        found = self._connection.execute(f"SELECT {_ROW} FROM {self._log} ORDER BY sequence")
        while block := found.fetchmany(BLOCK):
            yield block

    def select(self, wanted: Wanted = ALL, by_time: bool = False, limit: int = -1) -> list[Row]:
        """Return the entries that are wanted, by their number in the log or by time."""
        where, values = condition(wanted, by_time)
        order = "recorded, sequence" if by_time else "sequence"
        # What tables are merged by must be among what is selected; else all that is found is sorted first.
        sql = f"SELECT {_ROW}, recorded FROM {self._log} WHERE {where} ORDER BY {order} LIMIT :limit"
        return [Row(*row[:4]) for row in self._connection.execute(sql, {**values, "limit": limit})]

    def times(self, since: str, until: str) -> Iterator[tuple[int, str]]:
        """Yield number and time of the entries that were recorded in a span of time, in their order."""
        sql = f"SELECT sequence, recorded FROM {self._log} WHERE recorded >= ? AND recorded < ? ORDER BY sequence"
        yield from self._connection.execute(sql, (since, until))

    def row_of_nodes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the hashes of the stored inner nodes of a level from one position to before another."""
        sql = "SELECT hash FROM nodes WHERE level = ? AND position >= ? AND position < ? ORDER BY position"
        return [hash_ for (hash_,) in self._connection.execute(sql, (level, start, stop))]

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the hashes of entries."""
        sql = f"SELECT leaf FROM {self._log} WHERE sequence >= ? AND sequence < ? ORDER BY sequence"
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
        self._together = Together(_TOGETHER_BYTES)
        self._done = Place("", 0)
        self._writer: tuple[tuple[int, int], sqlite3.Connection] | None = None
        _STORES.add(self)

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
        """Return what is wrong with the file: pages, indices that don't say what the entries say, other declarations.

        Raises
        ------
        StoreDamaged
            If it is damaged so much that SQLite can't look.
        """
        with self._reading() as connection:
            found = [text for (text,) in connection.execute("PRAGMA integrity_check(10)") if text != "ok"]
            return found + [f"{name} is declared otherwise than it was" for name in sorted(_changed(connection))]

    # --- writing -----------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Make the file, for its owner alone, if it is not there."""
        # Only a file that is new is opened: closing one drops all locks that this process has on it (POSIX fcntl), and
        # then another process that ends would remove the log that is written ahead, with what is appended after that.
        with suppress(FileExistsError):
            self.path.touch(0o600, exist_ok=False)
        with self._judged(), closing(_opened(self.path)) as connection:
            connection.executescript(_SCHEMA)
            if marks := [*self.path.parent.glob(f"{self.path.stem}.*.unwiped")]:  # others were killed, or read
                with suppress(Busy):
                    self._wipe(_state(connection)[1], *marks, patience_s=0)

    def append(self, events: Sequence[Sealed], make: Make) -> None:
        """Append events, perhaps together with those of others, and return when they outlive a power cut.

        Raises
        ------
        NoSuchEvent
            If the file is gone.
        NotProven
            If the queue was tampered with: then it is not known that they are recorded.
        """
        with self._judged():
            self._together.append(events, lambda waiting: self._append(make, waiting))

    def alone(self, make: Make) -> None:
        """Make a change that nobody else can make; it is given what waits, too."""
        with self._judged():
            self._together.alone(lambda: self._drain(make))

    def wipe(self, patience_s: int = _PATIENCE_S) -> None:
        """Leave nothing of what was taken out in the log that SQLite writes ahead.

        Raises
        ------
        Busy
            If others read for so long: then it goes when another process opens the trail to write.
        """
        with closing(_opened(self.path)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {1000 * patience_s}")
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Busy(
                f"It is done, but others read {self.path.name}, so what was taken out is in its -wal file still."
            )

    def let_go(self) -> None:
        """Close the connection for writing, once no thread uses it; the next who writes makes another."""
        self._together.alone(self._close)

    # --- the one who writes ------------------------------------------------------------------------------------------

    def _append(self, make: Make, events: Sequence[Sealed]) -> None:
        """Append events of this process, or leave that to the process that writes, and wait for it."""
        if self._drained(make, events):
            return
        while (mine := self._queue.put(events)) is None:
            self._drain(make)
        self._wait_for(mine, make, events)

    def _drain(self, make: Make) -> None:
        """Wait until this process is the one writer, and append all that waits."""
        for _ in _pauses(f"The trail {self.path} was being written by others for {_PATIENCE_S} s. Try again."):
            if self._drained(make):
                return

    def _wait_for(self, mine: Place, make: Make, events: Sequence[Sealed]) -> None:
        """Return once all before a place is in the store, by whoever's doing."""
        for _ in _pauses(f"Another process held up the trail {self.path} for {_PATIENCE_S} s: is it stopped?"):
            self._done = _state(self._connection())[1]
            if _reached(self._done, mine):
                return
            if self._drained(make) and not _reached(self._done, mine):
                if self._has(events):  # what was queued beside them can't be read, as where its writer was killed
                    return
                raise NotProven(f"The queue of events beside {self.path} was changed by another program.")

    def _has(self, events: Sequence[Sealed]) -> bool:
        """Whether all of these are in the store: looked up one by one, in seconds where there are millions."""
        with self.view() as view:
            return all(view.select(Wanted(id=json.loads(event)["id"])) for event, _ in events)

    def _drained(self, make: Make, mine: Sequence[Sealed] = ()) -> bool:
        """Append all that waits, and then these, unless another process writes, which is told.

        Waiting for it asleep would wake all who wait at each commit, one by one, only to find their events done.
        """
        with self._turn() as change:
            if change is None:
                return False
            state, done = _state(change)
            waiting = self._queue.waiting(done)
            batch = make(state, [*waiting.events, *mine])
            # There until nothing is left of what is taken out; each has its own, so that nobody removes another's.
            mark = self.path.with_suffix(f".{uuid4().hex}.unwiped")
            if batch and batch.left:
                mark.touch(0o600)
                sync_folder(self.path.parent)
            if batch:
                _write(change, batch, waiting.end)
        self._done = waiting.end
        if batch and batch.left:
            self._wipe(waiting.end, mark)
        elif waiting.events:
            self._queue.clear(waiting.end)
        return True

    def _wipe(self, done: Place, *marks: Path, patience_s: int = _PATIENCE_S) -> None:
        """Leave nothing of what was taken out, in the queue and in what SQLite writes ahead; then the marks go."""
        self._queue.wipe(done)
        self.wipe(patience_s)
        for mark in marks:
            mark.unlink(missing_ok=True)

    @contextmanager
    def _turn(self) -> Iterator[sqlite3.Connection | None]:
        """One transaction, on the disk when the block has ended; None if another process is in one."""
        writer = self._connection()
        try:
            yield writer if _begun(writer) else None
            writer.commit()
        except BaseException:  # an interrupt comes anywhere: a transaction that stayed open would hold up everybody
            writer.rollback()
            raise

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

    def _close(self) -> None:
        if self._writer:
            self._writer[1].close()
            self._writer = None

    def _connection(self) -> sqlite3.Connection:
        """The process's one connection for writing; a forked child makes its own, and so does one with a new file."""
        try:
            which = os.getpid(), self.path.stat().st_ino
        except FileNotFoundError:
            raise NoSuchEvent(f"The trail {self.path} is gone.") from None
        if self._writer is None or self._writer[0] != which:
            connection = _opened(self.path)
            connection.execute("PRAGMA busy_timeout = 0")
            self._writer = which, connection
        return self._writer[1]


def _changed(connection: sqlite3.Connection) -> set[str]:
    """Names of what is declared in another way than it was made, which could derive or hide what it likes."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.executescript(_SCHEMA)
        return {name for name, _ in _declared(connection) - _declared(made)}


def _declared(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(name, "".join(sql.split())) for name, sql in found}


def _let_go() -> None:
    """Close what a child would inherit: SQLite there would take locks for its own that end with the parent."""
    for store in list(_STORES):
        store.let_go()


_STORES: WeakSet[SqliteStore] = WeakSet()
os.register_at_fork(before=_let_go)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    # WAL: readers never wait for a writer. FULL: what was committed outlives a power cut.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _begun(writer: sqlite3.Connection) -> bool:
    """Begin a transaction, unless another process is in one, which is told."""
    try:
        writer.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _write(change: sqlite3.Connection, batch: Batch, done: Place) -> None:
    """Write a batch; when it fills up what is recent, that and it go to where indices are kept."""
    first, last = batch.rows[0][0], batch.rows[-1][0]
    full = (last + 1) // MOST_RECENT > first // MOST_RECENT
    if full:
        change.execute(f"INSERT INTO entries ({_STORED}) SELECT {_STORED} FROM recent")
        change.execute("DELETE FROM recent")
    change.executemany(
        f"INSERT INTO {'entries' if full else 'recent'} ({_STORED}) VALUES (?, ?, ?, ?)",
        [(number, leaf, data.decode(), payload.decode()) for number, leaf, data, payload in batch.rows],
    )
    if batch.nodes:
        change.executemany("INSERT INTO nodes VALUES (?, ?, ?)", batch.nodes)
    state = batch.state
    change.execute(
        _PUT_STATE, (state.vkey, *done, state.frontier.size, state.last, b"".join(state.frontier.hashes), state.head)
    )
    for number, payload in batch.left.items():
        for table in _TABLES:
            if payload is None:
                change.execute(f"UPDATE {table} SET data = NULL, payload = NULL WHERE sequence = ?", (number,))
            else:
                change.execute(f"UPDATE {table} SET payload = ? WHERE sequence = ?", (payload.decode(), number))


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
