"""A SQLite file that many processes read and write at once; a kill or a power cut leaves it whole."""

import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

_WAIT_S = 60


class Database:
    """A file on a local disk, which is opened for each call.

    Parameters
    ----------
    file : Path
        Its folder is made if need be, for its owner alone.
    schema : str
        Statements that create what is not there yet, with semicolons between.
    """

    def __init__(self, file: Path, schema: str) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        version = zlib.crc32(schema.encode()) & 0x7FFF_FFFF
        # Who only reads must not wait for a writer, so the writer's place is taken only where the schema is not there.
        if self.rows("PRAGMA user_version")[0][0] != version:
            with self.changed() as change:
                for statement in filter(str.strip, schema.split(";")):
                    change.execute(statement)
                change.execute(f"PRAGMA user_version = {version}")

    def rows(self, sql: str, *values: Any) -> Sequence[sqlite3.Row]:
        """Return what a query finds."""
        with closing(self._connect()) as connection:
            return connection.execute(sql, values).fetchall()

    @contextmanager
    def changed(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which takes the writer's place at once, so that two never deadlock half-way."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=_WAIT_S, isolation_level=None)
        connection.row_factory = sqlite3.Row
        # WAL: readers never wait for a writer. FULL: what was said to be written outlives a power cut.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection


def insert(change: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    """Add a row, given by its columns' names."""
    marks = ", ".join("?" * len(row))
    change.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
