"""Attribute Types as in PS3.3, Annex A and C."""

import sys
from subprocess import run

import pytest
from pydicom import uid

from lakeward.imaging.deidentification.iods import attribute_type, is_known_sop_class

CT = uid.CTImageStorage
ENHANCED_CT = uid.EnhancedCTImageStorage
REPORT = uid.ComprehensiveSRStorage
SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


@pytest.mark.parametrize(
    ("sop_class", "path", "keyword", "expected"),
    [
        (CT, (), "StudyInstanceUID", "1"),
        (CT, (), "PatientName", "2"),
        (CT, (), "PatientID", "2"),
        (CT, (), "Laterality", "2C"),
        (CT, (), "StudyDescription", "3"),
        (CT, (), "AcquisitionDateTime", "3"),
        (CT, (), "ReferencedStudySequence", "3"),
        (CT, ("ReferencedStudySequence",), "ReferencedSOPInstanceUID", "1"),
        (uid.XRayAngiographicImageStorage, (), "ReferencedImageSequence", "1C"),
        (uid.RTPlanStorage, ("BeamSequence",), "TreatmentMachineName", "2"),
        (REPORT, (), "ReferencedPerformedProcedureStepSequence", "2"),
        (REPORT, (), "ContentSequence", "1C"),
    ],
)
def test_gives_the_type_of_an_attribute(sop_class: str, path: tuple[str, ...], keyword: str, expected: str) -> None:
    assert attribute_type(sop_class, path, keyword) == expected


def test_the_strictest_of_several_modules_counts() -> None:
    # General Image asks for Image Type as Type 3, CT Image as Type 1.
    assert attribute_type(CT, (), "ImageType") == "1"
    # General Equipment asks for Device Serial Number as Type 3, Enhanced General Equipment as Type 1.
    assert attribute_type(CT, (), "DeviceSerialNumber") == "3"
    assert attribute_type(ENHANCED_CT, (), "DeviceSerialNumber") == "1"


def test_functional_groups_are_known_in_both_places() -> None:
    for group in (SHARED, PER_FRAME):
        assert attribute_type(ENHANCED_CT, (group, "PixelMeasuresSequence"), "PixelSpacing") == "1C"
    assert attribute_type(ENHANCED_CT, (PER_FRAME, "FrameContentSequence"), "FrameReferenceDateTime") == "1C"


def test_a_sequence_within_itself_is_as_at_its_first_level() -> None:
    deep = ("ContentSequence",) * 4
    assert attribute_type(REPORT, deep, "ContentSequence") == "1C"
    assert attribute_type(REPORT, deep, "ValueType") == attribute_type(REPORT, deep[:1], "ValueType") == "1"


def test_what_an_iod_does_not_have_has_no_type() -> None:
    assert attribute_type(CT, (), "VerifyingObserverSequence") is None
    assert attribute_type(CT, ("BeamSequence",), "TreatmentMachineName") is None
    assert attribute_type("1.2.3.4", (), "PatientName") is None


def test_knows_sop_classes_in_use_and_no_others() -> None:
    assert is_known_sop_class(CT)
    assert is_known_sop_class(uid.UltrasoundImageStorage)
    assert not is_known_sop_class("1.2.3.4")


def test_a_retired_class_of_images_is_as_its_successor() -> None:
    retired = "1.2.840.10008.5.1.4.1.1.6"
    assert is_known_sop_class(retired)
    assert attribute_type(retired, (), "ImageType") == attribute_type(uid.UltrasoundImageStorage, (), "ImageType")
    assert not is_known_sop_class("1.2.840.10008.5.1.4.1.1.9")  # standalone curve: nothing but what goes


def test_highdicom_is_read_without_being_imported() -> None:
    code = (
        "import sys; from lakeward.imaging.deidentification.iods import attribute_type;"
        f"assert attribute_type('{CT}', (), 'PatientName') == '2'; sys.exit('highdicom' in sys.modules)"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0
