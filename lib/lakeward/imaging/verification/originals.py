"""What in an original tells whose it is: the texts that must be nowhere afterwards."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydicom._dicom_dict import DicomDictionary
from pydicom._uid_dict import UID_dictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

import lakeward
from lakeward.imaging.deidentification import descriptors, identity
from lakeward.imaging.deidentification.deidentifier import show
from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.values import values
from lakeward.imaging.verification.markers import UNLISTED, allowed
from lakeward.imaging.verification.search import SHORTEST

IDENTIFIERS = frozenset({
    "PatientID", "OtherPatientIDs", "PatientAddress", "PatientTelephoneNumbers", "AccessionNumber", "AdmissionID",
    "MedicalRecordLocator", "IssuerOfPatientID", "MilitaryRank", "InsurancePlanIdentification",
})  # fmt: skip
_STANDARD_UID = "1.2.840.10008."
_PLACEHOLDERS = frozenset({"anonymous", "anonymized", "unknown"})
_WORD = re.compile(r"[^\W_]+")


def walk(ds: Dataset, path: str = "") -> Iterator[tuple[str, DataElement]]:
    """Yield every element at every depth, with its path; sequences themselves are left out."""
    for element in ds:
        here = path + show(element.tag)
        if element.VR != "SQ":
            yield here, element
            continue
        for index, item in enumerate(element.value or ()):
            yield from walk(item, f"{here}[{index}].")


def is_own_uid(text: str) -> bool:
    """Whether a UID was made for one object, and is not one that PS3.6 registers."""
    return len(text) >= SHORTEST and text not in UID_dictionary and not text.startswith(_STANDARD_UID)


def identifying(ds: Dataset, profile: Profile) -> dict[str, str]:
    """Return names, identifiers and UIDs of an object that a profile does not keep, each with its attribute.

    Of names all words count that are no terms of imaging. Left out are words that an option or rule keeps elsewhere in
    the object, and words that Lakeward or the Standard write themselves: finding them would say nothing.
    """
    found: dict[str, str] = {}
    kept: set[str] = set()
    for path, element in walk(ds):
        why = _why_kept(element, profile)
        for value in map(str, values(element.value)):
            if why not in ("", UNLISTED):
                kept |= {value.lower(), *descriptors.words(value)}
            elif not why:
                found |= dict.fromkeys(_telling(element, value), element.keyword or path)
    return {text: attribute for text, attribute in found.items() if not (_is_of(text, kept) or is_common(text))}


def _is_of(text: str, kept: set[str]) -> bool:
    words = descriptors.words(text)
    return text.lower() in kept or bool(words and words <= kept)


def _why_kept(element: DataElement, profile: Profile) -> str:
    if element.tag.is_private:
        return ""
    return allowed(profile, int(element.tag), str(element.VR), element.keyword)


def _telling(element: DataElement, value: str) -> Iterator[str]:
    if element.VR == "PN":
        yield from (group for group in value.split("=") if group)
        yield from identity.telling(descriptors.words(value))
    elif element.keyword in IDENTIFIERS:
        yield value.strip()
    elif element.VR == "UI" and not element.keyword.endswith("SOPClassUID") and is_own_uid(value):
        yield value


def is_common(text: str) -> bool:
    """Whether a text is of words that the software writes by itself."""
    words = {word.lower() for word in _WORD.findall(text)}
    return not words or (words <= _written_anyway() and not all(word.isdecimal() for word in words))


@cache
def _written_anyway() -> frozenset[str]:
    """Words of Lakeward's own code and of PS3.6."""
    here = Path(__file__).parent  # invents names
    code = [path.read_text("utf-8") for path in Path(lakeward.__path__[0]).rglob("*.py") if path.parent != here]
    names = [f"{entry[2]} {entry[4]}" for entry in DicomDictionary.values()]
    words = frozenset(word.lower() for text in (*code, *names) for word in _WORD.findall(text))
    return words | descriptors.vocabulary() | _PLACEHOLDERS
