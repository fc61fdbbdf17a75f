"""Who an object is of, and the words in it that tell."""

from collections.abc import Iterator, Set

from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from lakeward.imaging.deidentification import descriptors
from lakeward.imaging.deidentification.values import values

_IDENTIFIERS = (
    "PatientID", "OtherPatientIDs", "PatientBirthDate", "PatientAddress", "PatientTelephoneNumbers", "AccessionNumber",
    "StudyID", "AdmissionID", "MedicalRecordLocator", "ClinicalTrialSubjectID",
)  # fmt: skip
TELLING = {Tag(keyword) for keyword in _IDENTIFIERS} | {
    tag for tag, entry in DicomDictionary.items() if entry[0] == "PN"
}
"""Attributes whose values name persons."""
_FUNCTIONAL_GROUPS = {0x52009229, 0x52009230}  # many items, and no names in them
SEQUENCES = {tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ"} - _FUNCTIONAL_GROUPS
"""Sequences that are searched for such attributes."""
_SHORTEST_NUMBER, _SHORTEST_WORD = 5, 3


def of(ds: Dataset) -> str:
    """Return what tells one patient from another: the Patient ID, else name and birth date, else the study.

    The issuer of the Patient ID is left out, since not every modality of a hospital writes it.
    """
    if patient_id := str(ds.get("PatientID") or "").strip():
        return f"id:{patient_id}"
    if name := str(ds.get("PatientName") or "").strip():
        return f"name:{name.lower()}|{ds.get('PatientBirthDate') or ''}"
    return f"study:{ds.get('StudyInstanceUID') or ds.get('SOPInstanceUID') or ''}"


def words(ds: Dataset) -> frozenset[str]:
    """Return the words, in lower case, of all names and identifiers of persons in an object, at any depth."""
    texts = (str(value) for item in _nested(ds) for tag in item.keys() & TELLING for value in values(item[tag].value))
    return frozenset(word for text in texts for word in descriptors.words(text))


def telling(identifying: Set[str]) -> frozenset[str]:
    """Return those of the words that point at a person wherever they stand: no terms of imaging, no small numbers."""
    return frozenset(word for word in identifying - descriptors.vocabulary() if _is_telling(word))


def _is_telling(word: str) -> bool:
    if word.isdecimal():
        return len(word) >= _SHORTEST_NUMBER
    return len(word) >= _SHORTEST_WORD or not word.isascii()


def _nested(ds: Dataset) -> Iterator[Dataset]:
    yield ds
    for tag in ds.keys() & SEQUENCES:
        for item in values(ds[tag].value):
            if isinstance(item, Dataset):
                yield from _nested(item)
