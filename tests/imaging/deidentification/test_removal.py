"""What an object does not hold any more, wherever it stood."""

from io import BytesIO
from typing import Any

import pydicom
import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from invented import BASIC, KEY, MARK, RESEARCH, TEXTS, a_profile, an_item, an_object, cleaned, declared_as
from lakeward.imaging.deidentification.profile import Profile, load_profile
from lakeward.imaging.deidentification.standard import Option, lookup
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.objects.writing import encode


@pytest.mark.parametrize("profile", [BASIC, RESEARCH], ids=lambda profile: profile.name)
@pytest.mark.parametrize("declared", [None, "LO", "OB", "UN", "PN"])
def test_no_text_survives_in_any_attribute_of_the_table(profile: Profile, declared: str | None) -> None:
    ds = an_object()
    tags = [t for t, e in DicomDictionary.items() if lookup(t) and e[0] != "SQ" and t > 0x00080018]
    for tag in tags:
        vr = declared or DicomDictionary[tag][0]
        if vr in TEXTS:
            ds.add_new(tag, vr, MARK)
        elif vr in ("OB", "UN"):
            ds.add_new(tag, "OB", MARK.encode() + b" ")
    original = encode(ds)
    for tag in tags if declared == "UN" else ():
        original = declared_as("UN", tag, original)
    written = encode(cleaned(read_object(original), profile))
    kept = {"PatientSex", "EthnicGroup", "SmokingStatus", "PatientSexNeutered"}
    left = {e.keyword for e in pydicom.dcmread(BytesIO(written)) if MARK in str(e.value)}
    assert MARK.encode() in original
    assert left <= (kept if profile is RESEARCH else set())
    assert bool(left) == (MARK.encode() in written)


@pytest.mark.parametrize("profile", [BASIC, RESEARCH], ids=lambda profile: profile.name)
def test_no_name_survives_in_any_sequence(profile: Profile) -> None:
    ds = an_object()
    for tag, (vr, *_) in DicomDictionary.items():
        if vr == "SQ" and tag > 0x00080000:
            inner = an_item(
                PatientName=MARK, OperatorsName=MARK, ReferencedStudySequence=Sequence([an_item(StudyID=MARK)])
            )
            ds.add_new(tag, "SQ", [inner])
    assert MARK.encode() not in encode(cleaned(ds, profile))


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("Modality", "CS", "see Dr. Zqx, he knows more"),
        ("SliceThickness", "UN", b"1.5 Zqx "),
        ("InstanceNumber", "UN", b"Zqx "),
        ("PatientAge", "AS", "Zqx"),
        ("StudyDate", "DA", "Zqx"),
        ("AcquisitionDateTime", "DT", "Zqx"),
        ("AcquisitionTime", "TM", "Zqx"),
        ("StudyInstanceUID", "UI", "1.2.Zqx"),
        ("ReferencedSOPClassUID", "UI", "Zqx"),
        ("TimezoneOffsetFromUTC", "SH", "Zqx"),
        ("Rows", "LO", "Zqx"),
        ("Rows", "US", [0x715A, 0x0078]),  # Zqx as numbers
        ("ProcedureCodeSequence", "LO", "Zqx"),
        ("HPGLDocument", "OB", b"Zqx "),
    ],
)
@pytest.mark.parametrize("profile", ["basic", "research", "longitudinal"])
def test_no_text_hides_in_an_attribute_that_has_another_form(profile: str, keyword: str, vr: str, value: Any) -> None:
    ds, tag = an_object(), tag_for_keyword(keyword)
    with pydicom.config.disable_value_validation():
        ds.add_new(tag, "OB" if vr == "UN" else vr, value)
        original = declared_as("UN", tag, encode(ds)) if vr == "UN" else encode(ds)
        assert MARK.encode() in original
        assert MARK.encode() not in encode(cleaned(read_object(original), load_profile(profile)))


