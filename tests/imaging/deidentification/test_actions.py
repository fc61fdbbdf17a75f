"""Which action is taken on which kind of element."""

import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.tag import Tag

from lakeward.imaging.deidentification.actions import Rules, resolve
from lakeward.imaging.deidentification.profile import Profile, UserRule
from lakeward.imaging.deidentification.standard import Option, confidentiality_table, lookup

BASIC = Rules(Profile(name="basic"))

# Action of Table E.1-1 against the Type of the attribute: 1 and 1C, 2 and 2C, 3, not in the IOD.
RESOLVED = {
    "D": "DDDD",
    "Z": "DZZZ",
    "X": "XXXX",
    "K": "KKKK",
    "C": "CCCC",
    "U": "UUUU",
    "Z/D": "DZZZ",
    "X/Z": "DZXX",
    "X/D": "DDXX",
    "X/Z/D": "DZXX",
    "X/Z/U*": "UUXX",
}
TYPES = [("1", "1C"), ("2", "2C"), ("3",), (None,)]


@pytest.mark.parametrize("action", RESOLVED)
def test_the_type_decides_conditional_actions(action: str) -> None:
    for kinds, expected in zip(TYPES, RESOLVED[action], strict=True):
        assert {resolve(action, kind) for kind in kinds} == {expected}  # type: ignore[arg-type]


def test_every_action_of_the_table_is_resolved_above() -> None:
    assert {row.basic for row in confidentiality_table().values()} <= RESOLVED.keys()


def rules(*options: Option, **profile: object) -> Rules:
    return Rules(Profile(name="test", options=options, **profile))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "keyword", "vr", "off", "on"),
    [
        (Option.CLEAN_GRAPHICS, "GraphicAnnotationSequence", "SQ", "D", "C"),
        (Option.CLEAN_STRUCTURED_CONTENT, "ContentSequence", "SQ", "D", "C"),
        (Option.CLEAN_STRUCTURED_CONTENT, "TextValue", "UT", "X/Z/D", "C"),
        (Option.CLEAN_DESCRIPTORS, "StudyDescription", "LO", "X", "C"),
        (Option.RETAIN_FULL_DATES, "StudyDate", "DA", "Z", "K"),
        (Option.RETAIN_FULL_DATES, "DateOfGainCalibration", "DA", "X/Z/D", "K"),  # not in the table
        (Option.RETAIN_MODIFIED_DATES, "StudyDate", "DA", "Z", "C"),
        (Option.RETAIN_MODIFIED_DATES, "DateOfGainCalibration", "DA", "X/Z/D", "C"),
        (Option.RETAIN_PATIENT_CHARACTERISTICS, "PatientAge", "AS", "X", "K"),
        (Option.RETAIN_PATIENT_CHARACTERISTICS, "Allergies", "LO", "X", "C"),
        (Option.RETAIN_DEVICE_IDENTITY, "DeviceSerialNumber", "LO", "X/Z/D", "K"),
        (Option.RETAIN_DEVICE_IDENTITY, "StationAETitle", "AE", "X", "C"),
        (Option.RETAIN_INSTITUTION_IDENTITY, "InstitutionName", "LO", "X/Z/D", "K"),
        (Option.RETAIN_UIDS, "StudyInstanceUID", "UI", "U", "K"),
        (Option.RETAIN_UIDS, "MappingResourceUID", "UI", "U", "K"),  # not in the table
    ],
)
def test_an_option_overrides_the_basic_profile(option: Option, keyword: str, vr: str, off: str, on: str) -> None:
    assert BASIC.decide(Tag(keyword), vr).action == off
    assert rules(option).decide(Tag(keyword), vr).action == on


def test_of_two_options_the_one_that_cleans_wins() -> None:
    both = rules(Option.RETAIN_DEVICE_IDENTITY, Option.RETAIN_MODIFIED_DATES)
    assert both.decide(Tag("DateOfLastCalibration"), "DA").action == "C"


def test_safe_private_elements_are_kept_cleaned_or_mapped_by_their_vr_in_the_standard() -> None:
    safe = rules(Option.RETAIN_SAFE_PRIVATE)
    assert safe.decide(0x00191027, "DS", "GEMS_ACQU_01").action == "K"
    assert safe.decide(0x00431027, "SH", "GEMS_PARM_01").action == "C"
    assert safe.decide(0x00991002, "UI", "NQHeader").action == "U"
    assert safe.decide(0x7E011012, "OB", "HOLOGIC, Inc.").action == "X"
    assert safe.decide(0x00191027, "DS", "SMITH").action == "X"
    assert safe.decide(0x00191028, "DS", "GEMS_ACQU_01").action == "X"
    assert BASIC.decide(0x00191027, "DS", "GEMS_ACQU_01").action == "X"


