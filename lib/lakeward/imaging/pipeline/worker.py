"""What a Spark Python worker does: read, process, hand on the heavy results, write down what became of each file.

Neither paths nor originals go through the JVM, which would leave them in its temporary files: a task gets a number, and
finds its files in a list in the intake zone. The heavy rows go out to ``imaging.pixels``; all that is light, and all
that is restricted, goes into a ledger beside the list, one Parquet file for each finished task.
"""

import gc
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakeward.imaging.pipeline.isolation import alone
from lakeward.imaging.pipeline.owners import refuse_withdrawn
from lakeward.imaging.pipeline.process import hint_at, load, process
from lakeward.imaging.pipeline.recipe import CODE_VERSION, Recipe
from lakeward.imaging.pipeline.sinks import Sink
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.imaging.tables import CROSSWALK, IMAGES
from lakeward.workspace.settings import on_databricks

ROW_BYTES = 256 * 1024**2
"""Size of one object with its enhanced frames that Spark takes as a row: with 500 MiB a JVM of 2 GiB dies."""

WORK = pa.schema(
    [
        ("path", pa.string()),
        ("size_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("read_from", pa.binary()),
        ("accept", pa.string()),
        ("suspect", pa.bool_()),
    ]
)
"""What is listed for each file: its path as text, where to read it, codes of reasons that a person overruled, and
whether a process has died of it before."""

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
        ("crosswalk", pa.list_(pa.struct([field for field in CROSSWALK.arrow_schema if field.name != "run_id"]))),
    ]
)
"""What is written down for each file; columns of ``imaging.images`` are empty for one that is set aside.
Rows of ``intake.crosswalk`` come sealed."""

COUNT = ".count"
"""How files end that hold one byte for each original that a task has done."""
_BEGUN = ".begun"
"""How files end that hold the place in the list of the original that a task is at."""

_FILE_COST = 1024**2
"""What a file costs besides the work on its bytes: as much as that on so many of them."""

Entry = dict[str, Any]


