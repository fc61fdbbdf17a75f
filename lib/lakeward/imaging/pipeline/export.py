"""De-identified objects out of the tables, as DICOM files in folders by study and series."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.objects.writing import place
from lakeward.imaging.tables import IMAGES, PIXELS
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.lakehouse import batches, query
from lakeward.workspace.progress import progress


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
    """

    model_config = ConfigDict(frozen=True)

    written: int
    present: int
    bytes: int


def export(destination: Path, where: str = "true") -> Exported:
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
    written = present = size = 0
    with progress("Exporting", len(chosen), "file") as bar:
        for pixels_id, dicom in _objects(chosen):
            row = chosen[pixels_id]
            if hashlib.sha256(dicom).hexdigest() == row["content_sha256"]:
                new = _write(destination / _path(row), dicom)
                written, present, size = written + new, present + (not new), size + new * len(dicom)
                del waiting[pixels_id]
                bar.advance()
    if waiting:
        raise DamagedObject(_complaint([row["sop_instance_uid"] for row in waiting.values()]))
    return Exported(written=written, present=present, bytes=size)


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


def _objects(chosen: dict[str, dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the chosen objects; only what their runs have stored is read."""
    if chosen:
        runs = ", ".join(f"'{run}'" for run in sorted({row["run_id"] for row in chosen.values()}))
        for batch in batches(f"SELECT pixels_id, dicom FROM {PIXELS.name} WHERE run_id IN ({runs})", PIXELS):
            for name, dicom in zip(batch["pixels_id"], batch["dicom"], strict=True):
                if name.as_py() in chosen:
                    yield name.as_py(), dicom.as_py()


def _path(row: dict[str, Any]) -> Path:
    uids = (row["study_instance_uid"], row["series_instance_uid"], row["sop_instance_uid"])
    return place(*uids, row["content_sha256"], only=row["nth"] == 1)


def _write(path: Path, content: bytes) -> bool:
    """Write a file whole; False if it is there already."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)
    return True


def _complaint(names: list[str]) -> str:
    shown, more = ", ".join(names[:3]), f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"In {PIXELS.name} these are not what {IMAGES.name} says, or missing: {shown}{more}. Restore the table."
