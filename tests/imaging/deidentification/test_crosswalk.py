from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lakeward.imaging.deidentification.crosswalk import Crosswalk, TamperedEntry, WrongKey
from lakeward.imaging.pipeline.process import process
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.reasons import RELEASABLE
from lakeward.workspace.errors import ConfigurationError


@pytest.fixture
def original(build: Callable[..., bytes]) -> Dataset:
    return dcmread(DicomBytesIO(build(1)))


@pytest.fixture
def crosswalk() -> Crosswalk:
    return Crosswalk(bytes(32))


@pytest.fixture
def entries(original: Dataset, crosswalk: Crosswalk, recipe: Recipe) -> list[dict[str, Any]]:
    return crosswalk.entries(original, recipe.pseudonyms)


def test_patient_study_series_and_instance_are_kept(
    original: Dataset, entries: list[dict[str, Any]], crosswalk: Crosswalk, recipe: Recipe
) -> None:
    assert {(row["kind"], crosswalk.open(row), row["pseudonym"]) for row in entries} == {
        ("patient", f"id:{original.PatientID}", recipe.pseudonyms.patient(f"id:{original.PatientID}")),
        ("study", original.StudyInstanceUID, recipe.pseudonyms.uid(original.StudyInstanceUID)),
        ("series", original.SeriesInstanceUID, recipe.pseudonyms.uid(original.SeriesInstanceUID)),
        ("instance", original.SOPInstanceUID, recipe.pseudonyms.uid(original.SOPInstanceUID)),
    }


def test_what_is_sealed_shows_neither_the_original_nor_that_two_are_the_same(
    original: Dataset, crosswalk: Crosswalk, recipe: Recipe, entries: list[dict[str, Any]]
) -> None:
    again = crosswalk.entries(original, recipe.pseudonyms)
    other = crosswalk.entries(original, replace(recipe, key=b"k" * 32).pseudonyms)
    for rows in zip(entries, again, other, strict=True):
        assert len({row["sealed"] for row in rows}) == 3
        assert len({crosswalk.open(row) for row in rows}) == 1
        assert all(crosswalk.open(row).encode() not in row["sealed"] for row in rows)
    assert {row["pseudonym"] for row in entries}.isdisjoint(row["pseudonym"] for row in other)


@pytest.mark.parametrize("column", ["pseudonym", "kind", "key_id", "sealed"])
def test_a_row_that_was_changed_or_took_a_part_of_another_is_told(
    column: str, entries: list[dict[str, Any]], crosswalk: Crosswalk
) -> None:
    patient, study = entries[:2]
    with pytest.raises(TamperedEntry, match="was changed after it was sealed"):
        crosswalk.open(patient | {column: "x" if column == "key_id" else study[column]})


def test_another_key_is_told_by_its_name(entries: list[dict[str, Any]], crosswalk: Crosswalk) -> None:
    with pytest.raises(WrongKey, match=crosswalk.key_id):
        Crosswalk(b"x" * 32).open(entries[0])
    with pytest.raises(TamperedEntry):
        Crosswalk(b"x" * 32).open(entries[0] | {"crosswalk_key_id": Crosswalk(b"x" * 32).key_id})
    with pytest.raises(ConfigurationError, match="31 bytes"):
        Crosswalk(bytes(31))


def test_only_a_run_that_asks_for_it_keeps_originals(
    build: Callable[..., bytes], recipe: Recipe, crosswalk: Crosswalk
) -> None:
    assert process(build(1), recipe).crosswalk == []
    kept = process(build(1), replace(recipe, crosswalk=crosswalk))
    assert kept.columns["patient_id"] in {row["pseudonym"] for row in kept.crosswalk}
    assert kept.columns["sop_instance_uid"] in {row["pseudonym"] for row in kept.crosswalk}


def test_the_original_is_found_whichever_way_an_object_is_cleaned(
    build: Callable[..., bytes], recipe: Recipe, crosswalk: Crosswalk
) -> None:
    asking = replace(recipe, crosswalk=crosswalk)
    buffer = DicomBytesIO()
    deflated = dcmread(DicomBytesIO(build(1)))
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    deflated.save_as(buffer)
    ways = [process(build(1), asking), process(build(1), asking, RELEASABLE), process(buffer.getvalue(), asking)]
    opened = [{row["pseudonym"]: crosswalk.open(row) for row in way.crosswalk} for way in ways]
    assert opened[0] == opened[1] == opened[2]
    assert len(opened[0]) == 4
