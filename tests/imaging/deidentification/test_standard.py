"""Table E.1-1 and the safe private attributes, as the Standard has them."""

from collections import Counter

import pytest
from pydicom.datadict import dictionary_has_tag, keyword_for_tag, repeater_has_keyword
from pydicom.sr.codedict import codes
from pydicom.tag import Tag

from lakeward.imaging.deidentification.standard import (
    BASIC_PROFILE,
    Option,
    confidentiality_table,
    lookup,
    safe_private,
)

# One line per row: keyword (or tag, where there is none), Basic Profile, and the options that say something.
# Each was compared with the Standard's printed table; together they touch every option column.
AS_PRINTED = """
    PatientName                         Z
    PatientID                           Z/D
    PatientBirthDate                    Z
    PatientSex                          Z       retain_patient_characteristics=K
    PatientAge                          X       retain_patient_characteristics=K
    Allergies                           X       retain_patient_characteristics=C clean_descriptors=C
    AccessionNumber                     Z
    StudyDate                           Z       retain_full_dates=K retain_modified_dates=C
    AcquisitionDateTime                 X/Z/D   retain_full_dates=K retain_modified_dates=C
    SOPInstanceUID                      U       retain_uids=K
    ReferencedImageSequence             X/Z/U*  retain_uids=K
    ReferencedPerformedProcedureStepSequence X/Z/D retain_uids=K
    StationName                         X/Z/D   retain_device_identity=K
    InstitutionName                     X/Z/D   retain_institution_identity=K
    ClinicalTrialSiteName               Z       retain_institution_identity=K
    StudyDescription                    X       clean_descriptors=C
    AcquisitionDeviceProcessingDescription X/D  clean_descriptors=C
    AcquisitionContextSequence          X/Z     clean_structured_content=C
    ContentSequence                     D       clean_structured_content=C
    GraphicAnnotationSequence           D       clean_graphics=C
    60xx3000                            X       clean_graphics=C
    60xx4000                            X       clean_graphics=C
    50xxxxxx                            X       clean_graphics=C
    ggggeeee                            X       retain_safe_private=C
    OriginalAttributesSequence          X
    IconImageSequence                   X
    VerifyingObserverSequence           D
    DigitalSignatureUID                 U
"""


def test_has_every_row_of_edition_2026c() -> None:
    assert Counter(row.basic for row in confidentiality_table().values()) == {
        "X": 416,
        "D": 93,
        "U": 55,
        "Z": 42,
        "X/D": 23,
        "X/Z": 11,
        "X/Z/D": 8,
        "Z/D": 6,
        "X/Z/U*": 2,
    }


def test_has_every_option_entry_of_edition_2024e() -> None:
    entries = Counter((option, act) for row in confidentiality_table().values() for option, act in row.options.items())
    assert entries == {
        (Option.RETAIN_FULL_DATES, "K"): 165,
        (Option.RETAIN_MODIFIED_DATES, "C"): 165,
        (Option.CLEAN_DESCRIPTORS, "C"): 125,
        (Option.RETAIN_UIDS, "K"): 59,
        (Option.RETAIN_DEVICE_IDENTITY, "K"): 46,
        (Option.RETAIN_DEVICE_IDENTITY, "C"): 11,
        (Option.RETAIN_INSTITUTION_IDENTITY, "K"): 10,
        (Option.RETAIN_PATIENT_CHARACTERISTICS, "K"): 9,
        (Option.RETAIN_PATIENT_CHARACTERISTICS, "C"): 4,
        (Option.CLEAN_GRAPHICS, "C"): 4,
        (Option.CLEAN_STRUCTURED_CONTENT, "C"): 3,
        (Option.RETAIN_SAFE_PRIVATE, "C"): 1,
    }


@pytest.mark.parametrize("line", AS_PRINTED.strip().splitlines(), ids=lambda line: line.split()[0])
def test_says_what_the_standard_prints(line: str) -> None:
    name, basic, *options = line.split()
    row = next(row for row in confidentiality_table().values() if name in (row.keyword, row.tag))
    assert row.basic == basic
    assert dict(row.options) == dict(option.split("=") for option in options)


def test_what_is_kept_with_full_dates_is_shifted_with_modified_dates() -> None:
    for row in confidentiality_table().values():
        assert (Option.RETAIN_FULL_DATES in row.options) == (Option.RETAIN_MODIFIED_DATES in row.options), row.tag


def test_keywords_are_those_of_the_data_dictionary() -> None:
    for tag, row in confidentiality_table().items():
        assert row.name, tag
        if tag.startswith("60xx"):
            assert repeater_has_keyword(row.keyword)
        elif tag in ("50xxxxxx", "ggggeeee"):
            assert row.keyword == ""
        elif dictionary_has_tag(int(tag, 16)):
            assert row.keyword == keyword_for_tag(int(tag, 16)), tag
        else:
            assert row.keyword == "", tag


@pytest.mark.parametrize(
    ("tag", "row"),
    [
        (0x00100010, "00100010"),
        (Tag("PatientName"), "00100010"),
        (0x60003000, "60xx3000"),
        (0x601E3000, "60xx3000"),
        (0x60024000, "60xx4000"),
        (0x50000005, "50xxxxxx"),
        (0x501E3000, "50xxxxxx"),
        (0x00090010, "ggggeeee"),
        (0x60013000, "ggggeeee"),
        (0x50010005, "ggggeeee"),
        (0xFFFCFFFC, "FFFCFFFC"),
    ],
)
def test_finds_the_row_that_covers_a_tag(tag: int, row: str) -> None:
    found = lookup(tag)
    assert found is not None
    assert found.tag == row


@pytest.mark.parametrize("tag", [0x00280010, 0x7FE00010, 0x60001500, 0x61000010])
def test_finds_no_row_where_the_table_is_silent(tag: int) -> None:
    assert lookup(tag) is None


def test_options_carry_the_codes_of_cid_7050() -> None:
    ours = {BASIC_PROFILE} | {(option.code, option.meaning) for option in Option}
    assert ours == {(code.value, code.meaning) for code in codes.cid7050.concepts.values()}


def test_option_codes_are_not_mixed_up() -> None:
    for option in Option:
        said = option.meaning.lower().replace("longitudinal temporal information ", "").replace(" ", "_")
        assert said == f"{option.value}_option"


def test_safe_private_attributes_are_found_by_creator() -> None:
    table = safe_private()
    assert len(table) == 130
    assert table[(0x7053, "Philips PET Private Group", 0x00)].vr == "DS"
    assert table[(0x0019, "SIEMENS MR HEADER", 0x0C)].meaning == "B Value"
    assert table[(0x0019, "GEMS_ACQU_01", 0x9E)].vr == "LO"
    assert table[(0x0043, "GEMS_PARM_01", 0x6F)].vm == "3-4"
    assert table[(0x7E01, "HOLOGIC, Inc.", 0x12)].vr == "OB"
    assert table[(0x0199, "NQLeft", 0x0A)].meaning == "Left Cerebellar Gray Matter"


def test_safe_private_attributes_are_private() -> None:
    assert all(group % 2 and creator and 0 <= offset <= 0xFF for group, creator, offset in safe_private())
