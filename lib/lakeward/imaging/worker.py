"""What a Spark Python worker does: read, process, hand on the heavy results, write down what became of each file.

Only paths come in through the JVM; bytes are read here. The heavy rows go out to ``imaging.pixels``; all that is light,
and all that is restricted, goes into a ledger in the intake zone, one Parquet file for each finished task.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from lakeward.imaging.process import CODE_VERSION, Recipe, load, process
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.imaging.tables import IMAGES, PIXELS

BATCH_BYTES = 32 * 1024**2
"""Size of results after which they are handed to Spark."""

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
WORK = "path string, size_bytes bigint, mtime_ns bigint, read_from string, accept string"


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
        Folder for the ledger of this part of the run.
    quarantine : str
        Folder where files that are set aside are copied to.
    """

    recipe: Recipe
    run_id: str
    ledger: str
    quarantine: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Process the files of a partition; for `DataFrame.mapInArrow`."""
        from pyspark import TaskContext

        cv2.setNumThreads(1)
        context: Any = TaskContext.get()
        name = f"{context.partitionId()}-{context.attemptNumber()}"
        entries: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        with _counting(Path(self.ledger) / f"_{name}.count") as count:
            for file in (file for batch in batches for file in batch.to_pylist()):
                entry, row = self._one(file)
                entries.append(entry)
                rows += [row] if row else []
                count()
                if sum(len(row["dicom"]) for row in rows) > BATCH_BYTES:
                    yield _batch(rows)
                    rows = []
        if rows:
            yield _batch(rows)
        _write(pa.Table.from_pylist(entries, LEDGER), Path(self.ledger) / f"{name}.parquet")

    def _one(self, file: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Process one file: its line in the ledger, and its row of pixels if it has one."""
        entry = {
            "path": file["path"],
            "mtime_ns": file["mtime_ns"],
            "original_bytes": file["size_bytes"],
            "run_id": self.run_id,
            "profile_hash": self.recipe.profile_hash,
            "key_id": self.recipe.pseudonyms.key_id,
            "code_version": CODE_VERSION,
            "ingested_at": datetime.now(UTC),
        }
        try:
            content = load(Path(file["read_from"]), file["size_bytes"], self.recipe)
            entry["source_hmac"] = self.recipe.pseudonyms.source(content)
            cleaned = process(content, self.recipe, {Reason(code) for code in file["accept"].split()})
        except Quarantined as refusal:
            entry.setdefault("source_hmac", self.recipe.pseudonyms.source(file["path"].encode()))
            set_aside(Path(file["read_from"]), Path(self.quarantine) / entry["source_hmac"])
            return entry | {"outcome": "quarantined", "reason": refusal.reason.value, "detail": refusal.detail}, None
        pixels_id = uuid.uuid4().hex
        entry |= cleaned.columns | {"outcome": "stored", "pixels_id": pixels_id}
        row = {"pixels_id": pixels_id, "run_id": self.run_id, "dicom": cleaned.dicom, "enhanced": cleaned.enhanced}
        return entry, row


def set_aside(original: Path, copy: Path) -> None:
    """Copy a file into the restricted zone, whole or not at all, so that it outlives the folder it came from."""
    if copy.exists() or not original.exists():
        return
    part = copy.with_suffix(f".{uuid.uuid4().hex}")
    try:
        shutil.copyfile(original, part)
        part.chmod(0o600)
        part.rename(copy)
    finally:
        part.unlink(missing_ok=True)


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, PIXELS.arrow_schema)


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
