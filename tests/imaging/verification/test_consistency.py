"""Real objects stay consistent, and what is not consistent is seen."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydicom
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


def _set(keyword: str, value: Any) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds, keyword, value)


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("no name, identifier or UID left", _set("ImageComments", "Oyarzabal^Quintina1")),
        ("no name, identifier or UID left", _set("ImageComments", "1.2.826.0.9.77.1.1")),
        ("UIDs mapped alike everywhere", _set("StudyInstanceUID", "2.25.77")),
        (
            "references lead to their objects",
            lambda ds: ds.pop("SOPInstanceUID") and _set("SOPInstanceUID", "2.25.1")(ds),
        ),
        ("dates moved or gone", _set("SeriesDate", "20200110")),
        ("intervals of a patient kept", _set("SeriesDate", "20180317")),
        ("pixels unchanged", lambda ds: _set("PixelData", bytes(len(ds.PixelData)))(ds)),
        ("stamps present", lambda ds: ds.pop("DeidentificationMethodCodeSequence")),
    ],
)
def test_each_check_can_fail(check: str, spoil: Callable[[Dataset], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = Trial.run

    def spoiled(self: Trial, content: bytes) -> Any:
        if (done := genuine(self, content)) is None:
            return None
        ds = pydicom.dcmread(BytesIO(done.dicom))
        spoil(ds)
        buffer = BytesIO()
        ds.save_as(buffer)
        return SimpleNamespace(dicom=buffer.getvalue(), changes=done.changes)

    monkeypatch.setattr(Trial, "run", spoiled)
    assert check in failed(checks("research", CT))


def test_what_identifies_an_object_is_told_by_its_attribute() -> None:
    ds = Dataset()
    ds.PatientName, ds.PatientID, ds.StudyInstanceUID = "Oyarzabal^Quintina", "ID-7781", "1.2.826.0.9.77"
    ds.OperatorsName, ds.SOPClassUID = "Chest", "1.2.840.10008.5.1.4.1.1.2"
    basic, keeping = load_profile("basic"), load_profile("basic").model_copy(update={"options": ("retain_uids",)})
    expected = {"Oyarzabal^Quintina", "oyarzabal", "quintina", "ID-7781", "1.2.826.0.9.77"}
    assert identifying(ds, basic).keys() == expected
    assert identifying(ds, keeping).keys() == expected - {"1.2.826.0.9.77"}
    assert is_common("Table^Column")
