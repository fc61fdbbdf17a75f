"""Descriptions, codes, reports and graphics: the words of imaging stay, a person's go."""

from typing import Any

from pydicom import uid
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence

from invented import KEY, a_code, a_profile, an_item, an_object, cleaned
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.objects.writing import encode


def test_descriptions_keep_the_words_of_imaging() -> None:
    ds = an_object(StudyDescription="CT chest for Doe", SeriesDescription="Long axis", ProtocolName="Dr Jones")
    ds.PatientName = "Doe^Long"
    cleaned(ds, a_profile(Option.CLEAN_DESCRIPTORS))
    assert (ds.StudyDescription, ds.SeriesDescription, ds.ProtocolName) == ("CT chest for", "axis", "Dr")


def test_a_cleaned_attribute_of_type_1_gets_a_stand_in_where_nothing_is_left() -> None:
    ds = an_object(uid.RTStructureSetStorage, StructureSetLabel="Zqx", StructureSetName="Zqx")
    cleaned(ds, a_profile(Option.CLEAN_DESCRIPTORS))
    assert ds.StructureSetLabel.startswith("LW")
    assert ds.StructureSetName == ""


def test_codes_in_cleaned_content_stay_where_they_are_public() -> None:
    request = an_item(
        RequestedProcedureID="Zqx",
        Manufacturer="Zqx",  # kept elsewhere
        RequestedProcedureCodeSequence=Sequence(
            [
                a_code("113036", "DCM", "Group of Frames for Display", CodingSchemeVersion="01"),
                a_code("113036", "DCM", "Zqx chest", CodingSchemeVersion="as Zqx says"),
                a_code("69536005", "SCT", "Head"),
                a_code("Zqx", "DCM", "Zqx"),
                a_code("123", "99ZQX", "CT Zqx", CodingSchemeVersion="Zqx", ContextUID="1.2.3"),
            ]
        ),
    )
    ds = an_object(RequestAttributesSequence=Sequence([request]))
    cleaned(ds, a_profile(Option.CLEAN_DESCRIPTORS))
    found = [(c.CodeValue, c.CodingSchemeDesignator, c.CodeMeaning) for c in request.RequestedProcedureCodeSequence]
    assert found[:3] == [
        ("113036", "DCM", "Group of Frames for Display"),
        ("113036", "DCM", "chest"),
        ("69536005", "SCT", "Head"),
    ]
    assert [(scheme, meaning) for _, scheme, meaning in found[3:]] == [("99LAKEWARD", "Removed"), ("99LAKEWARD", "CT")]
    assert not any(word in encode(ds) for word in (b"Zqx", b"99ZQX", b"1.2.3\0"))


def test_sequences_that_need_a_value_go_where_their_iod_does_not_have_them() -> None:
    observer = Sequence([an_item(VerifyingObserverName="Zqx", VerificationDateTime="2024")])
    image = cleaned(an_object(uid.CTImageStorage, VerifyingObserverSequence=observer))
    report = cleaned(an_object(uid.ComprehensiveSRStorage, VerifyingObserverSequence=observer))
    assert "VerifyingObserverSequence" not in image  # Table E.1-1, Note 13
    assert "VerifyingObserverName" in report.VerifyingObserverSequence[0]
    assert b"Zqx" not in encode(report)


def a_report() -> FileDataset:
    def content(kind: str, concept: tuple[str, str, str], **value: Any) -> Dataset:
        names = Sequence([a_code(*concept)])
        return an_item(RelationshipType="CONTAINS", ValueType=kind, ConceptNameCodeSequence=names, **value)

    measured = an_item(NumericValue="42")
    return an_object(
        uid.ComprehensiveSRStorage,
        ContentSequence=Sequence(
            [
                content("TEXT", ("121071", "DCM", "Finding"), TextValue="nodule in left lung, says Zqx, seen 12/03/58"),
                content("PNAME", ("121008", "DCM", "Person Observer Name"), PersonName="Zqx"),
                content("DATE", ("121031", "DCM", "Subject Birth Date"), Date="19580312"),
                content("DATE", ("111060", "DCM", "Study Date"), Date="20240301"),
                content("NUM", ("121033", "DCM", "Subject Age"), MeasuredValueSequence=Sequence([measured])),
                content("UIDREF", ("121018", "DCM", "Procedure Study Instance UID"), UID="1.2.3"),
            ]
        ),
    )


def test_a_reports_content_goes_unless_it_is_cleaned() -> None:
    [only] = cleaned(a_report()).ContentSequence
    assert only.TextValue == "Removed"


def test_a_cleaned_report_keeps_findings_and_no_person() -> None:
    options = (Option.CLEAN_STRUCTURED_CONTENT, Option.RETAIN_FULL_DATES)
    ds = cleaned(a_report(), a_profile(*options))
    meanings = [item.ConceptNameCodeSequence[0].CodeMeaning for item in ds.ContentSequence]
    assert meanings == ["Finding", "Person Observer Name", "Study Date", "Procedure Study Instance UID"]
    assert ds.ContentSequence[0].TextValue == "nodule in left lung"
    assert ds.ContentSequence[2].Date == "20240301"
    assert KEY.uid("1.2.3") == ds.ContentSequence[3].UID
    assert b"Zqx" not in encode(ds)
    kept = cleaned(a_report(), a_profile(*options, Option.RETAIN_PATIENT_CHARACTERISTICS)).ContentSequence
    assert "Subject Age" in [item.ConceptNameCodeSequence[0].CodeMeaning for item in kept]
    assert not any("Date" in item and item.Date == "19580312" for item in kept)


def test_graphics_go_unless_they_are_cleaned() -> None:
    def annotated() -> FileDataset:
        text = an_item(UnformattedTextValue="Zqx", AnchorPointAnnotationUnits="PIXEL")
        circle = an_item(GraphicData=[1.0, 2.0], GraphicType="POINT")
        layer = an_item(GraphicLayer="A", TextObjectSequence=Sequence([text]), GraphicObjectSequence=Sequence([circle]))
        return an_object(uid.GrayscaleSoftcopyPresentationStateStorage, GraphicAnnotationSequence=Sequence([layer]))

    basic, clean = cleaned(annotated()), cleaned(annotated(), a_profile(Option.CLEAN_GRAPHICS))
    assert basic.GraphicAnnotationSequence[0].GraphicObjectSequence[0].GraphicData == [0.0, 0.0]
    assert clean.GraphicAnnotationSequence[0].GraphicObjectSequence[0].GraphicData == [1.0, 2.0]
    assert b"Zqx" not in encode(basic) + encode(clean)
