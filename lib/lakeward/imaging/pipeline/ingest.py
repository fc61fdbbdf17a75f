"""A folder of DICOM files into Delta tables, with Spark: restartable, and with every file accounted for.

One run goes in parts, each committed while the next is processed. A part comes first into ``imaging.pixels``; then its
ledger becomes rows of ``imaging.images``, which is the commit point, of ``imaging.quarantine`` and, last, of
``intake.files``. A run that is killed between two of these leaves files that are not in ``intake.files``: the next run
takes them again and finds what is already stored.
"""

import os
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.pipeline.commit import Closing, Part, commit
from lakeward.imaging.pipeline.discovery import Original, find
from lakeward.imaging.pipeline.recipe import CODE_VERSION, Recipe
from lakeward.imaging.pipeline.refusals import keeping_out
from lakeward.imaging.pipeline.runs import (
    at_rest,
    insert_run,
    intake_lock,
    prepared_session,
    quarantine_folder,
    run_folder,
    still_ours,
    update_run,
)
from lakeward.imaging.pipeline.sinks import Row, choose, sweep
from lakeward.imaging.pipeline.streaming import arrivals
from lakeward.imaging.pipeline.worker import COUNT, Task, suspects, write_list
from lakeward.imaging.tables import FILES, IMAGES
from lakeward.workspace.errors import ConfigurationError, LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.progress import Progress, progress
from lakeward.workspace.rows import columns, literal

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PART_FILES = 10_000
"""Files between two commits: a killed run has to do twice as many again at most."""


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
        Stored files whose content was stored before, from another file or by another run; an object is stored once.
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
    """A file to process.

    Attributes
    ----------
    path : str
        Its name in ``intake.files``.
    size_bytes, mtime_ns : int
        As in `Original`.
    read_from : bytes
        Where to read it.
    accept : str
        Codes of the reasons that a person has overruled for it, with spaces between.
    settles : frozenset of str
        Names that it has in quarantine from before.
    suspect : bool
        Whether a process has died of it in this run.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    read_from: bytes
    accept: str = ""
    settles: frozenset[str] = frozenset()
    suspect: bool = False


def ingest(source: Path, recipe: Recipe, *, reprocess: bool = False, incremental: bool = False) -> Report:
    """Process the new files of a folder into the imaging tables.

    Parameters
    ----------
    source : Path
        Folder that holds the files, at any depth.
    recipe : Recipe
        Profile, key, enhancement and limits.
    reprocess : bool
        Also take files again that were processed with another profile, key or version.
    incremental : bool
        Take only files that have come since the last time that this was asked for, see `streaming`. With nothing new
        the run finds 0 files.

    Returns
    -------
    Report
        Counts that add up.

    Raises
    ------
    ConfigurationError
        If there is no such folder; or if files are to be taken again, but only new ones.
    Busy
        If another run is going on.
    StorageFull
        If a disk is full; a later run takes what this one did not come to commit.
    EventNotRecorded
        If the run can't be recorded; then nothing is processed.
    FilesLost
        If the counts do not add up.
    """
    if reprocess and incremental:
        raise ConfigurationError("Known files are no new files: choose one of reprocess and incremental.")
    files = arrivals(source, recipe) if incremental else nullcontext(find(source))
    with intake_lock():
        if incremental or not at_rest():
            prepared_session()
        with files as originals:
            known, other = _known(source, originals, recipe)
            skip = known if reprocess else known | other.keys()
            work = [_work(o, recipe, other.get(o.name, set())) for o in originals if o.name not in skip]
            counted = 0 if reprocess else len(other.keys() - known)
            return run(work, recipe, found=len(originals), other_recipe=counted)


def run(
    work: list[Work],
    recipe: Recipe,
    *,
    found: int,
    other_recipe: int = 0,
    closing: Closing | None = None,
) -> Report:
    """Process files in parts and record the run; `ingest` chooses the files.

    What they have in quarantine is closed, unless they are set aside again for the same recipe: as processed again, or
    with the words of `closing`. Spark is started only if there is something to do, or left from a run that died.
    """
    spark = prepared_session() if work or not at_rest() else None
    recipe = keeping_out(recipe)
    run_id, started = uuid.uuid4().hex, datetime.now(UTC)
    details = {"files": len(work), "profile": recipe.profile.name, "profile_hash": recipe.profile_hash}
    record(Event(type="imaging.ingest.started", object=run_id, details=details | {"key_id": recipe.pseudonyms.key_id}))
    insert_run(run_id, started, recipe)
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    closing = closing or Closing(f"processed again by run {run_id}")
    try:
        with progress("Ingesting", len(work), "file") as bar:
            for part in _parts(spark, work, recipe, run_id, closing, bar) if spark else ():
                counts += part
        report = _report(run_id, recipe, found, len(work), counts, other_recipe, time.monotonic() - begun)
        done = report.model_dump(include={"found", "known", "stored", "duplicates", "quarantined", "seconds"})
        record(Event(type="imaging.ingest.finished", object=run_id, details=done))
        update_run(run_id, state="SUCCESS", **done)
    except BaseException:
        with suppress(Exception):  # Spark itself may be gone: then the next run says that this one was interrupted
            update_run(run_id, state="FAILED")
        raise
    sweep(run_id)
    shutil.rmtree(run_folder(run_id))
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


def _parts(
    spark: "SparkSession", work: list[Work], recipe: Recipe, run_id: str, closing: Closing, bar: Progress
) -> Iterator[Counter[str]]:
    """Process the parts of a run, and commit each while the next is processed: in their order, one at a time."""
    with ThreadPoolExecutor(1, "commit") as pool:
        before: Future[Counter[str]] | None = None
        for start in range(0, len(work), PART_FILES):
            part = work[start : start + PART_FILES]
            ledger, written = _processed(spark, part, recipe, run_id, bar)
            if before:
                yield before.result()
            settles = frozenset[str]().union(*(file.settles for file in part))
            before = pool.submit(_committed, spark, Part(run_id, ledger, settles, closing), written)
        if before:
            yield before.result()


def _committed(spark: "SparkSession", part: Part, written: list[Row]) -> Counter[str]:
    still_ours()
    choose().commit(written)
    counts = commit(spark, part)
    shutil.rmtree(part.ledger)
    return counts


def _processed(
    spark: "SparkSession", part: list[Work], recipe: Recipe, run_id: str, bar: Progress
) -> tuple[Path, list[Row]]:
    """Process one part of a run; again, if a worker's process has died, with the file it was at alone.

    Returns
    -------
    tuple of Path and list of Row
        The part's ledger, and what its tasks have written to their sink.
    """
    ledger = run_folder(run_id) / uuid.uuid4().hex
    ledger.mkdir()
    write_list(part, ledger)
    tasks, sink = _tasks(len(part)), choose()
    task = Task(recipe, run_id, str(ledger), str(quarantine_folder()), tasks, sink)
    try:
        with _watched(ledger, bar):
            return ledger, sink.run(spark.range(0, tasks, 1, tasks).mapInArrow(task, sink.schema()))
    except Exception:
        fatal = {place for place in suspects(ledger) if not part[place].suspect}
        if not fatal:
            raise
        bar.advance(-sum(path.stat().st_size for path in ledger.glob(f"*{COUNT}")))
        again = [replace(file, suspect=True) if place in fatal else file for place, file in enumerate(part)]
        return _processed(spark, again, recipe, run_id, bar)


def _work(original: Original, recipe: Recipe, before: set[str]) -> Work:
    """A file to read where it is; one that could not be read before is in quarantine under a name made of its path."""
    unread = recipe.pseudonyms.source(original.name.encode())
    return Work(
        original.name,
        original.size_bytes,
        original.mtime_ns,
        read_from=os.fsencode(original.path),
        settles=frozenset(before | {unread}),
    )


def _known(source: Path, originals: list[Original], recipe: Recipe) -> tuple[set[str], dict[str, set[str]]]:
    """Paths of unchanged files that were processed: with this recipe, and with any other, there with their names."""
    ours = (recipe.profile_hash, recipe.pseudonyms.key_id, CODE_VERSION)
    unchanged = {(original.name, original.size_bytes, original.mtime_ns) for original in originals}
    known: set[str] = set()
    other: dict[str, set[str]] = {}
    folder = Original(str(source.absolute()), 0, 0).name
    inside = f"substr(path, 1, {len(folder)}) = {literal(folder)}"
    sql = f"SELECT path, size_bytes, mtime_ns, {', '.join(IMAGES.key)} FROM {FILES.name} WHERE {inside}"
    found = columns(sql, FILES)
    for path, size, mtime, name, *recipe_of in zip(*(it.to_pylist() for it in found or ()), strict=True):
        if (path, size, mtime) in unchanged:
            if tuple(recipe_of) == ours:
                known.add(path)
            else:
                other.setdefault(path, set()).add(name)
    return known, other


def _tasks(files: int) -> int:
    """Enough tasks that the processors end together, few enough that each is worth its start."""
    return min(files, max(4, min(files // 50, 64)))


@contextmanager
def _watched(folder: Path, bar: Progress) -> Iterator[None]:
    """Advance a progress bar while a Spark job runs, by what its tasks have counted."""
    done = threading.Event()

    def counted() -> int:
        return sum(path.stat().st_size for path in folder.glob(f"*{COUNT}"))

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
