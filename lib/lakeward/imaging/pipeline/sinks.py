"""Where workers put the heavy rows of ``imaging.pixels``.

A frame with its image takes the JVM about as long to copy and write as everything before took. So workers write the
table's Parquet files themselves, and the driver commits these as they are; where a catalog manages the table's files,
as on Databricks, the rows go through Spark.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from lakeward.imaging.tables import PIXELS
from lakeward.workspace.lakehouse import commit_properties, remove_unnamed
from lakeward.workspace.settings import on_databricks
from lakeward.workspace.tables import append

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

BATCH_BYTES = 4 * 1024**2
"""Size of rows after which they are handed on."""
_FILE_BYTES = 1024**3
_NAMES = ("pixels_id", "run_id")
_WRITTEN = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("stats", pa.string())])

Row = dict[str, Any]


class Writer(Protocol):
    """What one task writes its rows to; on leaving the context without `close`, what is unfinished is dropped."""

    def add(self, row: Row) -> Iterator[pa.RecordBatch]:
        """Take a row, and yield what must go to Spark by now."""

    def close(self) -> Iterator[pa.RecordBatch]:
        """Yield the rest."""

    def __enter__(self) -> "Writer": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sink(Protocol):
    """The way from tasks to the table."""

    def writer(self, name: str) -> Writer:
        """Return what a task writes to, under a name that no other attempt at any task has."""

    def schema(self) -> "StructType":
        """Return the schema of what the tasks yield."""

    def run(self, tasks: "DataFrame") -> list[Row]:
        """Run the tasks, and return what they have written."""

    def commit(self, written: list[Row]) -> None:
        """Make what tasks have written part of the table, all at once."""


def choose() -> Sink:
    """Return the sink for this place."""
    return SparkSink() if on_databricks() else FileSink(str(PIXELS.location))


def sweep(run_id: str) -> None:
    """Remove files of a run that are not part of the table: what killed and failed attempts at tasks have left."""
    if not on_databricks():
        remove_unnamed(PIXELS, f"{run_id}-*.parquet")


class SparkSink:
    """Rows go through Spark."""

    def writer(self, name: str) -> Writer:
        """See `Sink`."""
        return _Batches()

    def schema(self) -> "StructType":
        """See `Sink`."""
        return PIXELS.spark_schema

    def run(self, tasks: "DataFrame") -> list[Row]:
        """See `Sink`. Spark commits at once what the tasks yield."""
        append(tasks, PIXELS)
        return []

    def commit(self, written: list[Row]) -> None:
        """See `Sink`."""


@dataclass(frozen=True)
class FileSink:
    """Workers write files into the table's folder, and the driver commits them.

    Attributes
    ----------
    folder : str
        The table's folder, which all workers can write to.
    """

    folder: str

    def writer(self, name: str) -> Writer:
        """See `Sink`."""
        return _Files(Path(self.folder), name)

    def schema(self) -> "StructType":
        """See `Sink`."""
        from pyspark.sql.pandas.types import from_arrow_schema

        return from_arrow_schema(_WRITTEN)

    def run(self, tasks: "DataFrame") -> list[Row]:
        """See `Sink`. Spark yields only what successful attempts at the tasks have written."""
        rows: list[Row] = tasks.toArrow().to_pylist()
        return rows

    def commit(self, written: list[Row]) -> None:
        """See `Sink`."""
        from deltalake import DeltaTable
        from deltalake.transaction import AddAction, RemoveAction

        now = int(time.time() * 1000)
        files: list[AddAction | RemoveAction] = [
            AddAction(row["path"], row["bytes"], {}, now, True, row["stats"]) for row in written
        ]
        if files:
            table = DeltaTable(self.folder)
            table.create_write_transaction(
                files, "append", table.schema(), partition_by=[], commit_properties=commit_properties()
            )


def _let_go(path: Path) -> None:
    """Have the system write a file to disk by and by, and keep no copy of what is there already.

    Nobody reads it soon. Kept, the files of a long run push everything else out of memory, and each page of memory
    that is taken into use costs a virtual machine more than all else about writing it.
    """
    if hasattr(os, "posix_fadvise"):
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


class _Batches:
    """Rows gathered into record batches."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._bytes = 0

    def add(self, row: Row) -> Iterator[pa.RecordBatch]:
        self._rows.append(row)
        self._bytes += len(row["dicom"]) + sum(map(len, row["enhanced"]))
        if self._bytes > BATCH_BYTES:
            yield from self.close()

    def close(self) -> Iterator[pa.RecordBatch]:
        if self._rows:
            yield pa.RecordBatch.from_pylist(self._rows, PIXELS.arrow_schema)
        self._rows, self._bytes = [], 0

    def __enter__(self) -> "_Batches":
        return self

    def __exit__(self, *error: object) -> None:
        self._rows = []


class _Files:
    """Rows written to Parquet files, in row groups of a batch each."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._batches = _Batches()
        self._number = 0
        self._ids: list[str] = []
        self._run = ""
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> "_Files":
        return self

    def __exit__(self, *error: object) -> None:
        if self._file:
            self._file.close()
            self._path.unlink()

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._name}-{self._number}.parquet"

    def add(self, row: Row) -> Iterator[pa.RecordBatch]:
        for batch in self._batches.add(row):
            self._write(batch)
            if self._file and self._path.stat().st_size > _FILE_BYTES:
                yield self._finish(self._file)

    def close(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches.close():
            self._write(batch)
        if self._file:
            yield self._finish(self._file)

    def _write(self, batch: pa.RecordBatch) -> None:
        if self._file is None:
            # The images are compressed already, and no two are equal.
            self._file = pq.ParquetWriter(
                self._path, batch.schema, compression="none", use_dictionary=["run_id"], write_statistics=list(_NAMES)
            )
        self._file.write_batch(batch)
        _let_go(self._path)
        self._ids += batch["pixels_id"].to_pylist()
        self._run = batch["run_id"][0].as_py()

    def _finish(self, file: pq.ParquetWriter) -> pa.RecordBatch:
        file.close()
        low, high = min(self._ids), max(self._ids)
        stats = {
            "numRecords": len(self._ids),
            "minValues": dict(zip(_NAMES, (low, self._run), strict=True)),
            "maxValues": dict(zip(_NAMES, (high, self._run), strict=True)),
            "nullCount": dict.fromkeys(_NAMES, 0),
        }
        done = {"path": self._path.name, "bytes": self._path.stat().st_size, "stats": json.dumps(stats)}
        self._file, self._ids, self._number = None, [], self._number + 1
        return pa.RecordBatch.from_pylist([done], _WRITTEN)
