"""A folder of DICOM files into Delta tables, with Spark: restartable, and with every file accounted for.

One run goes in parts. A part is first written to ``imaging.pixels``; then its ledger becomes rows of
``imaging.images``, which is the commit point, of ``imaging.quarantine`` and, last, of ``intake.files``. A run that is
killed between two of these leaves files that are not in ``intake.files``: the next run takes them again and finds what
is already stored.
"""

import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.commit import commit
from lakeward.imaging.discovery import Original, find
from lakeward.imaging.process import CODE_VERSION, Recipe
from lakeward.imaging.runs import insert_run, intake, prepared_session, put_away, quarantine_folder, update_run
from lakeward.imaging.tables import FILES, IMAGES, PIXELS
from lakeward.imaging.worker import WORK, Task
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.locks import exclusive
from lakeward.workspace.progress import Progress, progress

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PART_FILES = 5000
"""Files between two commits: what a killed run has to do again at most."""


class FilesLost(LakewardError):
    """Files went in that came out nowhere: neither stored nor in quarantine."""


class Report(BaseModel):
    """What a run did.

    Attributes
    ----------
    found, known, stored, quarantined : int
        Files: found in the folder; known from an earlier run; stored as objects; set aside.
        ``found = known + stored + quarantined``.
    duplicates : int
        Stored files whose content another file has too; their object is stored once.
    other_recipe : int
        Known files that were processed with another profile, key or version only; ``reprocess`` takes them again.
    by_reason : dict of str to int
        Quarantined files by the code of their reason.
    seconds : float
        Duration of the processing, without the start of Spark.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    profile: str
    key_id: str
    found: int
    known: int
    stored: int
    duplicates: int
    quarantined: int
    other_recipe: int
    by_reason: dict[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """A file to process: its name in ``intake.files``, where to read it, and what a person has overruled for it."""

    path: str
    size_bytes: int
    mtime_ns: int
    read_from: str
    accept: str = ""


def ingest(source: Path, recipe: Recipe, *, reprocess: bool = False) -> Report:
    """Process the new files of a folder into the imaging tables.

    Parameters
    ----------
    source : Path
        Folder that holds the files, at any depth.
    recipe : Recipe
        Profile, key, enhancement and limits.
    reprocess : bool
        Also take files again that were processed with another profile, key or version.

    Returns
    -------
    Report
        Counts that add up.

    Raises
    ------
    ConfigurationError
        If there is no such folder.
    Busy
        If another run is going on.
    EventNotRecorded
        If the run can't be recorded; then nothing is processed.
    FilesLost
        If the counts do not add up.
    """
    originals = find(source)
    with exclusive(intake() / "ingest.lock"):
        spark = prepared_session()
        known, other = _known(spark, originals, recipe)
        skip = known if reprocess else known | other
        work = [Work(o.path, o.size_bytes, o.mtime_ns, o.path) for o in originals if o.path not in skip]
        return run(spark, work, recipe, found=len(originals), other_recipe=0 if reprocess else len(other - known))


def run(spark: "SparkSession", work: list[Work], recipe: Recipe, *, found: int, other_recipe: int = 0) -> Report:
    """Process files in parts and record the run; `ingest` chooses the files."""
    run_id, started = uuid.uuid4().hex, datetime.now(UTC)
    details = {"files": len(work), "profile": recipe.profile.name, "profile_hash": recipe.profile_hash}
    record(Event(type="imaging.ingest.started", object=run_id, details=details | {"key_id": recipe.pseudonyms.key_id}))
    insert_run(spark, run_id, started, recipe)
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    try:
        with progress("Ingesting", len(work), "file") as bar:
            for start in range(0, len(work), PART_FILES):
                counts += _part(spark, work[start : start + PART_FILES], recipe, run_id, bar)
        report = _report(run_id, recipe, found, len(work), counts, other_recipe, time.monotonic() - begun)
    except BaseException:
        with suppress(Exception):  # Spark itself may be gone: then the next run finds this one still running
            put_away(spark, run_id, "FAILED")
        raise
    done = report.model_dump(include={"found", "known", "stored", "duplicates", "quarantined", "seconds"})
    update_run(spark, run_id, state="SUCCESS", **done)
    record(Event(type="imaging.ingest.finished", object=run_id, details=done))
    return report


def _report(
    run_id: str, recipe: Recipe, found: int, taken: int, counts: Counter[str], other: int, seconds: float
) -> Report:
    stored, quarantined = counts["stored"], counts["quarantined"]
    if taken != stored + quarantined:
        raise FilesLost(
            f"Run {run_id} took {taken} files and accounts for {stored + quarantined}: {stored} stored, {quarantined} "
            "quarantined. Run it again: files that are not accounted for are taken again."
        )
    return Report(
        run_id=run_id,
        profile=recipe.profile.name,
        key_id=recipe.pseudonyms.key_id,
        found=found,
        known=found - taken,
        stored=stored,
        duplicates=counts["duplicates"],
        quarantined=quarantined,
        other_recipe=other,
        by_reason={name[1:]: n for name, n in sorted(counts.items()) if name.startswith("!")},
        seconds=round(seconds, 3),
    )


def _part(spark: "SparkSession", part: list[Work], recipe: Recipe, run_id: str, bar: Progress) -> Counter[str]:
    """Process and commit one part of a run."""
    folder = intake() / "runs" / run_id / uuid.uuid4().hex
    folder.mkdir(parents=True)
    task = Task(recipe, run_id, str(folder), str(quarantine_folder()))
    files = spark.createDataFrame([asdict(file) for file in part], WORK).repartition(_tasks(len(part)))
    with _watched(folder, bar):
        files.mapInArrow(task, PIXELS.spark_schema).write.format("delta").mode("append").saveAsTable(PIXELS.name)
    counts = commit(spark, spark.read.parquet(str(folder)), run_id)
    shutil.rmtree(folder)
    return counts


def _known(spark: "SparkSession", originals: list[Original], recipe: Recipe) -> tuple[set[str], set[str]]:
    """Paths of unchanged files that were processed: with this recipe, and with any other."""
    ours = (recipe.profile_hash, recipe.pseudonyms.key_id, CODE_VERSION)
    columns = ["path", "size_bytes", "mtime_ns", *IMAGES.key[1:]]
    unchanged = {(original.path, original.size_bytes, original.mtime_ns) for original in originals}
    known: set[str] = set()
    other: set[str] = set()
    for path, size, mtime, *recipe_of in _rows(spark.table(FILES.name).select(*columns)):
        if (path, size, mtime) in unchanged:
            (known if tuple(recipe_of) == ours else other).add(path)
    return known, other


def _rows(table: "DataFrame") -> Iterator[tuple[Any, ...]]:
    """Rows of a table of many short rows, by Arrow."""
    return zip(*(column.to_pylist() for column in table.toArrow().columns), strict=True)


def _tasks(files: int) -> int:
    """Enough tasks that the processors end together, few enough that each is worth its start."""
    return min(files, max(4, min(files // 50, 64)))


@contextmanager
def _watched(folder: Path, bar: Progress) -> Iterator[None]:
    """Advance a progress bar while a Spark job runs, by what its tasks have counted."""
    done = threading.Event()

    def counted() -> int:
        return sum(path.stat().st_size for path in folder.glob("*.count"))

    def watch() -> None:
        seen = 0
        while not done.wait(0.5):
            now = counted()
            bar.advance(now - seen)
            seen = now
        bar.advance(counted() - seen)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
