"""Content items that say who a report is of (PS3.15 Table E.3.4-1), beyond what their attributes give away."""

from pydicom.dataset import Dataset

from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.standard import Option

_BIRTH_DATE = frozenset({("DCM", "121031"), ("LN", "21112-8")})
_AGE = frozenset({("DCM", "121033"), ("LN", "30525-0"), ("SCT", "397669002"), ("SCT", "424144002")})
_SEX = frozenset({("DCM", "121032")})


def is_personal(item: Dataset, profile: Profile) -> bool:
    """Whether a content item goes whole: a birth date always, age and sex unless the profile keeps them.

    An age is a plain number in a report, so it goes as well where ages are capped.
    """
    names = item.get("ConceptNameCodeSequence") or ()
    concepts = {(str(name.get("CodingSchemeDesignator")), str(name.get("CodeValue"))) for name in names}
    keeps = profile.has(Option.RETAIN_PATIENT_CHARACTERISTICS)
    gone = _BIRTH_DATE | (set() if keeps else _SEX) | (set() if keeps and profile.max_age is None else _AGE)
    return not gone.isdisjoint(concepts)
