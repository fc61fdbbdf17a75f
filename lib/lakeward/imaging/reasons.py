"""Why an object is set aside: a fixed catalog, so that no reason can carry patient data."""

from enum import StrEnum

from lakeward.workspace.errors import LakewardError


class Reason(StrEnum):
    """Code of a quarantine reason."""

    NOT_ACCESSIBLE = "not_accessible"
    NOT_DICOM = "not_dicom"
    MEDIA_DIRECTORY = "media_directory"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    TOO_MANY_ELEMENTS = "too_many_elements"
    INFLATE_LIMIT = "inflate_limit"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    UNSUPPORTED_TRANSFER_SYNTAX = "unsupported_transfer_syntax"
    UNDECODABLE_PIXELS = "undecodable_pixels"
    MISSING_IDENTITY = "missing_identity"
    UNKNOWN_SOP_CLASS = "unknown_sop_class"
    ENCAPSULATED_DOCUMENT = "encapsulated_document"
    RECORDED_SPEECH = "recorded_speech"
    BURNED_IN_ANNOTATION = "burned_in_annotation"
    BURNED_IN_RISK = "burned_in_risk"
    RECOGNIZABLE_FEATURES = "recognizable_features"
    EMBEDDED_OVERLAY = "embedded_overlay"
    FOUND_IN_REVIEW = "found_in_review"
    WITHDRAWN = "withdrawn"
    NOT_WRITABLE = "not_writable"
    UNFORESEEN = "unforeseen"

    @property
    def explain(self) -> str:
        """One sentence on what is wrong and what to do about it."""
        return _EXPLANATIONS[self]

    @property
    def releasable(self) -> bool:
        """Whether a person who looked at the object may let it through."""
        return self in RELEASABLE


RELEASABLE = frozenset(
    {
        Reason.UNKNOWN_SOP_CLASS,
        Reason.ENCAPSULATED_DOCUMENT,
        Reason.RECORDED_SPEECH,
        Reason.BURNED_IN_ANNOTATION,
        Reason.BURNED_IN_RISK,
        Reason.RECOGNIZABLE_FEATURES,
    }
)

_EXPLANATIONS = {
    Reason.NOT_ACCESSIBLE: "The file can't be opened or read; check its permissions and that it is still there.",
    Reason.NOT_DICOM: "Not a DICOM file: no data set could be found in it.",
    Reason.MEDIA_DIRECTORY: "A DICOMDIR: an index of other files, with names in it; ingest the files it lists.",
    Reason.TOO_LARGE: "Larger than one object may be, as it is or once decoded; the limits are in objects.reading.",
    Reason.TOO_DEEP: "Sequences nested deeper than the limit; no genuine object does this.",
    Reason.TOO_MANY_ELEMENTS: "More data elements than the limit; raise max_elements if it is genuine.",
    Reason.INFLATE_LIMIT: "The deflated data set inflates beyond the limit on an object's size.",
    Reason.TRUNCATED: "The file ends before its data do; send it again from its source.",
    Reason.UNREADABLE: "The data set can't be parsed; its encoding contradicts itself.",
    Reason.TIMEOUT: "Reading or cleaning took longer than the limit for one object.",
    Reason.CRASHED: "A decoder ended the process that it ran in; the object is damaged, or costs too much memory.",
    Reason.UNSUPPORTED_TRANSFER_SYNTAX: "The transfer syntax is not one that can be read here.",
    Reason.UNDECODABLE_PIXELS: "The pixel data can't be decoded; the object may be damaged.",
    Reason.MISSING_IDENTITY: "No SOP Class or SOP Instance UID, so the object can't be identified.",
    Reason.UNKNOWN_SOP_CLASS: "A SOP Class whose contents are not known, so they can't be cleaned with certainty.",
    Reason.ENCAPSULATED_DOCUMENT: "An encapsulated document (PDF, CDA, STL ...): its contents can't be cleaned.",
    Reason.RECORDED_SPEECH: "Recorded sound: a voice can name or identify a person.",
    Reason.BURNED_IN_ANNOTATION: "Burned In Annotation (0028,0301) says YES: text in the pixels may identify.",
    Reason.BURNED_IN_RISK: "This kind of object often has text in its pixels, and nothing in it says that it has none.",
    Reason.RECOGNIZABLE_FEATURES: "A face may be seen in it or rebuilt from its series, and can't be removed here.",
    Reason.EMBEDDED_OVERLAY: "Overlay planes inside compressed pixel data can't be removed without loss.",
    Reason.FOUND_IN_REVIEW: "A person saw text, a face or the like in the output; retry with another profile.",
    Reason.WITHDRAWN: "The patient was withdrawn: nothing of them is taken again, and no copy is kept here.",
    Reason.NOT_WRITABLE: "The cleaned object can't be encoded again.",
    Reason.UNFORESEEN: "An error that nobody foresaw: a defect in Lakeward; report the detail.",
}


class Quarantined(LakewardError):
    """An object must be set aside.

    Parameters
    ----------
    reason : Reason
        The code from the catalog.
    detail : str
        More on it in words of ours (a tag, a transfer syntax's name, a limit); never a value from the object.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.explain}{f' ({detail})' if detail else ''}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["Quarantined"], tuple[Reason, str]]:
        return type(self), (self.reason, self.detail)
