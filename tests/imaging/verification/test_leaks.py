"""No planted marker is left under any shipped profile, unless the Standard or an option lets it stay."""

import pytest
from pydicom._dicom_dict import DicomDictionary

from lakeward.imaging.deidentification.profile import Profile, UserRule, load_profile, shipped
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.verification.answers import check_answers
from lakeward.imaging.verification.consistency import check_objects
from lakeward.imaging.verification.hiding import PLACES
from lakeward.imaging.verification.leaks import NotPlanted, check_leaks, planted
from lakeward.imaging.verification.markers import Marker, Supply, allowed
from lakeward.imaging.verification.planting import ATTRIBUTES, Planted, Plot, attributes
from lakeward.imaging.verification.trial import Trial


def trial(profile: str = "research") -> Trial:
    return Trial(Recipe(load_profile(profile), bytes(32)))


@pytest.mark.parametrize(
    "profile", sorted(set(shipped()) - {"research-pixels"})
)  # whose options for texts are research's
def test_no_marker_is_left_under_a_shipped_profile(profile: str) -> None:
    checks = list(check_leaks(trial(profile)))
    assert [finding for check in checks for finding in check.findings] == []
    assert sum(check.passed for check in checks) > 15_000
    assert all(check.passed or check.set_aside for check in checks)


def test_a_marker_in_the_row_of_an_object_is_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    plot = Plot(load_profile("basic"), Supply(), "comment")
    plot.ds.ImageComments = word = plot.word("(0020,4000)")
    objects = [plot.finish("commented")]
    assert [check.failed for check in check_leaks(trial("basic"), objects)] == [0]
    monkeypatch.setattr("lakeward.imaging.objects.header.as_json", lambda ds: f"for {word}")
    assert [check.failed for check in check_leaks(trial("basic"), objects)] == [1]


def test_every_attribute_that_can_hold_a_marker_does() -> None:
    holding = {marker.path for made in planted(load_profile("basic")) for marker in made.markers}
    texts = [tag for tag in attributes() if DicomDictionary[tag][0] in ("PN", "LO", "UI", "DA", "DS", "OB")]
    assert len(texts) > 1000
    assert [tag for tag in texts if f"({tag >> 16:04X},{tag & 0xFFFF:04X})" not in holding] == []


def test_markers_are_all_different() -> None:
    for made in planted(load_profile("basic")):
        assert len({marker.text for marker in made.markers}) >= len(made.markers) - made.name.startswith("report")


def test_what_may_stay_is_told_by_the_table_and_the_options() -> None:
    research, basic = load_profile("research"), load_profile("basic")
    assert allowed(basic, 0x00080070, "LO", "Manufacturer") == "not in Table E.1-1"
    assert not allowed(basic, 0x00100040, "CS", "PatientSex")
    assert allowed(research, 0x00100040, "CS", "PatientSex") == "retain_patient_characteristics"
    assert not allowed(research, 0x00081030, "LO", "StudyDescription")
    assert not allowed(research, 0x00080020, "DA", "StudyDate")
    ruled = basic.model_copy(update={"rules": (UserRule(keyword="StationName", action="K"),)})
    assert allowed(ruled, 0x00081010, "SH", "StationName") == "user rule 1"


def test_a_marker_that_can_not_be_found_before_proves_nothing() -> None:
    with pytest.raises(NotPlanted, match="1 markers"):
        list(check_leaks(trial(), [Planted("empty", b"", [Marker(Supply().word(), ATTRIBUTES, "(0010,0010)")])]))


@pytest.mark.parametrize("dates", ["retain_full_dates", "retain_modified_dates"])
def test_what_a_profile_keeps_is_not_called_a_leak(dates: str) -> None:
    """All options at once, and rules that keep what the table would not."""
    options = [option for option in Option if option.startswith("retain") and "dates" not in option]
    rules = [UserRule(keyword=keyword, action="K") for keyword in ("PatientID", "StationName", "ImageComments")]
    profile = Profile(name="test", options=(*options, Option(dates)), rules=(*rules, UserRule(vr="UI", action="K")))
    on_trial = Trial(Recipe(profile, bytes(32)))
    made = [one for place in PLACES for one in place(profile, Supply())]
    checks = [*check_leaks(on_trial, made), *check_answers(on_trial), *check_objects(on_trial, [])[0]]
    assert [finding for check in checks for finding in check.findings] == []
    assert sum(check.passed for check in checks) > 100
