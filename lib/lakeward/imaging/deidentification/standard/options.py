"""The options of the Basic Application Level Confidentiality Profile and the codes that stamp them into an object."""

from enum import StrEnum
from typing import NamedTuple


class Code(NamedTuple):
    """A code of the DCM coding scheme."""

    value: str
    meaning: str


BASIC_PROFILE = Code("113100", "Basic Application Confidentiality Profile")


class Option(StrEnum):
    """An option of PS3.15 Section E.3; those that act on pixels have no column in Table E.1-1."""

    CLEAN_PIXEL_DATA = "clean_pixel_data"
    CLEAN_RECOGNIZABLE_VISUAL_FEATURES = "clean_recognizable_visual_features"
    CLEAN_GRAPHICS = "clean_graphics"
    CLEAN_STRUCTURED_CONTENT = "clean_structured_content"
    CLEAN_DESCRIPTORS = "clean_descriptors"
    RETAIN_FULL_DATES = "retain_full_dates"
    RETAIN_MODIFIED_DATES = "retain_modified_dates"
    RETAIN_PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
    RETAIN_DEVICE_IDENTITY = "retain_device_identity"
    RETAIN_UIDS = "retain_uids"
    RETAIN_SAFE_PRIVATE = "retain_safe_private"
    RETAIN_INSTITUTION_IDENTITY = "retain_institution_identity"

    @property
    def code(self) -> str:
        """Code value in the DCM scheme (PS3.16 CID 7050), for De-identification Method Code Sequence (0012,0064)."""
        return _CODES[self].value

    @property
    def meaning(self) -> str:
        """Code meaning that goes with ``code``."""
        return _CODES[self].meaning


_CODES = {
    Option.CLEAN_PIXEL_DATA: Code("113101", "Clean Pixel Data Option"),
    Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES: Code("113102", "Clean Recognizable Visual Features Option"),
    Option.CLEAN_GRAPHICS: Code("113103", "Clean Graphics Option"),
    Option.CLEAN_STRUCTURED_CONTENT: Code("113104", "Clean Structured Content Option"),
    Option.CLEAN_DESCRIPTORS: Code("113105", "Clean Descriptors Option"),
    Option.RETAIN_FULL_DATES: Code("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    Option.RETAIN_MODIFIED_DATES: Code("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.RETAIN_PATIENT_CHARACTERISTICS: Code("113108", "Retain Patient Characteristics Option"),
    Option.RETAIN_DEVICE_IDENTITY: Code("113109", "Retain Device Identity Option"),
    Option.RETAIN_UIDS: Code("113110", "Retain UIDs Option"),
    Option.RETAIN_SAFE_PRIVATE: Code("113111", "Retain Safe Private Option"),
    Option.RETAIN_INSTITUTION_IDENTITY: Code("113112", "Retain Institution Identity Option"),
}
