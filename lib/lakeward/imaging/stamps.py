"""What a de-identified object says of itself (PS3.15 E.1.1 and E.1.2; PS3.3 C.12.1, Table C.7-1)."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lakeward import __version__
from lakeward.imaging.profile import Profile
from lakeward.imaging.standard import BASIC_PROFILE, EDITION, Option

PUBLIC_CODING_SCHEMES = frozenset(
    {"DCM", "SCT", "SRT", "SNM3", "LN", "UCUM", "RADLEX", "FMA", "UMLS", "NCIt", "I10", "ICD10"}
)
"""Designators (PS3.16 Table 8-1) whose code meanings are the scheme's words, not a user's."""

_LONGITUDINAL = {Option.RETAIN_FULL_DATES: "UNMODIFIED", Option.RETAIN_MODIFIED_DATES: "MODIFIED"}


def stamp(ds: Dataset, profile: Profile) -> None:
    """Write who removed what: (0012,0062), (0012,0063), (0012,0064) and (0028,0303).

    (0028,0301) and (0028,0302) are left as they are, since pixels were not cleaned. Codes of an earlier
    de-identification are kept in front of ours; its free text is not.
    """
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = [
        f"Lakeward {__version__}, DICOM {EDITION} Annex E"[:64],
        f"Profile {profile.name} {profile.hash[:16]}",
    ]
    codes = {BASIC_PROFILE.value: BASIC_PROFILE.meaning} | {option.code: option.meaning for option in profile.options}
    earlier = [item for item in ds.get("DeidentificationMethodCodeSequence") or () if _is_method(item, codes)]
    ours = [_code(code, "DCM", text) for code, text in codes.items()]
    ds.DeidentificationMethodCodeSequence = Sequence(earlier + ours)
    ds.LongitudinalTemporalInformationModified = next(
        (value for option, value in _LONGITUDINAL.items() if profile.has(option)), "REMOVED"
    )


def removed_code() -> Dataset:
    """Return a code item in place of one that names a person or place."""
    return _code("REMOVED", "99LAKEWARD", "Removed")


def removed_content() -> Dataset:
    """Return a content item in place of a report's content: a comment that says it is gone (PS3.3 C.17.3)."""
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "TEXT"
    item.ConceptNameCodeSequence = Sequence([_code("121106", "DCM", "Comment")])
    item.TextValue = "Removed"
    return item


def _is_method(item: Dataset, codes: dict[str, str]) -> bool:
    """Whether an item is a code of an earlier de-identification (PS3.16 CID 7050) that we do not write ourselves."""
    code = str(item.get("CodeValue") or "")
    return item.get("CodingSchemeDesignator") == "DCM" and code.startswith("1131") and code not in codes


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item
