"""Invented data sets to de-identify, and short words for doing so."""

from pathlib import Path
from struct import pack
from typing import Any

import pydicom
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

from lakeward.imaging.deidentification.deidentifier import Deidentified, Deidentifier
from lakeward.imaging.deidentification.profile import Profile, load_profile
from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.objects.reading import read_object

KEY = Pseudonyms(b"a" * 32)
MARK = "Zqx"
TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
TEXTS = {"PN", "LO", "SH", "LT", "ST", "UT", "UC", "CS", "AE", "UR"}
BASIC = load_profile("basic")
RESEARCH = load_profile("research")


def an_object(sop_class: str = uid.RawDataStorage, **attributes: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, "1.2.3"
    ds.PatientID, ds.PatientName = "P1", "Doe^Jane"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def an_item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def a_code(value: str, scheme: str, meaning: str, **more: Any) -> Dataset:
    return an_item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning, **more)


def a_profile(*options: Option, **fields: Any) -> Profile:
    return Profile(name="test", options=options, **fields)


def deidentified(ds: Dataset, profile: Profile = BASIC) -> Deidentified:
    return Deidentifier(profile, KEY)(ds)


def cleaned(ds: Dataset, profile: Profile = BASIC) -> Dataset:
    return deidentified(ds, profile).dataset


def declared_as(vr: str, tag: int, data: bytes) -> bytes:
    """A file in which an element that was written as OB has another VR."""
    at = data.index(pack("<HH2s", tag >> 16, tag & 0xFFFF, b"OB"))
    return data[: at + 4] + vr.encode() + data[at + 6 :]


def read(name: str) -> FileDataset:
    return read_object(Path(str(get_testdata_file(name))))
