"""De-identified objects out of the tables, as DICOM files in folders by study and series."""

import hashlib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.tables import IMAGES, PIXELS
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.lakehouse import batches, query
from lakeward.workspace.progress import progress


class DamagedObject(LakewardError):
    """A stored object is not what its row says."""


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
    an export that was stopped can be run again. Two objects with one SOP Instance UID both get their file.

    Parameters
    ----------
    destination : Path
        The folder, made if need be.
    where : str
        SQL condition on the columns of ``imaging.images``, for example ``modality = 'CT'``.

    Raises
    ------
    DamagedObject
        If an object's hash is not the one in its row.
    EventNotRecorded
        If the export can't be recorded; then nothing is written.
    """
    names = _names(where)
    record(Event(type="imaging.export.started", object=IMAGES.name, details={"objects": len(names), "where": where}))
    written = present = size = 0
    with progress("Exporting", len(names), "file") as bar:
        for batch in batches(f"SELECT pixels_id, dicom FROM {PIXELS.name}", PIXELS):
            for row in batch.to_pylist():
                if row["pixels_id"] not in names:
                    continue
                name, sha256 = names[row["pixels_id"]]
                if hashlib.sha256(row["dicom"]).hexdigest() != sha256:
                    raise DamagedObject(
                        f"Object {name.stem} in {PIXELS.name} is not what {IMAGES.name} says. Ingest it again."
                    )
                new = _write(destination / name, row["dicom"])
                written, present, size = written + new, present + (not new), size + new * len(row["dicom"])
                bar.advance()
    return Exported(written=written, present=present, bytes=size)


def _names(where: str) -> dict[str, tuple[Path, str]]:
    """Relative path and hash of each chosen object, by the name of its pixels."""
    rows = query(
        "SELECT pixels_id, study_instance_uid, series_instance_uid, sop_instance_uid, source_hmac, content_sha256 "
        f"FROM {IMAGES.name} WHERE {where} ORDER BY source_hmac",
        IMAGES,
    ).to_pylist()
    taken: set[Path] = set()
    names: dict[str, tuple[Path, str]] = {}
    for row in rows:
        folder = Path(row["study_instance_uid"] or "no-study", row["series_instance_uid"] or "no-series")
        path = folder / f"{row['sop_instance_uid']}.dcm"
        if path in taken:
            path = folder / f"{row['sop_instance_uid']}-{row['source_hmac'][:8]}.dcm"
        taken.add(path)
        names[row["pixels_id"]] = path, row["content_sha256"]
    return names


def _write(path: Path, content: bytes) -> bool:
    """Write a file whole; False if it is there already."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)
    return True