def test_a_text_that_the_standard_keeps_goes_if_it_names_someone() -> None:
    def kept(**attributes: Any) -> bool:
        return bool(cleaned(an_object(Manufacturer="ACME for Yamada", **attributes)).Manufacturer)

    assert kept()
    assert not kept(PatientName="Yamada^Tarou")
    assert not kept(PatientID="YAMADA")
    assert not kept(ReferencedStudySequence=Sequence([an_item(RequestingPhysician="Yamada")]))
    ds = an_object(Manufacturer="山田 KK", SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Tarou=山田^太郎")
    assert not cleaned(read_object(encode(ds))).Manufacturer


def test_what_is_not_of_a_data_set_goes() -> None:
    ds = an_object()
    ds.add_new(0x00080000, "UL", 8)
    for tag in (0x00001001, 0x00020016, 0x00041511):
        ds.add_new(tag, DicomDictionary[tag][0], "1.2.3")
    assert {tag for tag in cleaned(ds).keys() if tag < 0x00080001} == set()


@pytest.mark.parametrize("profile", [BASIC, RESEARCH], ids=lambda profile: profile.name)
def test_hiding_places_are_empty(profile: Profile) -> None:
    ds = an_object(OriginalAttributesSequence=Sequence([an_item(ModifyingSystem=MARK)]))
    ds.IconImageSequence = Sequence([an_item(PixelData=MARK.encode() + b" ")])
    ds.EncryptedAttributesSequence = Sequence([an_item(EncryptedContent=MARK.encode() + b" ")])
    ds.DerivationImageSequence = Sequence([Dataset()])
    ds.DerivationImageSequence[0].add_new("PixelData", "OB", MARK.encode() + b" ")
    ds.DataSetTrailingPadding = MARK.encode() + b" "
    ds.add_new(0x60001500, "LO", MARK)
    ds.add_new(0x60020022, "LO", MARK)
    ds.add_new(0x50002600, "LO", MARK)
    ds.add_new(0x7F000010, "OW", MARK.encode() + b" ")
    assert MARK.encode() not in encode(cleaned(ds, profile))


def test_all_private_elements_go_at_every_depth() -> None:
    inner = an_item()
    inner.private_block(0x0011, MARK, create=True).add_new(1, "UN", MARK.encode() + b" ")
    ds = an_object(ProcedureCodeSequence=Sequence([inner]))
    ds.private_block(0x0009, "GEMS_ACQU_01", create=True).add_new(0x27, "SQ", [an_item(PatientName=MARK)])
    ds.add_new(0x00110001, "LO", MARK)
    ds.add_new(0x00131234, "LO", MARK)
    assert not [tag for item in (cleaned(ds), inner) for tag in item.keys() if tag.is_private]


def test_safe_private_elements_stay_with_their_creators_and_only_those() -> None:
    safe = a_profile(Option.RETAIN_SAFE_PRIVATE)
    ds = an_object()
    block = ds.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x27, "DS", "1.5")
    block.add_new(0x28, "LO", MARK)
    ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x27, "SH", f"0.5 mm {MARK}")
    ds.private_block(0x0045, "GEMS_HELIOS_01", create=True)
    ds.private_block(0x0019, MARK, create=True).add_new(0x27, "DS", "1.5")
    ds.private_block(0x0099, "NQHeader", create=True).add_new(0x02, "UI", "1.2.3")
    cleaned(ds, safe)
    private = {int(tag): ds[tag].value for tag in ds.keys() if tag.is_private}
    assert private == {
        0x00190010: "GEMS_ACQU_01",
        0x00191027: 1.5,
        0x00430010: "GEMS_PARM_01",
        0x00431027: "0.5 mm",
        0x00990010: "NQHeader",
        0x00991002: KEY.uid("1.2.3"),
    }


@pytest.mark.parametrize("vr", ["LO", "UN", "PN", "DA", "OB"])
def test_a_safe_private_element_hides_no_text_behind_another_vr(vr: str) -> None:
    ds = an_object()
    value: Any = f"{MARK} knows".encode() if vr in ("UN", "OB") else f"{MARK} knows"
    with pydicom.config.disable_value_validation():
        ds.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x27, vr, value)
        ds.private_block(0x0045, "GEMS_HELIOS_01", create=True).add_new(0x02, vr, value)
        written = encode(cleaned(read_object(encode(ds)), a_profile(Option.RETAIN_SAFE_PRIVATE)))
    assert MARK.encode() not in written
