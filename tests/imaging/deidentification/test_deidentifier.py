"""Whose an object is, a user's own rules, and whole files before and after."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from invented import (
    KEY,
    MARK,
    RESEARCH,
    TEST_FILES,
    a_profile,
    an_item,
    an_object,
    cleaned,
    deidentified,
    read,
)
from lakeward.imaging.deidentification.deidentifier import Deidentifier
from lakeward.imaging.deidentification.profile import UserRule
from lakeward.imaging.deidentification.standard import lookup
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.objects.writing import encode
from lakeward.imaging.reasons import Quarantined


def test_a_patient_has_one_pseudonym_in_all_objects() -> None:
    objects = [read("CT_small.dcm"), read("CT_small.dcm")]
    objects[1].PatientName, objects[1].SOPInstanceUID = "Other^Spelling", "1.2.4"
    done = [deidentified(ds) for ds in objects]
    assert done[0].patient == done[1].patient == done[0].dataset.PatientID == str(done[1].dataset.PatientName)


def test_patients_without_an_id_are_told_apart_by_name_and_birth_date_then_by_study() -> None:
    def one(**attributes: Any) -> str:
        return deidentified(an_object(PatientID="", **attributes)).patient

    assert one(PatientBirthDate="20000101") == one(PatientBirthDate="20000101", StudyInstanceUID="1.9")
    assert one(PatientBirthDate="20000101") != one(PatientBirthDate="20000102")
    assert one(PatientName="", StudyInstanceUID="1.8") != one(PatientName="", StudyInstanceUID="1.9")


def test_another_patient_inside_has_that_patients_pseudonym() -> None:
    ds = an_object(SourcePatientGroupIdentificationSequence=Sequence([an_item(PatientID="P2")]))
    other = deidentified(an_object(PatientID="P2")).patient
    assert cleaned(ds).SourcePatientGroupIdentificationSequence[0].PatientID == other != ds.PatientID


def test_a_segmentation_still_leads_to_its_images_in_the_research_profiles() -> None:
    def source(ds: Dataset) -> str:
        derivation = ds.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
        return str(derivation.SourceImageSequence[0].ReferencedSOPInstanceUID)

    original = source(read("liver_1frame.dcm"))
    assert source(cleaned(read("liver_1frame.dcm"), RESEARCH)) == KEY.uid(original)


def test_uids_are_mapped_wherever_they_are_and_references_resolve() -> None:
    image = an_item(ReferencedSOPClassUID=uid.CTImageStorage, ReferencedSOPInstanceUID="1.2.3.9")
    ds = an_object(StudyInstanceUID="1.2.7", ReferencedRawDataSequence=Sequence([image]))
    ds.FailedSOPInstanceUIDList = ["1.2.3.8", "1.2.3.9"]
    ds.MappingResourceUID = "1.2.7"
    cleaned(ds)
    assert ds.SOPInstanceUID == KEY.uid("1.2.3")
    assert ds.StudyInstanceUID == ds.MappingResourceUID == KEY.uid("1.2.7")
    assert ds.FailedSOPInstanceUIDList == [KEY.uid("1.2.3.8"), KEY.uid("1.2.3.9")]
    assert ds.ReferencedRawDataSequence[0].ReferencedSOPInstanceUID == KEY.uid("1.2.3.9")
    assert ds.ReferencedRawDataSequence[0].ReferencedSOPClassUID == uid.CTImageStorage


def test_a_users_rule_may_look_at_the_text() -> None:
    rules = (
        UserRule(keyword="StationName", value="^CT", action="K"),
        UserRule(keyword="PatientName", value="Doe", action="K"),
        UserRule(tag="(0008,0070)", action="X"),
        UserRule(keyword="AccessionNumber", action="U"),
        UserRule(keyword="OtherPatientIDs", action="K"),
    )
    ds = an_object(StationName="CT1", Manufacturer="ACME", AccessionNumber="A1", OtherPatientIDs="STUDY-P12345")
    cleaned(ds, a_profile(rules=rules))
    assert ds.OtherPatientIDs == "STUDY-P12345"  # although it tells who it is
    assert (ds.StationName, ds.PatientName, "Manufacturer" in ds) == ("CT1", "Doe^Jane", False)
    assert ds.AccessionNumber == KEY.text("A1")
    assert "StationName" not in cleaned(an_object(StationName="MR1"), a_profile(rules=rules))


def test_what_was_changed_is_told_with_the_rule_and_without_a_value() -> None:
    ds = an_object(StudyDescription=MARK, RequestAttributesSequence=Sequence([an_item(RequestedProcedureID=MARK)]))
    changes = deidentified(ds, RESEARCH).changes
    assert changes["(0008,1030)"] == ("C", "E.1-1, clean_descriptors")
    assert changes["(0040,0275).(0040,1001)"] == ("X", "E.1-1")
    assert "(0008,0016)" not in changes
    assert MARK not in str(changes)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "693_J2KI.dcm"])
def test_an_image_keeps_its_pixels_and_geometry(name: str) -> None:
    before, ds = read(name), cleaned(read(name), RESEARCH)
    assert pydicom.dcmread(BytesIO(encode(ds))).pixel_array.tobytes() == before.pixel_array.tobytes()
    kept = [e.keyword for e in before if e.keyword and e.tag.group in (0x0018, 0x0028) and not lookup(e.tag)]
    assert [keyword for keyword in kept if ds[keyword].value != before[keyword].value] == []


def test_pixels_have_no_comment_and_no_overlay_in_them_and_the_object_is_stamped() -> None:
    compressed, native = read("693_J2KI.dcm"), read("MR_small.dcm")
    assert b"Created by" in compressed.PixelData
    native.BitsStored, native.HighBit = 12, 11
    native.PixelData = b"\xff" * len(native.PixelData)
    native.add_new(0x60000102, "US", 12)
    assert b"Created by" not in cleaned(compressed).PixelData
    assert set(cleaned(native).PixelData) == {0xFF, 0x0F}
    assert compressed.PatientIdentityRemoved == native.PatientIdentityRemoved == "YES"


def test_the_same_in_every_process() -> None:
    code = (
        "import hashlib, pathlib, sys; sys.path.insert(0, sys.argv[1]);"
        "from lakeward.imaging.deidentification.deidentifier import Deidentifier;"
        "from lakeward.imaging.deidentification.profile import load_profile;"
        "from lakeward.imaging.deidentification.pseudonyms import Pseudonyms;"
        "from lakeward.imaging.objects.reading import read_object;"
        "from lakeward.imaging.objects.writing import encode;"
        "d = Deidentifier(load_profile('research'), Pseudonyms(b'a' * 32));"
        "print([hashlib.sha256(encode(d(read_object(pathlib.Path(p))).dataset)).hexdigest() for p in sys.argv[2:]])"
    )
    files = [str(TEST_FILES / name) for name in ("CT_small.dcm", "test-SR.dcm", "reportsi.dcm", "693_J2KI.dcm")]
    lib = str(Path(sys.modules["lakeward"].__path__[0]).parent)
    printed = {
        subprocess.run(
            [sys.executable, "-c", code, lib, *files], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_original_names_and_uids_are_gone_from_all_files_that_pydicom_ships() -> None:
    engine, refused = Deidentifier(RESEARCH, KEY), []
    for path in sorted(TEST_FILES.glob("*.dcm")):
        try:
            ds = read_object(path)
        except Exception:
            continue
        if "SOPClassUID" not in ds or "SOPInstanceUID" not in ds:
            continue
        originals = {str(e.value).encode() for e in ds.iterall() if e.VR == "UI" and e.value and not e.is_private}
        originals = {o for o in originals if KEY.uid(o.decode()) != o.decode() and b"'" not in o and len(o) > 8}
        names = {str(ds.get(k) or "").encode() for k in ("PatientName", "PatientID") if len(str(ds.get(k) or "")) > 5}
        try:
            ds = engine(ds).dataset
        except Quarantined:
            refused.append(path.name)
            continue
        header = Dataset({tag: ds.get_item(tag) for tag in ds.keys() if tag >> 16 != 0x7FE0})
        text = str(header).encode()
        assert not [o for o in originals | names if o in text], path.name
    assert refused == ["JPEG2000-embedded-sequence-delimiter.dcm"], "its codestream says another size than it does"
