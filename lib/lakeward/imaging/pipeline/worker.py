"""What a Spark Python worker does: read, process, hand on the heavy results, write down what became of each file.

Neither paths nor originals go through the JVM, which would leave them in its temporary files: a task gets a number, and
finds its files in a list in the intake zone. The heavy rows go out to ``imaging.pixels``; all that is light, and all
that is restricted, goes into a ledger beside the list, one Parquet file for each finished task.
"""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakeward.imaging.pipeline.process import CODE_VERSION, Recipe, load, process
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.imaging.tables import IMAGES, PIXELS

BATCH_BYTES = 32 * 1024**2
"""Size of results after which they are handed to Spark."""

ROW_BYTES = 256 * 1024**2
"""Size of one object with its enhanced frames that Spark takes as a row: with 500 MiB a JVM of 2 GiB dies."""

WORK = pa.schema(
    [
        ("path", pa.string()),
        ("size_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("read_from", pa.binary()),
        ("accept", pa.string()),
    ]
)
"""What is listed for each file: its path as text, where to read it, and codes of reasons that a person overruled."""

_LIST = "_work.parquet"  # names that start so are not part of the ledger

LEDGER = pa.schema(
    [
        ("path", pa.string()),
        ("mtime_ns", pa.int64()),
        ("original_bytes", pa.int64()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        *((field.name, field.type) for field in IMAGES.arrow_schema),
    ]
)
"""What is written down for each file; columns of ``imaging.images`` are empty for one that is set aside."""

COUNT = ".count"
"""How files end that hold one byte for each original that a task has done."""


@dataclass(frozen=True)
class Task:
    """What every worker of a run is told.

    Attributes
    ----------
    recipe : Recipe
        What to do to each file.
    run_id : str
        The run.
    ledger : str
        Folder for the list of files and the ledger of this part of the run.
    quarantine : str
        Folder where files that are set aside are copied to.
    tasks : int
        How many tasks share the files.
    """

    recipe: Recipe
    run_id: str
    ledger: str
    quarantine: str
    tasks: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Process the files of the tasks whose numbers come in; for `DataFrame.mapInArrow`."""
        from pyspark import TaskContext

        context: Any = TaskContext.get()
        name = f"{context.partitionId()}-{context.attemptNumber()}"
        entries: list[pa.RecordBatch] = []
        rows: list[dict[str, Any]] = []
        size = 0
        with _counting(Path(self.ledger) / f"_{name}{COUNT}") as count:
            for file in self._files(number for batch in batches for number in batch["id"].to_pylist()):
                entry, row = self._one(file)
                entries.append(entry)
                count()
                if row:
                    rows.append(row)
                    size += len(row["dicom"]) + sum(map(len, row["enhanced"]))
                if size > BATCH_BYTES:
                    yield pa.RecordBatch.from_pylist(rows, PIXELS.arrow_schema)
                    rows, size = [], 0
        if rows:
            yield pa.RecordBatch.from_pylist(rows, PIXELS.arrow_schema)
        _write(pa.Table.from_batches(entries, LEDGER), Path(self.ledger) / f"{name}.parquet")

    def _files(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        """Files of tasks: neighbors go to different ones, since they often cost alike."""
        files: list[dict[str, Any]] = pq.read_table(Path(self.ledger) / _LIST, partitioning=None).to_pylist()
        return [file for number in numbers for file in files[number :: self.tasks]]

    def _one(self, file: dict[str, Any]) -> tuple[pa.RecordBatch, dict[str, Any] | None]:
        """Process one file: its line in the ledger, and its row of pixels if it has one."""
        known = {"path": file["path"], "mtime_ns": file["mtime_ns"], "original_bytes": file["size_bytes"]}
        known |= {"profile_hash": self.recipe.profile_hash, "key_id": self.recipe.pseudonyms.key_id}
        known |= {"run_id": self.run_id, "code_version": CODE_VERSION, "ingested_at": datetime.now(UTC)}
        source = self.recipe.pseudonyms.source(file["path"].encode())
        try:
            content = load(Path(os.fsdecode(file["read_from"])), self.recipe)
            source = self.recipe.pseudonyms.source(content)
            try:
                return self._stored(known | {"source_hmac": source}, content, file["accept"])
            except Quarantined:
                set_aside(content, Path(self.quarantine) / source, Path(self.ledger))
                raise
        except Quarantined as refusal:
            outcome = {"outcome": "quarantined", "reason": refusal.reason.value, "detail": refusal.detail}
            return _line(known | outcome | {"source_hmac": source}), None

    def _stored(self, known: dict[str, Any], content: bytes, accept: str) -> tuple[pa.RecordBatch, dict[str, Any]]:
        cleaned = process(content, self.recipe, {Reason(code) for code in accept.split()})
        if len(cleaned.dicom) + sum(map(len, cleaned.enhanced)) > ROW_BYTES:
            raise Quarantined(Reason.TOO_LARGE, f"more than {ROW_BYTES} bytes with its enhanced frames")
        pixels_id = uuid.uuid4().hex
        try:
            line = _line(known | cleaned.columns | {"outcome": "stored", "pixels_id": pixels_id})
        except (pa.ArrowException, ValueError, OverflowError) as error:  # its text quotes values
            raise Quarantined(Reason.UNFORESEEN, f"{type(error).__name__}: a value does not fit its column") from None
        row = {"pixels_id": pixels_id, "run_id": self.run_id, "dicom": cleaned.dicom, "enhanced": cleaned.enhanced}
        return line, row


def write_list(files: Iterable[object], ledger: Path) -> None:
    """Write down, for `Task`, the files of a part of a run: objects with the attributes of `WORK`."""
    rows = [{name: getattr(file, name) for name in WORK.names} for file in files]
    pq.write_table(pa.Table.from_pylist(rows, WORK), ledger / _LIST)


def set_aside(content: bytes, copy: Path, scratch: Path) -> None:
    """Keep a file in the restricted zone, whole or not at all, so that it outlives the folder it came from.

    Parameters
    ----------
    content : bytes
        The file.
    copy : Path
        What it is called there; if there is such a file already it is the same, since names are by content.
    scratch : Path
        A restricted folder beside it, which is removed when the run ends or is put away.
    """
    if copy.exists():
        return
    part = scratch / f"_{uuid.uuid4().hex}"
    with open(part, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(content)
    part.rename(copy)


def _line(entry: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([entry], LEDGER)


def _write(table: pa.Table, path: Path) -> None:
    part = path.with_name(f"_{path.name}")  # names that start so are not read by Spark
    pq.write_table(table, part, compression="zstd")
    part.rename(path)


@contextmanager
def _counting(path: Path) -> Iterator[Callable[[], None]]:
    """Let the driver see how far a task is: a file that grows by a byte for each original that is done.

    Some mounted storage can't append; then there is no count before the task ends.
    """
    with ExitStack() as stack:
        file: FileIO | None = None
        with suppress(OSError):
            file = stack.enter_context(path.open("ab", buffering=0))

        def count() -> None:
            if file:
                file.write(b".")

        yield count
