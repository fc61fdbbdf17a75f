"""The ten checks pass under every shipped profile, and each can fail."""

from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from lakeward.imaging.deidentification.profile import load_profile, shipped
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.verification.answers import CHECKS, check_answers
from lakeward.imaging.verification.report import Check
from lakeward.imaging.verification.trial import Trial


def checks(profile: str) -> dict[str, Check]:
    return {check.name: check for check in check_answers(Trial(Recipe(load_profile(profile), bytes(32))))}


@pytest.mark.parametrize("profile", shipped())
def test_the_answers_are_right_under_a_shipped_profile(profile: str) -> None:
    done = checks(profile)
    assert tuple(done) == CHECKS
    assert [finding for check in done.values() for finding in check.findings] == []
    asked = set(CHECKS) - {
        "date_shifted" if profile == "longitudinal" else "",
        "" if "pixels" in profile else "pixels_hidden",
    }
    assert {name for name, check in done.items() if check.passed} == asked


def _set(keyword: str, value: Any) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds, keyword, value)


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("tag_retained", lambda ds: ds.pop("StudyDate")),
        ("text_notnull", _set("PatientID", "")),
        ("text_retained", _set("Manufacturer", "")),
        ("text_removed", _set("StudyDescription", "for Oyarzabal")),
        ("date_shifted", _set("StudyDate", "20200110")),
        ("uid_changed", _set("StudyInstanceUID", "1.2.826.0.9.77.1.1")),
        ("uid_consistent", _set("SeriesInstanceUID", "2.25.1")),
        ("patid_consistent", _set("PatientID", "same")),
        ("pixels_retained", lambda ds: _set("PixelData", bytes(len(ds.PixelData)))(ds)),
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
    assert checks("research")[check].failed


def test_text_in_pixels_that_stays_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeward.imaging.pipeline.process.gates.check", lambda ds, profile: None)
    assert checks("research")["pixels_hidden"].failed == 3
