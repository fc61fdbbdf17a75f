"""De-identified objects out of the tables, as DICOM files in folders by study and series."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict
from pydicom.dataset import FileDataset

from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.objects.writing import encode, place
from lakeward.imaging.pixels.derived import Derived, derive
from lakeward.imaging.reasons import Quarantined
from lakeward.imaging.tables import IMAGES, PIXELS
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.lakehouse import batches, query
from lakeward.workspace.progress import progress
from lakeward.workspace.tables import literals


class DamagedObject(LakewardError):
    """Stored objects are not what their rows say, or not there."""


class Exported(BaseModel):
    """What an export did.

    Attributes
    ----------
    written : int
        Files written now.
    present : int
        Files that were there already, with the same content.
    bytes : int
        Size of those written.
    derived : int
        Files of the written and present that were made of the stored objects.
    not_derived : int
        Objects that none could be made of, though they have pixels of the kind.
    """

    model_config = ConfigDict(frozen=True)

    written: int
    present: int
    bytes: int
    derived: int
    not_derived: int


def export(destination: Path, where: str = "true", derived: Derived | None = None) -> Exported:
    """Write objects as ``<study>/<series>/<object>.dcm`` under a folder.

    Every name is a pseudonym. A file is written whole or not at all, and one that is already there is left alone, so
    an export that was stopped can be run again. Of objects with one SOP Instance UID each gets its file, under the same
    name in every export.

    Parameters
    ----------
    destination : Path
        The folder, made if need be.
    where : str
        SQL condition on the columns of ``imaging.images``, for example ``modality = 'CT'``.
    derived : {'sc', 'pr'}, optional
        What to make of the objects and write beside them, in series of their own; see `pixels.derived`.

    Raises
    ------
    DamagedObject
        If objects are missing or have another hash than their rows say; all others are written before.
    TableError
        If the condition does not fit the table.
    EventNotRecorded
        If the export can't be recorded; then nothing is written.
    """
    chosen = _chosen(where)
    record(Event(type="imaging.export.started", object=IMAGES.name, details={"objects": len(chosen), "where": where}))
    waiting = dict(chosen)
    counts: Counter[str] = Counter()
    with progress("Exporting", len(chosen), "file") as bar:
        for pixels_id, dicom, enhanced in _objects(chosen, derived):
            row = chosen[pixels_id]
            if hashlib.sha256(dicom).hexdigest() == row["content_sha256"]:
                counts += _write(destination / _path(row), dicom)
                if derived:
                    counts += _write_derived(destination, row, dicom, enhanced, derived)
                del waiting[pixels_id]
                bar.advance()
    if waiting:
        raise DamagedObject(_complaint([row["sop_instance_uid"] for row in waiting.values()]))
    return Exported(**{name: counts[name] for name in Exported.model_fields})


def _chosen(where: str) -> dict[str, dict[str, Any]]:
    """The rows of the chosen objects by the name of their pixels; `nth` counts those that share an instance UID."""
    rows = query(
        f"""
        SELECT pixels_id, run_id, study_instance_uid, series_instance_uid, sop_instance_uid, content_sha256, nth
        FROM (
            SELECT *, row_number() OVER (
                PARTITION BY study_instance_uid, series_instance_uid, sop_instance_uid ORDER BY ingested_at, pixels_id
            ) AS nth FROM {IMAGES.name}
        ) WHERE ({where})
        """,
        IMAGES,
    )
    return {row["pixels_id"]: row for row in rows.to_pylist()}


def _objects(chosen: dict[str, dict[str, Any]], derived: Derived | None) -> Iterator[tuple[str, bytes, list[bytes]]]:
    """Yield name, content and, if asked for, enhanced frames of the chosen objects, of what their runs have stored."""
    if chosen:
        runs = literals({row["run_id"] for row in chosen.values()})
        columns = "pixels_id, dicom, enhanced" if derived else "pixels_id, dicom"
        for batch in batches(f"SELECT {columns} FROM {PIXELS.name} WHERE run_id IN ({runs})", PIXELS):
            for name, *content in zip(*batch.columns, strict=True):
                if name.as_py() in chosen:
                    dicom, *enhanced = (part.as_py() for part in content)
                    yield name.as_py(), dicom, enhanced[0] or [] if enhanced else []


def _write_derived(
    destination: Path, row: dict[str, Any], dicom: bytes, enhanced: list[bytes], kind: Derived
) -> Counter[str]:
    counts: Counter[str] = Counter()
    try:
        for made in derive(read_object(dicom), enhanced, kind):
            path = place(
                made.StudyInstanceUID,
                made.SeriesInstanceUID,
                made.SOPInstanceUID,
                row["content_sha256"],
                only=row["nth"] == 1,
            )
            counts += _write(destination / path, encode(cast(FileDataset, made))) + Counter(derived=1)
    except Quarantined:  # what is wrong with it is of no consequence to the object itself
        counts["not_derived"] += 1
    return counts


def _path(row: dict[str, Any]) -> Path:
    uids = (row["study_instance_uid"], row["series_instance_uid"], row["sop_instance_uid"])
    return place(*uids, row["content_sha256"], only=row["nth"] == 1)


def _write(path: Path, content: bytes) -> Counter[str]:
    """Write a file whole, unless it is there already, and count it."""
    if path.exists() and path.read_bytes() == content:
        return Counter(present=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)
    return Counter(written=1, bytes=len(content))


def _complaint(names: list[str]) -> str:
    shown, more = ", ".join(names[:3]), f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"In {PIXELS.name} these are not what {IMAGES.name} says, or missing: {shown}{more}. Restore the table."
