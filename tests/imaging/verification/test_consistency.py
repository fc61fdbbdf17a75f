"""Real objects stay consistent, and what is not consistent is seen."""

from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.samples import sample_folder
from lakeward.imaging.verification.consistency import NAMES, check_objects
from lakeward.imaging.verification.originals import identifying, is_common
from lakeward.imaging.verification.report import Check
from lakeward.imaging.verification.trial import Trial
from spoiling import Spoil, black, setting, spoil_all

CT = Path(str(get_testdata_file("CT_small.dcm")))


def checks(profile: str, *files: Path) -> dict[str, Check]:
    done, _ = check_objects(Trial(Recipe(load_profile(profile), bytes(32))), files)
    return {check.name: check for check in done}


def failed(done: dict[str, Check]) -> dict[str, tuple[str, ...]]:
    return {name: check.findings for name, check in done.items() if check.failed}


@pytest.mark.parametrize("profile", ["basic", "research", "longitudinal"])
def test_real_objects_pass(profile: str) -> None:
    done = checks(profile, *sorted(sample_folder().glob("*.dcm")))
    assert tuple(done) == NAMES
    assert failed(done) == {}
    assert done["stamps present"].passed > 30
    assert done["pixels unchanged"].passed > 20
    assert bool(done["intervals of a patient kept"].passed) == (profile == "research")


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("no name, identifier or UID left", setting("ImageComments", "Oyarzabal^Quintina1")),
        ("no name, identifier or UID left", setting("ImageComments", "1.2.826.0.9.77.1.1")),
        ("UIDs mapped alike everywhere", setting("StudyInstanceUID", "2.25.77")),
        (
            "references lead to their objects",
            lambda ds: ds.pop("SOPInstanceUID") and setting("SOPInstanceUID", "2.25.1")(ds),
        ),
        ("dates moved or gone", setting("SeriesDate", "20200110")),
        ("intervals of a patient kept", setting("SeriesDate", "20180317")),
        ("pixels unchanged", black),
        ("stamps present", lambda ds: ds.pop("DeidentificationMethodCodeSequence")),
    ],
)
def test_each_check_can_fail(check: str, spoil: Spoil, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil_all(spoil, monkeypatch)
    assert check in failed(checks("research", CT))


def test_a_pixel_that_changes_beside_what_is_masked_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def brighten_a_corner(ds: Dataset) -> None:
        if ds.Modality == "US":
            ds.PixelData = ds.PixelData[:-1] + b"\xff"

    assert failed(checks("research-pixels")) == {}
    spoil_all(brighten_a_corner, monkeypatch)
    done = checks("research-pixels")["pixels unchanged"]
    assert (done.passed, done.failed) == (6, 3)


def test_what_identifies_an_object_is_told_by_its_attribute() -> None:
    ds = Dataset()
    ds.PatientName, ds.PatientID, ds.StudyInstanceUID = "Oyarzabal^Quintina", "ID-7781", "1.2.826.0.9.77"
    ds.OperatorsName, ds.SOPClassUID = "Chest", "1.2.840.10008.5.1.4.1.1.2"
    basic, keeping = load_profile("basic"), load_profile("basic").model_copy(update={"options": ("retain_uids",)})
    expected = {"Oyarzabal^Quintina", "oyarzabal", "quintina", "ID-7781", "1.2.826.0.9.77"}
    assert identifying(ds, basic).keys() == expected
    assert identifying(ds, keeping).keys() == expected - {"1.2.826.0.9.77"}
    assert is_common("Table^Column")
