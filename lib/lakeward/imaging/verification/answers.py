"""The ten checks of the MIDI-B challenge, on an answer key of our own over invented studies.

What each check asks is told by Rutherford et al., "Medical Image De-Identification Resources: Synthetic DICOM Data and
Tools for Validation", 2025 (arXiv 2508.01889): of a tag that it is there (tag_retained), has a value (text_notnull),
still says something (text_retained) or no longer does (text_removed); that a date or UID is not the old one
(date_shifted, uid_changed); that UIDs and patients are replaced alike everywhere (uid_consistent, patid_consistent);
that pixels are hidden or untouched (pixels_hidden, pixels_retained). Which of them is asked of what, this file says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.verification.report import Check, Tally
from lakeward.imaging.verification.studies import CLINIC, STATION, TEXT_AREA, WORD, Original, studies
from lakeward.imaging.verification.trial import Trial

CHECKS = (
    "tag_retained", "text_notnull", "text_retained", "text_removed", "date_shifted", "uid_changed", "uid_consistent",
    "patid_consistent", "pixels_hidden", "pixels_retained",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What is asked of one attribute of every object, where an option is on, or off."""

    check: str
    keyword: str
    text: str = ""
    where: Option | None = None
    unless: Option | None = None

    def is_asked(self, profile: Profile) -> bool:
        """Whether the profile's options ask it, and no rule of its own decides about the attribute."""
        tag = tag_for_keyword(self.keyword) or 0
        ruled = any(rule.fits(tag, dictionary_VR(tag), self.keyword, None) for rule in profile.rules)
        asked = (self.where is None or profile.has(self.where)) and not (self.unless and profile.has(self.unless))
        return asked and not ruled


_IDENTITY = ("PatientID", "PatientName", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_REMOVED = (
    "PatientName", "PatientID", "PatientAddress", "AccessionNumber", "StudyID", "ReferringPhysicianName",
    "OperatorsName", "StudyDescription", "SeriesDescription", "ImageComments", "RequestAttributesSequence",
)  # fmt: skip
_UIDS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
KEY = (
    *(Answer("tag_retained", keyword) for keyword in ("Modality", "StudyDate", "PatientBirthDate", "AccessionNumber")),
    *(Answer("text_notnull", keyword) for keyword in (*_IDENTITY, "SOPClassUID", "Modality", "Rows")),
    Answer("text_retained", "Manufacturer", "Invented Devices"),
    Answer("text_retained", "ImageType", "AXIAL"),
    Answer("text_retained", "BodyPartExamined", "CHEST"),
    Answer("text_retained", "StudyDescription", "CT chest", where=Option.CLEAN_DESCRIPTORS),
    Answer("text_retained", "PatientSex", "F", where=Option.RETAIN_PATIENT_CHARACTERISTICS),
    Answer("text_retained", "PatientAge", "061Y", where=Option.RETAIN_PATIENT_CHARACTERISTICS),
    Answer("text_retained", "InstitutionName", CLINIC, where=Option.RETAIN_INSTITUTION_IDENTITY),
    Answer("text_retained", "StationName", STATION, where=Option.RETAIN_DEVICE_IDENTITY),
    *(Answer("text_removed", keyword, WORD) for keyword in _REMOVED),
    Answer("text_removed", "PatientTelephoneNumbers", "555-0134-77"),
    Answer("text_removed", "PatientBirthDate", "19580312"),
    Answer("text_removed", "InstitutionName", CLINIC, unless=Option.RETAIN_INSTITUTION_IDENTITY),
    Answer("text_removed", "StationName", STATION, unless=Option.RETAIN_DEVICE_IDENTITY),
    Answer("text_removed", "PatientSex", "F", unless=Option.RETAIN_PATIENT_CHARACTERISTICS),
    *(
        Answer("date_shifted", keyword, unless=Option.RETAIN_FULL_DATES)
        for keyword in ("StudyDate", "SeriesDate", "AcquisitionDateTime")
    ),
    *(Answer("uid_changed", keyword, unless=Option.RETAIN_UIDS) for keyword in (*_UIDS, "ReferencedImageSequence")),
)


def check_answers(trial: Trial) -> Iterator[Check]:
    """Yield the ten checks over the invented studies."""
    tallies = {name: Tally("answer key", name) for name in CHECKS}
    asked = [answer for answer in KEY if answer.is_asked(trial.profile)]
    pairs = []
    for original in studies():
        done = trial.run(original.content)
        if done is None:
            for check in (*(answer.check for answer in asked), "pixels_hidden", "pixels_retained"):
                tallies[check].set_aside += 1
            continue
        new = pydicom.dcmread(BytesIO(done.dicom))
        pairs.append((original, new))
        for answer in asked:
            tallies[answer.check].note(_holds(answer, original.ds, new), f"{original.name}: {answer.keyword}")
        _check_pixels(original, new, tallies)
    _check_consistency(pairs, tallies)
    for tally in tallies.values():
        yield tally.check()


def _holds(answer: Answer, old: Dataset, new: Dataset) -> bool:
    """Whether a new object is as an answer says."""
    value = str(new.get(answer.keyword) or "")
    if answer.check == "tag_retained":
        return answer.keyword in new
    if answer.check == "text_notnull":
        return bool(value)
    if answer.check == "text_retained":
        return answer.text in value
    if answer.check == "text_removed":
        return answer.text.lower() not in value.lower()
    return value != str(old.get(answer.keyword)) or not value


def _check_pixels(original: Original, new: Dataset, tallies: dict[str, Tally]) -> None:
    before, after = original.ds.pixel_array, new.pixel_array
    if original.ds.Modality == "CT":
        tallies["pixels_retained"].note(np.array_equal(before, after), f"{original.name}: PixelData")
        return
    hidden = np.ptp(after[TEXT_AREA]) == 0 or not np.any((before > 128) & (after == before))
    tallies["pixels_hidden"].note(bool(hidden), f"{original.name}: text in PixelData")
    below = np.s_[TEXT_AREA[0].stop + 30 :]
    tallies["pixels_retained"].note(np.array_equal(before[below], after[below]), f"{original.name}: below the text")


def _check_consistency(pairs: list[tuple[Original, pydicom.FileDataset]], tallies: dict[str, Tally]) -> None:
    """The same original UID or patient has the same replacement everywhere, and no two share one."""
    for name, keywords in (("uid_consistent", _UIDS), ("patid_consistent", ("PatientID",))):
        seen: dict[str, str] = {}
        for original, new in pairs:
            for keyword in keywords:
                old_value, new_value = str(original.ds[keyword].value), str(new.get(keyword))
                others = [value for key, value in seen.items() if key != old_value]
                same = seen.setdefault(old_value, new_value) == new_value and new_value not in others
                tallies[name].note(same, f"{original.name}: {keyword}")
