import json
import os
import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.objects.reading import Limits
from lakeward.imaging.pipeline.process import deidentify, hint_at, load, process
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pixels.enhance import EnhanceParameters
from lakeward.imaging.pixels.tiff import decode_frame
from lakeward.imaging.reasons import RELEASABLE, Quarantined, Reason

Build = Callable[..., bytes]
TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def test_an_image_gives_its_file_its_enhanced_frames_and_its_columns(build: Build, recipe: Recipe) -> None:
    cleaned = process(build(1), recipe)
    assert cleaned.dicom == deidentify(build(1), recipe).dicom
    assert [decode_frame(frame).shape for frame in cleaned.enhanced] == [(32, 32)]
    assert cleaned.columns["modality"] == "CT"
    assert cleaned.columns["size_bytes"] == len(cleaned.dicom)
    thumbnail = cv2.imdecode(np.frombuffer(cleaned.columns["thumbnail"], np.uint8), cv2.IMREAD_UNCHANGED)
    assert thumbnail.shape == (32, 32)


def test_every_frame_is_enhanced(recipe: Recipe) -> None:
    cleaned = process((TEST_FILES / "examples_ybr_color.dcm").read_bytes(), recipe, RELEASABLE)
    assert len(cleaned.enhanced) == cleaned.columns["number_of_frames"] == 30


def test_what_is_no_picture_has_no_enhanced_frames(recipe: Recipe) -> None:
    report = process((TEST_FILES / "reportsi.dcm").read_bytes(), recipe)
    assert (report.enhanced, report.columns["thumbnail"], report.columns["number_of_frames"]) == ([], None, None)
    dose = process((TEST_FILES / "rtdose.dcm").read_bytes(), recipe)
    assert dose.enhanced == []
    assert dose.columns["thumbnail"] is not None


def test_nothing_of_the_patient_is_in_what_is_stored(build: Build, recipe: Recipe, marker: str) -> None:
    original = build(1)
    assert original.count(marker.encode()) == 9
    cleaned = process(original, recipe)
    assert marker.encode() not in cleaned.dicom
    assert marker not in json.dumps(cleaned.columns, default=str)


def test_a_reason_that_a_person_overruled_counts_for_that_file_alone(build: Build, recipe: Recipe) -> None:
    content = build(1, modality="US")
    with pytest.raises(Quarantined) as held:
        process(content, recipe)
    assert held.value.reason == Reason.BURNED_IN_RISK
    assert process(content, recipe, RELEASABLE).columns["modality"] == "US"
    with pytest.raises(Quarantined):
        process(content, recipe)


def test_a_recipe_is_named_by_all_that_decides_its_output_and_hides_its_key(recipe: Recipe) -> None:
    others = [
        Recipe(load_profile("basic"), recipe.key),
        Recipe(recipe.profile, recipe.key, EnhanceParameters(clip_limit=3)),
    ]
    assert len({recipe.profile_hash, *(other.profile_hash for other in others)}) == 3
    other_key = Recipe(recipe.profile, bytes(32))
    assert (other_key.profile_hash, other_key.pseudonyms.key_id) != (recipe.profile_hash, recipe.pseudonyms.key_id)
    assert recipe.key.hex() not in repr(recipe)
    assert repr(recipe.key) not in repr(recipe)


def test_an_object_that_takes_too_long_is_set_aside(build: Build, recipe: Recipe) -> None:
    large = build(1, Rows=2048, Columns=2048, PixelData=bytes(2 * 2048**2))
    with pytest.raises(Quarantined) as late:
        process(large, Recipe(recipe.profile, recipe.key, seconds=0.001))
    assert late.value.reason == Reason.TIMEOUT


@pytest.mark.parametrize("cut", [30, 200, 400, 600, 1500])
def test_no_refusal_quotes_the_object(cut: int, build: Build, recipe: Recipe, marker: str) -> None:
    content = build(1)
    with pytest.raises(Quarantined) as refusal:
        process(content[:-cut] if cut > 30 else content[cut:], recipe)
    assert marker not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_recipe_that_was_used_can_go_to_another_process(build: Build, recipe: Recipe) -> None:
    process(build(1), recipe)
    assert process(build(1), pickle.loads(pickle.dumps(recipe))) == process(build(1), recipe)


def test_only_files_within_the_limit_are_read(tmp_path: Path, recipe: Recipe) -> None:
    path = tmp_path / "object.dcm"
    path.write_bytes(bytes(1000))
    assert len(load(path, recipe)) == 1000
    with pytest.raises(Quarantined, match="more than 999 bytes"):
        load(path, Recipe(recipe.profile, recipe.key, limits=Limits(max_bytes=999)))


@pytest.mark.parametrize("kind", ["vanished", "dangling link", "pipe", "folder"])
def test_what_is_no_file_is_not_accessible(kind: str, tmp_path: Path, recipe: Recipe) -> None:
    path = tmp_path / "QXZJWK"
    if kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(Quarantined) as refusal:
        load(path, recipe)
    assert refusal.value.reason == Reason.NOT_ACCESSIBLE
    assert "QXZJWK" not in str(refusal.value)


def test_to_hint_at_what_is_no_file_neither_fails_nor_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "missing", "."):
        hint_at(tmp_path / name)


def test_equal_input_gives_equal_output(recipe: Recipe) -> None:
    content = (TEST_FILES / "CT_small.dcm").read_bytes()
    assert process(content, recipe) == process(content, Recipe(recipe.profile, recipe.key))
    assert "PixelData" in pydicom.dcmread(BytesIO(process(content, recipe).dicom))