def prefix(ledger: Path) -> str:
    """Return how the names of a part's rows in ``imaging.pixels`` begin."""
    return ledger.name[:16]


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
    sink : Sink
        Where the heavy rows go.
    """

    recipe: Recipe
    run_id: str
    ledger: str
    quarantine: str
    tasks: int
    sink: Sink

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Process the files of the tasks whose numbers come in; for `DataFrame.mapInArrow`."""
        from pyspark import TaskContext

        gc.freeze()  # after each task Spark's worker looks through all objects that are not, for a tenth of the time
        context: Any = TaskContext.get()
        number, attempt = context.partitionId(), context.attemptNumber()
        names = f"{prefix(Path(self.ledger))}{number:05d}{attempt:02d}"
        entries: list[Entry] = []
        with (
            _Notes(Path(self.ledger) / f"_{number}-{attempt}") as notes,
            self.sink.writer(f"{self.run_id}-{names}") as writer,
        ):
            numbers = (number for batch in batches for number in batch["id"].to_pylist())
            for place, file in _read_ahead(self._files(numbers)):
                with notes.about(place):
                    entry, row = self._one(file, f"{names}{len(entries):09d}")
                entries.append(entry)
                if row:
                    yield from writer.add(row)
            yield from writer.close()
        _write(pa.Table.from_pylist(entries, LEDGER), Path(self.ledger) / f"{number}-{attempt}.parquet")

    def _files(self, numbers: Iterable[int]) -> Iterator[tuple[int, Entry]]:
        """Files of tasks, and their places in the list: neighbors, which have much in common, of some total size."""
        files = pq.read_table(Path(self.ledger) / _LIST, partitioning=None)
        costs = files["size_bytes"].to_numpy() + _FILE_COST
        ends = np.cumsum(costs)
        owners = (ends - costs) * self.tasks // ends[-1:]
        for number in numbers:
            first, last = np.searchsorted(owners, [number, number + 1])
            yield from enumerate(files.slice(first, last - first).to_pylist(), int(first))

    def _one(self, file: Entry, pixels_id: str) -> tuple[Entry, Entry | None]:
        """Process one file: its line in the ledger, and its row of pixels if it has one."""
        known = {"path": file["path"], "mtime_ns": file["mtime_ns"], "original_bytes": file["size_bytes"]}
        known |= {"profile_hash": self.recipe.profile_hash, "key_id": self.recipe.pseudonyms.key_id}
        known |= {"run_id": self.run_id, "code_version": CODE_VERSION, "ingested_at": datetime.now(UTC)}
        source = self.recipe.pseudonyms.source(file["path"].encode())
        try:
            content = load(Path(os.fsdecode(file["read_from"])), self.recipe)
            source = self.recipe.pseudonyms.source(content)
            try:
                if source in self.recipe.rejected:
                    raise Quarantined(Reason.FOUND_IN_REVIEW)
                columns, row = self._stored(content, file)
            except Quarantined as refusal:
                if refusal.reason != Reason.WITHDRAWN:
                    refuse_withdrawn(content, self.recipe)  # also what took too long, or a process has died of
                    set_aside(content, Path(self.quarantine) / source, Path(self.ledger))
                raise
        except Quarantined as refusal:
            outcome = {"outcome": "quarantined", "reason": refusal.reason.value, "detail": refusal.detail}
            return known | outcome | {"source_hmac": source}, None
        names = {"pixels_id": pixels_id, "run_id": self.run_id}
        return known | columns | names | {"outcome": "stored", "source_hmac": source}, row | names

    def _stored(self, content: bytes, file: Entry) -> tuple[Entry, Entry]:
        accept = {Reason(code) for code in file["accept"].split()}
        if file["suspect"]:
            cleaned = alone(lambda: process(content, self.recipe, accept))
        else:
            cleaned = process(content, self.recipe, accept)
        if len(cleaned.dicom) + sum(map(len, cleaned.enhanced)) > ROW_BYTES:
            raise Quarantined(Reason.TOO_LARGE, f"more than {ROW_BYTES} bytes with its enhanced frames")
        return cleaned.columns | {"crosswalk": cleaned.crosswalk}, {
            "dicom": cleaned.dicom,
            "enhanced": cleaned.enhanced,
        }


def _read_ahead(files: Iterable[tuple[int, Entry]]) -> Iterator[tuple[int, Entry]]:
    """Have the system read a file while the one before it is processed; not where to open one is a call elsewhere."""
    before: tuple[int, Entry] | None = None
    for file in files:
        if not on_databricks():
            hint_at(Path(os.fsdecode(file[1]["read_from"])))
        if before:
            yield before
        before = file
    if before:
        yield before


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


def _write(table: pa.Table, path: Path) -> None:
    part = path.with_name(f"_{path.name}")  # names that start so are not read by Spark
    pq.write_table(table, part, compression="zstd")
    part.rename(path)


class _Notes:
    """What others see of a task: how many originals it has done, and at which one it is, should its process die.

    Some mounted storage can't append or write in place; then there are no notes.
    """

    def __init__(self, path: Path) -> None:
        self._paths = [path.with_name(path.name + ending) for ending in (COUNT, _BEGUN)]

    def __enter__(self) -> "_Notes":
        self._files = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for path in self._paths]
        self._done = 0
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files:
            os.close(file)

    @contextmanager
    def about(self, place: int) -> Iterator[None]:
        """Note the place in the list for as long as the block lasts, and then that one more is done."""
        count, begun = self._files
        with suppress(OSError):
            os.pwrite(begun, _place(place), 0)
        try:
            yield
        finally:
            with suppress(OSError):
                os.pwrite(begun, _place(-1), 0)
                os.pwrite(count, b".", self._done)
            self._done += 1


def _place(number: int) -> bytes:
    return number.to_bytes(8, "little", signed=True)


def suspects(ledger: Path) -> set[int]:
    """Return the places in the list of the originals that processes have died of."""
    noted = (path.read_bytes() for path in ledger.glob(f"_*{_BEGUN}"))
    return {int.from_bytes(place, "little", signed=True) for place in noted if place} - {-1}
