"""Objects made of a stored one refer to it, carry its stamps, and are the same whenever they are made."""

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.objects.writing import encode
from lakeward.imaging.pipeline.process import process
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pixels.derived import Derived, derive
from lakeward.imaging.pixels.tiff import decode_frame
from lakeward.imaging.reasons import Reason
from lakeward.imaging.samples import sample_folder

RECIPE = Recipe(load_profile("research"), b"k" * 32)


def stored(name: str = "CT_small.dcm") -> tuple[FileDataset, list[bytes]]:
    clean = process((sample_folder() / name).read_bytes(), RECIPE, frozenset({Reason.BURNED_IN_RISK}))
    return read_object(clean.dicom), clean.enhanced


def made(kind: Derived, name: str = "CT_small.dcm") -> list[FileDataset]:
    return [dcmread(BytesIO(encode(ds))) for ds in derive(*stored(name), kind)]


def test_each_enhanced_frame_becomes_a_secondary_capture_of_the_same_study() -> None:
    source, enhanced = stored()
    (capture,) = made("sc")
    assert np.array_equal(capture.pixel_array, decode_frame(enhanced[0]))
    assert (capture.StudyInstanceUID, capture.PatientID) == (source.StudyInstanceUID, source.PatientID)
    assert capture.SeriesInstanceUID != source.SeriesInstanceUID
    assert capture.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert capture.PatientIdentityRemoved == "YES"
    assert capture.DeidentificationMethodCodeSequence == source.DeidentificationMethodCodeSequence


def test_frames_are_referred_to_by_number() -> None:
    captures = made("sc", "examples_ybr_color.dcm")
    assert len(captures) == 30
    assert [c.SourceImageSequence[0].ReferencedFrameNumber for c in captures] == [*range(1, len(captures) + 1)]
    assert len({c.SOPInstanceUID for c in captures}) == len(captures)
    assert len({c.SeriesInstanceUID for c in captures}) == 1


def test_a_presentation_state_shows_the_object_in_its_window() -> None:
    source, _ = stored("MR_small.dcm")
    (state,) = made("pr", "MR_small.dcm")
    (series,) = state.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    assert series.ReferencedImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert state.SoftcopyVOILUTSequence[0].WindowCenter == source.WindowCenter
    (state,) = made("pr")  # this CT has no window
    assert state.SoftcopyVOILUTSequence[0].WindowWidth > 100
    assert state.PatientIdentityRemoved == "YES"


def test_color_has_no_grayscale_presentation_state() -> None:
    assert made("pr", "SC_rgb_rle.dcm") == []


@pytest.mark.parametrize("kind", ["sc", "pr"])
def test_the_same_object_always_gives_the_same(kind: Derived) -> None:
    assert [encode(ds) for ds in derive(*stored(), kind)] == [encode(ds) for ds in derive(*stored(), kind)]


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dicom3tools is not installed")
@pytest.mark.parametrize("kind", ["sc", "pr"])
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm"])
def test_dciodvfy_finds_no_error(kind: Derived, name: str, tmp_path: Path) -> None:
    for number, ds in enumerate(made(kind, name)):
        ds.save_as(tmp_path / f"{number}.dcm")
        found = subprocess.run(["dciodvfy", tmp_path / f"{number}.dcm"], capture_output=True, text=True, check=False)
        assert "Error" not in found.stderr
