"""Files to files: a folder of DICOM files into a folder of de-identified ones, without tables and without Spark."""

import csv
import filecmp
import gc
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.objects.reading import silenced
from lakeward.imaging.objects.writing import place
from lakeward.imaging.pipeline.discovery import Original, find
from lakeward.imaging.pipeline.everyday import Assembled
from lakeward.imaging.pipeline.heads import Begun, begin, write
from lakeward.imaging.pipeline.owners import refuse_withdrawn
from lakeward.imaging.pipeline.process import deidentify, load
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.refusals import keeping_out
from lakeward.imaging.pipeline.worker import set_aside
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.workspace.errors import ConfigurationError, telling_full_disk
from lakeward.workspace.events import Event, record
from lakeward.workspace.locks import exclusive
from lakeward.workspace.progress import progress
from lakeward.workspace.settings import settings

_BATCH, _BATCH_BYTES = 64, 64 * 1024**2
"""Files that a process is given at once: no more than so many, and no more than it takes to reach so many bytes."""
_BUFFER_BYTES = 1024**2
_INDEX = "index.csv"


class Summary(BaseModel):
    """What came of a folder: ``read = written + quarantined``.

    Attributes
    ----------
    read, written, quarantined : int
        Files of the source: all; those with a new file; those set aside.
    duplicates : int
        Those of the written whose new file is the same as another's.
    by_reason : dict of str to int
        Quarantined files by the code of their reason.
    """

    model_config = ConfigDict(frozen=True)

    read: int
    written: int
    duplicates: int
    quarantined: int
    by_reason: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Job:
    """What every process is told."""

    recipe: Recipe
    parts: Path
    quarantine: Path | None


class _Outcome(NamedTuple):
    """What came of one file: the name of a finished part and its UIDs, or a reason and the name it is set aside by."""

    name: str = ""
    reason: Reason | None = None
    uids: tuple[str, str, str] = ("", "", "")


def deidentify_folder(source: Path, destination: Path, recipe: Recipe, quarantine: Path | None = None) -> Summary:
    """De-identify every file under a folder.

    What the lakehouse keeps out, if there is one, is refused here too: patients who were withdrawn, of whom no copy is
    kept, and images in which a reviewer found something. New files are named by pseudonyms,
    ``<study>/<series>/<object>.dcm``. Each is written whole or not at all, so a run
    that was stopped can be run again; what it was at work on is in the hidden folder ``.parts`` and goes then.

    Parameters
    ----------
    source : Path
        Folder with the originals; it is only read.
    destination : Path
        Folder for the new files.
    recipe : Recipe
        Profile, key and limits.
    quarantine : Path, optional
        Folder for copies of what is set aside, named by keyed HMAC and readable by the owner alone, with an
        ``index.csv`` of the original paths. It holds patient data.

    Raises
    ------
    ConfigurationError
        If one of the folders lies in another, or `source` does not exist; or if a patient was withdrawn under a key
        that is not among the secrets.
    Busy
        If another process is writing to `destination`.
    EventNotRecorded
        If it can't be recorded; then nothing is written.
    StorageFull
        If a disk runs full. What has its name by then is whole and stays; run again, it is only written once more.
    """
    folders = [folder.resolve() for folder in (source, destination, quarantine) if folder]
    _refuse_nested(folders)
    originals = find(folders[0])
    recipe = keeping_out(recipe)
    details = {"files": len(originals), "profile": recipe.profile.name, "key_id": recipe.pseudonyms.key_id}
    record(Event(type="imaging.deidentify.started", object=recipe.profile_hash, details=details))
    reasons: Counter[str] = Counter()
    aside: list[tuple[str, str, str]] = []
    with _parts(folders[1]) as parts, progress("De-identifying", len(originals), "file") as bar:
        settled = _Settled(folders[1], parts)
        outcomes = _outcomes(originals, _Job(recipe, parts, _restricted(quarantine)))
        for original, outcome in zip(originals, outcomes, strict=True):
            if outcome.reason:
                reasons[outcome.reason] += 1
                aside.append((outcome.name, str(outcome.reason), original.name))
            else:
                settled.add(outcome)
            bar.advance()
        if quarantine:
            _write_index(quarantine / _INDEX, aside)
    return Summary(
        read=len(originals),
        written=len(originals) - len(aside),
        duplicates=settled.duplicates,
        quarantined=len(aside),
        by_reason=dict(sorted(reasons.items())),
    )


def _refuse_nested(folders: list[Path]) -> None:
    for one in folders:
        for other in folders:
            if one is not other and one.is_relative_to(other):
                raise ConfigurationError(f"{one} lies in {other}: give separate folders.")


def _restricted(quarantine: Path | None) -> Path | None:
    if quarantine:
        quarantine.mkdir(parents=True, exist_ok=True, mode=0o700)
        quarantine.chmod(0o700)
    return quarantine


