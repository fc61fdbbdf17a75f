"""The ten checks pass under every shipped profile, and each can fail."""

import pytest

from lakeward.imaging.deidentification.profile import load_profile, shipped
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.verification.answers import CHECKS, check_answers
from lakeward.imaging.verification.report import Check
from lakeward.imaging.verification.trial import Trial
from spoiling import Spoil, black, setting, spoil_all


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


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("tag_retained", lambda ds: ds.pop("StudyDate")),
        ("text_notnull", setting("PatientID", "")),
        ("text_retained", setting("Manufacturer", "")),
        ("text_removed", setting("StudyDescription", "for Oyarzabal")),
        ("date_shifted", setting("StudyDate", "20200110")),
        ("uid_changed", setting("StudyInstanceUID", "1.2.826.0.9.77.1.1")),
        ("uid_consistent", setting("SeriesInstanceUID", "2.25.1")),
        ("patid_consistent", setting("PatientID", "same")),
        ("pixels_retained", black),
    ],
)
def test_each_check_can_fail(check: str, spoil: Spoil, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil_all(spoil, monkeypatch)
    assert checks("research")[check].failed


def test_text_in_pixels_that_stays_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeward.imaging.pipeline.process.gates.check", lambda ds, profile: None)
    assert checks("research")["pixels_hidden"].failed == 3
