"""A lakehouse that is backed up, for tests: what they do to it, and to the place of its backups."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from lakeward.workspace.events import Event, record


def numbers(table: Path, version: int | None = None) -> list[int]:
    return sorted(DeltaTable(str(table), version=version).to_pyarrow_table()["n"].to_pylist())


class Lakehouse:
    """Tables, databases, files and events, and the days of backups."""

    def __init__(self, home: Path, place: Path) -> None:
        self.home, self.place = home, place
        self.start = datetime.now(UTC)

    def at(self, days: int) -> Callable[[], datetime]:
        """A clock that tells a time so many days from now on."""
        return lambda: self.start + timedelta(days=days)

    def write(self, table: str, *numbers: int) -> None:
        """Add rows to a table, as one commit."""
        rows = pa.table({"n": pa.array(numbers, pa.int64()), "text": [f"row {it}" for it in numbers]})
        write_deltalake(str(self.home.joinpath(*table.split("."))), rows, mode="append")

    def tell(self, name: str) -> None:
        """Record an event."""
        record(Event(type="imaging.export.started", object=name))

    def files(self, folder: str) -> list[Path]:
        """Files of the place of backups."""
        return sorted(it for it in (self.place / folder).rglob("*") if it.is_file())
