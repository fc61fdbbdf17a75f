"""A de-identified object says so, by which profile and with which options (PS3.15 E.1.1)."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lakeward.imaging.deidentification.profile import Profile, load_profile, shipped
from lakeward.imaging.deidentification.stamps import stamp
from lakeward.imaging.deidentification.standard import BASIC_PROFILE, Option


def codes(ds: Dataset) -> list[str]:
    return [item.CodeValue for item in ds.DeidentificationMethodCodeSequence]


@pytest.mark.parametrize("name", shipped())
def test_names_the_profile_and_every_option_by_its_code(name: str) -> None:
    ds, profile = Dataset(), load_profile(name)
    stamp(ds, profile, pixels_cleaned=True)
    assert ds.PatientIdentityRemoved == "YES"
    assert codes(ds) == [BASIC_PROFILE.value, *(option.code for option in profile.options)]
    assert profile.hash[:16] in ds.DeidentificationMethod[1]
    assert all(len(text) <= 64 for text in ds.DeidentificationMethod)


def test_says_what_became_of_dates() -> None:
    said = {}
    for name in shipped():
        stamp(ds := Dataset(), load_profile(name))
        said[name] = ds.LongitudinalTemporalInformationModified
    assert said == {
        "basic": "REMOVED",
        "research": "MODIFIED",
        "research-pixels": "MODIFIED",
        "longitudinal": "UNMODIFIED",
    }


def test_says_that_pixels_were_cleaned_only_where_they_were() -> None:
    stamp(ds := Dataset(), load_profile("research-pixels"))
    assert "BurnedInAnnotation" not in ds
    assert "113101" not in codes(ds)
    stamp(ds, load_profile("research-pixels"), pixels_cleaned=True)
    assert ds.BurnedInAnnotation == "NO"
    assert "113101" in codes(ds)
    assert "RecognizableVisualFeatures" not in ds


def test_never_says_that_faces_were_cleaned() -> None:
    stamp(ds := Dataset(), Profile(name="faces", options=(Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES,)))
    assert codes(ds) == [BASIC_PROFILE.value]


def test_keeps_the_codes_of_an_earlier_de_identification_but_not_its_words() -> None:
    earlier, other = Dataset(), Dataset()
    earlier.CodeValue, earlier.CodingSchemeDesignator, earlier.CodeMeaning = "113105", "DCM", "done by J. Smith"
    other.CodeValue, other.CodingSchemeDesignator, other.CodeMeaning = "SMITH", "99X", "J. Smith"
    ds = Dataset()
    ds.DeidentificationMethod = "by J. Smith"
    ds.DeidentificationMethodCodeSequence = Sequence([earlier, other])
    stamp(ds, Profile(name="basic"))
    assert codes(ds) == ["113105", BASIC_PROFILE.value] or codes(ds) == [BASIC_PROFILE.value, "113105"]
    assert "Smith" not in str(ds)


def test_goes_over_whatever_was_in_its_place() -> None:
    ds = Dataset()
    ds.add_new("PatientIdentityRemoved", "OB", b"SMITH ")
    ds.add_new("DeidentificationMethodCodeSequence", "LO", "SMITH")
    stamp(ds, Profile(name="basic"))
    assert ds["PatientIdentityRemoved"].VR == "CS"
    assert ds["DeidentificationMethodCodeSequence"].VR == "SQ"