@pytest.mark.parametrize("tag", [0x00020016, 0x00041130, 0x00001001, 0x00080000, 0x00110010, 0x0009AAAA])
def test_what_no_data_set_has_and_what_is_private_goes(tag: int) -> None:
    assert BASIC.decide(tag, "LO").action == "X"


@pytest.mark.parametrize(
    "tag",
    [
        0x0008AAAA,  # in no dictionary
        0x00280020,  # retired and blank
        0x50000005,  # curve
        0x60021500,  # overlay label: not in the table
        0x7F000010,  # another image, retired
        0x04000500,  # encrypted originals
        0x00080116,  # whose coding scheme it is
        0xFFFCFFFC,  # trailing padding
    ],
)
def test_what_can_not_be_known_or_looked_into_goes(tag: int) -> None:
    everything = rules(
        *set(Option) - {Option.CLEAN_PIXEL_DATA, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES, Option.RETAIN_FULL_DATES}
    )
    assert BASIC.decide(tag, "LO").action == everything.decide(tag, "LO").action == "X"


@pytest.mark.parametrize("vr", ["PN", "DA", "TM", "DT", "AE", "UR", "UI", "OB", "UN"])
def test_no_unlisted_attribute_of_a_telling_vr_is_kept(vr: str) -> None:
    unlisted = [t for t, e in DicomDictionary.items() if e[0] == vr and t > 0x00080000 and not lookup(t)]
    kept = {DicomDictionary[tag][4] for tag in unlisted if BASIC.decide(tag, vr).action == "K"}
    known = {"ICCProfile", "FillPattern", "BadPixelImage", "WeightingLookupTableData"}
    assert all(keyword in known or "SOPClass" in keyword for keyword in kept)


def test_no_option_keeps_bytes_that_can_not_be_looked_into() -> None:
    decision = rules(Option.RETAIN_FULL_DATES).decide(Tag("CertifiedTimestamp"), "OB")
    assert decision.action == "X/Z/D"


@pytest.mark.parametrize(
    ("keyword", "declared", "vr", "trusted"),
    [
        ("PatientName", "LO", "PN", True),
        ("StudyDate", "OB", "DA", True),
        ("StudyDate", "SQ", "DA", False),
        ("Rows", "UN", "US", True),
        ("Rows", "LO", "US", False),
        ("PixelData", "UN", "OB", True),
        ("PixelData", "OW", "OW", True),
        ("SmallestImagePixelValue", "UN", "US", True),
        ("SmallestImagePixelValue", "US or SS", "US", True),
        ("Manufacturer", "ST", "ST", True),
        ("Manufacturer", "PN", "LO", False),
        ("Manufacturer", "SQ", "LO", False),
        ("ProcedureCodeSequence", "LO", "SQ", False),
    ],
)
def test_the_dictionary_says_what_an_element_is(keyword: str, declared: str, vr: str, trusted: bool) -> None:
    plan = BASIC.plan(Tag(keyword), declared)
    assert (plan.vr, plan.trusted) == (vr, trusted)


def test_the_first_users_rule_that_fits_wins_over_the_table() -> None:
    mine = rules(
        rules=(
            UserRule(keyword="Station*", value="CT", action="D"),
            UserRule(tag="(0008,1010)", action="K"),
            UserRule(vr="LO", action="X"),
            UserRule(keyword="StationName", value="never reached", action="Z"),
            UserRule(creator="ACME", tag="(0029,xx10)", action="K"),
        )
    )
    plan = mine.plan(Tag("StationName"), "SH")
    assert plan.decision.action == "K"
    assert [decision.action for _, decision in plan.by_value] == ["D"]
    assert mine.decide(Tag("Manufacturer"), "LO").why == "user rule 3"
    assert mine.decide(0x00291010, "LO", "ACME").action == "K"
    assert mine.decide(0x00291010, "LO", "OTHER").action == "X"


def test_a_private_element_needs_a_rule_that_names_its_creator() -> None:
    assert rules(rules=(UserRule(vr="DS", action="K"),)).decide(0x00291010, "DS", "SMITH").action == "X"


def test_the_rules_keep_nothing_of_private_creators_that_they_do_not_know() -> None:
    fresh = rules(Option.RETAIN_SAFE_PRIVATE)
    plans = {id(fresh.plan(0x00291010, "LO", f"PATIENT {n}")) for n in range(10)}
    assert len(plans) == 1
