"""Plain SQLite as the audit trail is held against: rows of as many bytes, with the same settings and syncs of the disk.

No hash, no signature, no index. Who inserts is served in the same way as by the trail: an insert returns when the disk
has the row, and what others insert meanwhile is taken together in the next transaction.
"""

import sqlite3
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

Row = tuple[bytes, str, str]


class Plain:
    """A table of a hash and two texts, which one thread at a time inserts into."""

    def __init__(self, folder: Path) -> None:
        self.transactions = 0
        self._connection = sqlite3.connect(
            folder / "plain.sqlite", timeout=60, isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS rows (number INTEGER PRIMARY KEY, leaf BLOB, data TEXT, payload TEXT)"
        )

    def insert(self, rows: Sequence[Row]) -> None:
        """Insert rows in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO rows (leaf, data, payload) VALUES (?, ?, ?)", rows)
        self._connection.commit()
        self.transactions += 1


class ForThreads:
    """One thread that inserts for all others: what waits when it is ready is one transaction."""

    def __init__(self, plain: Plain) -> None:
        self._plain = plain
        self._waiting: SimpleQueue[tuple[Row, Any] | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._work)
        self._writer.start()

    def insert(self, row: Row) -> None:
        """Insert a row, and return when the disk has it."""
        done = threading.Lock()
        done.acquire()
        self._waiting.put((row, done))
        done.acquire()

    def end(self) -> None:
        """End the thread."""
        self._waiting.put(None)
        self._writer.join()

    def _work(self) -> None:
        while first := self._waiting.get():
            taken = [first]
            try:
                while another := self._waiting.get_nowait():
                    taken.append(another)
            except Empty:
                pass
            self._plain.insert([row for row, _ in taken])
            for _, done in taken:
                done.release()


def serve(folder: Path, clients: Sequence[Connection], told: Connection) -> None:
    """Insert for other processes until all have closed their ends: what waits when it is ready is one transaction."""
    plain, open_ = Plain(folder), list(clients)
    told.send("ready")
    while open_:
        ready, rows = [], []
        for client in wait(open_):
            try:
                rows.append(client.recv())  # type: ignore[union-attr]
                ready.append(client)
            except EOFError:
                open_.remove(client)  # type: ignore[arg-type]
        if rows:
            plain.insert(rows)
        for client in ready:
            client.send(True)  # type: ignore[union-attr]
    told.send(plain.transactions)
