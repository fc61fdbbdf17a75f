"""What a de-identified object says of itself (PS3.15 E.1.1 and E.1.2; PS3.3 C.12.1, Table C.7-1)."""

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from lakeward import __version__
from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.standard import BASIC_PROFILE, EDITION, Option

_CODE_VALUE, _SCHEME, _MEANING = Tag("CodeValue"), Tag("CodingSchemeDesignator"), Tag("CodeMeaning")
_METHODS = {BASIC_PROFILE.value: BASIC_PROFILE.meaning} | {option.code: option.meaning for option in Option}
STAMPS = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)
_LONGITUDINAL = {Option.RETAIN_FULL_DATES: "UNMODIFIED", Option.RETAIN_MODIFIED_DATES: "MODIFIED"}


def stamp(ds: Dataset, profile: Profile, pixels_cleaned: bool = False) -> None:
    """Write who removed what: (0012,0062), (0012,0063), (0012,0064) and (0028,0303).

    Only where pixels were cleaned, this is said too, by the option's code and by (0028,0301). That faces are cleaned is
    never said, and (0028,0302) is left as it is: what passes was placed elsewhere by its own words, and nobody looked.
    Codes of an earlier de-identification are written again in front of ours, with their own meanings; its free text
    goes.
    """
    unsaid = {Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES} | (set() if pixels_cleaned else {Option.CLEAN_PIXEL_DATA})
    done = [option for option in profile.options if option not in unsaid]
    codes = {code: _METHODS[code] for code in (BASIC_PROFILE.value, *(option.code for option in done))}
    before = _earlier_methods(ds)
    for keyword in STAMPS:
        ds.pop(keyword, None)  # also what VR it had
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = [
        f"Lakeward {__version__}, DICOM {EDITION} Annex E"[:64],
        f"Profile {profile.name} {profile.hash[:16]}",
    ]
    ds.DeidentificationMethodCodeSequence = Sequence(
        _code(code, "DCM", text) for code, text in {**before, **codes}.items()
    )
    if pixels_cleaned:
        ds.pop("BurnedInAnnotation", None)
        ds.BurnedInAnnotation = "NO"
    ds.LongitudinalTemporalInformationModified = next(
        (value for option, value in _LONGITUDINAL.items() if profile.has(option)), "REMOVED"
    )


def _earlier_methods(ds: Dataset) -> dict[str, str]:
    items = ds.get("DeidentificationMethodCodeSequence") or ()
    earlier = {str(item.get("CodeValue")) for item in items if isinstance(item, Dataset)}
    return {code: text for code, text in _METHODS.items() if code in earlier}


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


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    parts = ((_CODE_VALUE, "SH", value), (_SCHEME, "SH", scheme), (_MEANING, "LO", meaning))
    return Dataset({tag: DataElement(tag, vr, text, already_converted=True) for tag, vr, text in parts})