@contextmanager
def _parts(destination: Path) -> Iterator[Path]:
    """Make a folder for files that are being written, for this process alone, and remove it with all that is left."""
    name = hashlib.sha256(os.fsencode(destination)).hexdigest()[:16]
    with exclusive(settings().home / ".locks" / f"deidentify-{name}.lock", wait_s=0):
        folder = destination / ".parts"
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
        folder.mkdir(parents=True)
        try:
            with telling_full_disk(destination):
                yield folder
        finally:
            shutil.rmtree(folder)


def _outcomes(originals: list[Original], job: _Job) -> Iterable[_Outcome]:
    """Outcomes in the order of the originals, so that names given to equal UIDs do not depend on timing."""
    batches = list(_batches(originals))
    if len(batches) <= 1:
        yield from (outcome for batch in batches for outcome in _all(batch, job))
        return
    # Not forked from this process, whose other threads may hold locks.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(mp_context=context, initializer=_start_worker, initargs=(job,)) as pool:
        todo = iter(batches)
        while some := list(islice(todo, 64)):  # bounded: a million files are not queued at once
            for outcomes in pool.map(_all_in_worker, some):
                yield from outcomes


def _batches(originals: list[Original]) -> Iterator[list[str]]:
    """Paths by so many that handing them over costs little, and so few that no process is left with all the work."""
    batch: list[str] = []
    size = 0
    for original in originals:
        batch.append(original.path)
        size += original.size_bytes
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


_worker_job: _Job


def _start_worker(job: _Job) -> None:
    global _worker_job
    _worker_job = job
    gc.freeze()  # what was imported lives as long as the process: never look through it for garbage


def _all_in_worker(paths: list[str]) -> list[_Outcome]:
    return _all(paths, _worker_job)


def _all(paths: list[str], job: _Job) -> list[_Outcome]:
    with silenced():  # once, not for each
        begun = [(path, begin(path, job.recipe)) for path in paths]
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    return [_finished(path, one, buffer, job) if one else _one(path, job) for path, one in begun]


def _finished(path: str, begun: Begun, buffer: memoryview, job: _Job) -> _Outcome:
    name = _part(path, job)
    if begun.finish(job.parts / name, buffer):
        return _Outcome(name, uids=begun.uids)
    (job.parts / name).unlink()
    return _one(path, job)


def _part(path: str, job: _Job) -> str:
    return job.recipe.pseudonyms.source(os.fsencode(path))


def _one(path: str, job: _Job) -> _Outcome:
    content: bytes | None = None
    try:
        content = load(Path(path), job.recipe)
        if job.recipe.rejected and job.recipe.pseudonyms.source(content) in job.recipe.rejected:
            raise Quarantined(Reason.FOUND_IN_REVIEW)
        clean = deidentify(content, job.recipe)
    except Quarantined as refusal:
        if content is None:
            return _Outcome(reason=refusal.reason)
        return _set_aside(content, refusal.reason, job)
    name = _part(path, job)
    write(job.parts / name, clean.pieces if isinstance(clean, Assembled) else [clean.dicom])
    return _Outcome(name, uids=clean.uids)


def _set_aside(content: bytes, reason: Reason, job: _Job) -> _Outcome:
    """Keep a copy where that is asked for, but none of a patient who was withdrawn."""
    name = job.recipe.pseudonyms.source(content)
    try:
        if reason != Reason.WITHDRAWN:
            refuse_withdrawn(content, job.recipe)  # also what took too long
    except Quarantined as refusal:
        reason = refusal.reason
    if job.quarantine and reason != Reason.WITHDRAWN:
        set_aside(content, job.quarantine / name, job.quarantine)
    return _Outcome(name, reason)


class _Settled:
    """New files under their names, each content once; a second object with the same UID gets a name of its own."""

    def __init__(self, destination: Path, parts: Path) -> None:
        self.destination = destination
        self.parts = parts
        self.duplicates = 0
        self._paths: dict[tuple[str, str, str], list[Path]] = {}
        self._folders: set[Path] = set()

    def add(self, outcome: _Outcome) -> None:
        """Give a finished part its name."""
        part = self.parts / outcome.name
        paths = self._paths.setdefault(outcome.uids, [])
        if any(filecmp.cmp(path, part, shallow=False) for path in paths):
            self.duplicates += 1
            part.unlink()
            return
        sha256 = hashlib.sha256(part.read_bytes()).hexdigest() if paths else ""
        path = self.destination / place(*outcome.uids, sha256, only=not paths)
        paths.append(path)
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        part.replace(path)


def _write_index(path: Path, aside: list[tuple[str, str, str]]) -> None:
    """List what is set aside (name, reason, path of the original), with that of earlier runs."""
    rows = set(aside)
    if path.exists():
        with path.open(encoding="utf-8", newline="") as old:
            rows |= {(row["name"], row["reason"], row["path"]) for row in csv.DictReader(old)}
    part = path.with_suffix(".part")
    with open(part, "w", encoding="utf-8", newline="", opener=lambda p, flags: os.open(p, flags, 0o600)) as new:
        csv.writer(new).writerows([("name", "reason", "path"), *sorted(rows)])
    part.replace(path)
