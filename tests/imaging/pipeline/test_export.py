import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from deltalake import DeltaTable

from lakeward.imaging.pipeline.export import DamagedObject, export
from lakeward.imaging.tables import IMAGES, PIXELS
from lakeward.workspace.errors import EventNotRecorded, TableError
from lakeward.workspace.lakehouse import query


def stored(where: str = "true") -> dict[str, str]:
    """SOP Instance UID by the hash of the object."""
    rows = query(f"SELECT content_sha256, sop_instance_uid FROM {IMAGES.name} WHERE {where}", IMAGES).to_pylist()
    return {row["content_sha256"]: row["sop_instance_uid"] for row in rows}


def files(folder: Path) -> dict[str, Path]:
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in folder.rglob("*") if path.is_file()}


def test_every_object_gets_its_file_by_study_and_series(story: Any, tmp_path: Path) -> None:
    of_the_first = f"run_id = '{story.first.run_id}'"
    done = export(tmp_path / "out", of_the_first)
    written = files(tmp_path / "out")
    assert written.keys() == stored(of_the_first).keys()
    assert (done.written, done.present) == (len(written), 0)
    assert done.bytes == sum(path.stat().st_size for path in written.values())
    for path in written.values():
        ds = pydicom.dcmread(BytesIO(path.read_bytes()))
        study, series, name = path.relative_to(tmp_path / "out").parts
        assert (study, series) == (ds.StudyInstanceUID, ds.SeriesInstanceUID)
        assert name.startswith(ds.SOPInstanceUID)


def test_a_stopped_export_goes_on_where_it_was(story: Any, tmp_path: Path) -> None:
    of_the_first = f"run_id = '{story.first.run_id}'"
    export(tmp_path / "out", of_the_first)
    whole = files(tmp_path / "out")
    lost, cut = list(whole.values())[:2]
    lost.unlink()
    cut.write_bytes(b"half")
    done = export(tmp_path / "out", of_the_first)
    assert (done.written, done.present) == (2, len(whole) - 2)
    assert files(tmp_path / "out") == whole


def test_derived_objects_are_written_in_series_of_their_own(story: Any, tmp_path: Path) -> None:
    of_the_first = f"run_id = '{story.first.run_id}' AND modality = 'CT'"
    originals = stored(of_the_first)
    done = export(tmp_path / "out", of_the_first, "sc")
    assert (done.written, done.derived, done.not_derived) == (2 * len(originals), len(originals), 0)
    made = [pydicom.dcmread(path) for sha256, path in files(tmp_path / "out").items() if sha256 not in originals]
    sources = {ds.SourceImageSequence[0].ReferencedSOPInstanceUID for ds in made}
    assert sources == set(originals.values())
    assert export(tmp_path / "out", of_the_first, "sc").present == 2 * len(originals)


def test_a_condition_chooses_and_names_stay_the_same(story: Any, tmp_path: Path) -> None:
    assert story.first
    export(tmp_path / "out")
    whole = files(tmp_path / "out")
    twice = f"run_id = '{story.first.run_id}'"
    (shared,) = {uid for uid in stored(twice).values() if list(stored(twice).values()).count(uid) == 2}
    for sha256 in (sha256 for sha256, uid in stored(twice).items() if uid == shared):
        export(tmp_path / "chosen", f"content_sha256 = '{sha256}' OR false")
        assert files(tmp_path / "chosen")[sha256].name == whole[sha256].name
    assert len(files(tmp_path / "chosen")) == 2
    assert export(tmp_path / "none", "modality = 'XX'").written == 0
    with pytest.raises(TableError):
        export(tmp_path / "none", "no_such_column = 1")


def test_an_object_that_is_not_what_its_row_says_is_refused_by_name(
    story: Any, tmp_path: Path, lakehouse: Path
) -> None:
    assert story.first
    pixels = DeltaTable(str(PIXELS.location))
    before = pixels.version()
    damaged, gone = query(
        f"SELECT pixels_id, sop_instance_uid FROM {IMAGES.name} WHERE modality = 'CT' ORDER BY pixels_id LIMIT 2",
        IMAGES,
    ).to_pylist()
    pixels.update(predicate=f"pixels_id = '{damaged['pixels_id']}'", updates={"dicom": "X'00'"})
    pixels.delete(f"pixels_id = '{gone['pixels_id']}'")
    try:
        with pytest.raises(DamagedObject) as refusal:
            export(tmp_path / "out")
    finally:
        pixels.restore(before)
    assert damaged["sop_instance_uid"] in str(refusal.value)
    assert gone["sop_instance_uid"] in str(refusal.value)
    assert len(files(tmp_path / "out")) == len(stored()) - 2


def test_nothing_is_written_if_it_can_not_be_recorded(story: Any, tmp_path: Path, lakehouse: Path) -> None:
    assert story.first
    (lakehouse / "events").rename(lakehouse / "away")
    (lakehouse / "events").touch()
    try:
        with pytest.raises(EventNotRecorded):
            export(tmp_path / "out")
    finally:
        (lakehouse / "events").unlink()
        (lakehouse / "away").rename(lakehouse / "events")
    assert not (tmp_path / "out").exists()
