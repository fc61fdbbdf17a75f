"""Files to files: a folder of DICOM files into a folder of de-identified ones, without tables and without Spark."""

import csv
import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.discovery import Original, find
from lakeward.imaging.process import Recipe, deidentify, load
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.imaging.worker import set_aside
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.events import Event, record
from lakeward.workspace.progress import progress

_CHUNK = 16


class Summary(BaseModel):
    """What came of a folder: ``read = written + quarantined``.

    Attributes
    ----------
    by_reason : dict of str to int
        Quarantined files by the code of their reason.
    """

    model_config = ConfigDict(frozen=True)

    read: int
    written: int
    quarantined: int
    by_reason: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one file: the new one's path, or a reason. `name` is the original's HMAC, if it was read."""

    source: str
    name: str
    path: Path | None = None
    reason: Reason | None = None


def deidentify_folder(source: Path, destination: Path, recipe: Recipe, quarantine: Path | None = None) -> Summary:
    """De-identify every file under a folder.

    New files are named by pseudonyms, ``<study>/<series>/<object>.dcm``; each is written whole or not at all, so a run
    that was stopped can be run again.

    Parameters
    ----------
    source : Path
        Folder with the originals; it is only read.
    destination : Path
        Folder for the new files; must not be in `source`, nor hold it.
    recipe : Recipe
        Profile, key and limits.
    quarantine : Path, optional
        Folder for copies of what is set aside, named by keyed HMAC and readable by the owner alone, with an
        ``index.csv`` of the original paths. It holds patient data.

    Raises
    ------
    ConfigurationError
        If one folder lies in the other, or `source` does not exist.
    """
    source, destination = source.resolve(), destination.resolve()
    for target in (destination, quarantine.resolve() if quarantine else destination):
        if target.is_relative_to(source) or source.is_relative_to(target):
            raise ConfigurationError(f"{target} and {source} must not lie in one another: give separate folders.")
    originals = find(source)
    details = {"files": len(originals), "profile": recipe.profile.name, "key_id": recipe.pseudonyms.key_id}
    record(Event(type="imaging.deidentify.started", object=recipe.profile_hash, details=details))
    destination.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    taken: set[Path] = set()
    with progress("De-identifying", len(originals), "file") as bar:
        for outcome in _outcomes(originals, destination, recipe):
            counts[outcome.reason or ""] += 1
            if outcome.reason is None:
                _settle(destination, outcome, taken)
            elif quarantine:
                _set_aside(quarantine, outcome)
            bar.advance()
    written = counts.pop("", 0)
    return Summary(
        read=len(originals), written=written, quarantined=counts.total(), by_reason=dict(sorted(counts.items()))
    )


def _outcomes(originals: list[Original], destination: Path, recipe: Recipe) -> Iterable[_Outcome]:
    """Outcomes in the order of the originals, so that names given to equal UIDs do not depend on timing."""
    if len(originals) <= _CHUNK:
        yield from (_one(original, destination, recipe) for original in originals)
        return
    with ProcessPoolExecutor(initializer=_start_worker, initargs=(destination, recipe)) as pool:
        todo = iter(originals)
        while some := list(islice(todo, 4096)):  # bounded: a million files are not queued at once
            yield from pool.map(_one_in_worker, some, chunksize=_CHUNK)


_worker: tuple[Path, Recipe]


def _start_worker(destination: Path, recipe: Recipe) -> None:
    global _worker
    _worker = destination, recipe


def _one_in_worker(original: Original) -> _Outcome:
    return _one(original, *_worker)


def _one(original: Original, destination: Path, recipe: Recipe) -> _Outcome:
    name = ""
    try:
        content = load(Path(original.path), original.size_bytes, recipe)
        name = recipe.pseudonyms.source(content)
        new, cleaned = deidentify(content, recipe)
    except Quarantined as refusal:
        return _Outcome(original.path, name, reason=refusal.reason)
    ds = cleaned.dataset
    folder = Path(str(ds.get("StudyInstanceUID") or "no-study"), str(ds.get("SeriesInstanceUID") or "no-series"))
    (destination / f".{name}.part").write_bytes(new)
    return _Outcome(original.path, name, folder / f"{ds.SOPInstanceUID}.dcm")


def _settle(destination: Path, outcome: _Outcome, taken: set[Path]) -> None:
    """Give a new file its name; a second object with the same UID gets its own."""
    path = destination / str(outcome.path)
    if path in taken:
        path = path.with_name(f"{path.stem}-{outcome.name[:8]}.dcm")
    taken.add(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # the same content twice has one new file
        (destination / f".{outcome.name}.part").replace(path)


def _set_aside(quarantine: Path, outcome: _Outcome) -> None:
    quarantine.mkdir(parents=True, exist_ok=True, mode=0o700)
    if outcome.name:
        set_aside(Path(outcome.source), quarantine / outcome.name)
    descriptor = os.open(quarantine / "index.csv", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8", errors="surrogateescape", newline="") as index:
        csv.writer(index).writerow([outcome.name, outcome.reason, outcome.source])
