"""Real objects before and after: nothing identifying is left, references, intervals and pixels are as they were."""

from collections.abc import Iterable, Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from lakeward.imaging.deidentification import identity
from lakeward.imaging.deidentification.standard import BASIC_PROFILE, Option
from lakeward.imaging.deidentification.temporal import shift_date
from lakeward.imaging.objects.reading import read_object, silenced
from lakeward.imaging.pipeline.process import load
from lakeward.imaging.pixels.decoding import Frame, frames
from lakeward.imaging.reasons import Quarantined
from lakeward.imaging.verification.originals import identifying, is_own_uid, walk
from lakeward.imaging.verification.report import Check, Tally
from lakeward.imaging.verification.search import Needles
from lakeward.imaging.verification.studies import studies
from lakeward.imaging.verification.trial import Trial

_CONTENT = "(0040,A730)"
_DUMMY_DATE = "19000101"
NAMES = (
    "no name, identifier or UID left", "UIDs mapped alike everywhere", "references lead to their objects",
    "dates moved or gone", "intervals of a patient kept", "pixels unchanged", "stamps present",
)  # fmt: skip


class Consistency:
    """Checks over objects that belong together, one at a time; what is kept of each is little.

    Parameters
    ----------
    trial : Trial
        The engine.
    """

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.texts: dict[str, str] = {}
        self._tallies = {name: Tally("objects", name) for name in NAMES}
        self._uids: dict[str, str] = {}
        self._owners: dict[str, str] = {}
        self._objects: dict[str, str] = {}
        self._references: list[tuple[str, str, str]] = []
        self._days: dict[str, int] = {}

    def add(self, name: str, content: bytes) -> None:
        """De-identify an object and compare; `name` is what the report calls it."""
        done = self.trial.run(content)
        if done is None:
            for tally in self._tallies.values():
                tally.set_aside += 1
            return
        with silenced():
            old = read_object(content, self.trial.recipe.limits)
            new = pydicom.dcmread(BytesIO(done.dicom))
            self._search(name, old, done.dicom)
            self._compare(name, old, new)
            self._note_pixels(name, old, new, masked="(7FE0,0010)" in done.changes)
        self._note("stamps present", _is_stamped(new), name)

    def _note(self, check: str, passed: bool, where: str) -> None:
        self._tallies[check].note(passed, where)

    def _search(self, name: str, old: Dataset, content: bytes) -> None:
        texts = identifying(old, self.trial.profile)
        left = Needles(texts).found(content)
        for text, attribute in texts.items():
            self._note(NAMES[0], text not in left, f"{name}: {attribute}")
        self.texts |= texts

    def _compare(self, name: str, old: Dataset, new: Dataset) -> None:
        """Compare what is at the same place before and after; a report's content may have lost items."""
        patient = identity.of(old)
        before = {path: element for path, element in walk(old) if _CONTENT not in path}
        after = {path: element for path, element in walk(new) if _CONTENT not in path}
        self._objects[str(old.SOPInstanceUID)] = str(new.SOPInstanceUID)
        for path in before.keys() & after.keys():
            was, now = before[path], after[path]
            if was.VR in ("DA", "DT") and now.VR == was.VR:
                self._note_date(f"{name}: {was.keyword or path}", patient, str(was.value), str(now.value or ""))
            elif was.VR == "UI" and not was.keyword.endswith("SOPClassUID") and is_own_uid(str(was.value)):
                self._note_uid(f"{name}: {was.keyword or path}", str(was.value), str(now.value))
                if was.keyword == "ReferencedSOPInstanceUID":
                    self._references.append((f"{name}: {path}", str(was.value), str(now.value)))

    def _note_uid(self, where: str, old: str, new: str) -> None:
        changed = UID(new).is_valid if old != new else self.trial.profile.has(Option.RETAIN_UIDS)
        alike = self._uids.setdefault(old, new) == new and self._owners.setdefault(new, old) == old
        self._note(NAMES[1], changed and alike, where)

    def _note_date(self, where: str, patient: str, old: str, new: str) -> None:
        if self.trial.profile.has(Option.RETAIN_FULL_DATES) or shift_date(old[:8], 0) is None:
            return
        self._note("dates moved or gone", new[:8] != old[:8] or old.startswith(_DUMMY_DATE), where)
        if self.trial.profile.has(Option.RETAIN_MODIFIED_DATES) and new and not new.startswith(_DUMMY_DATE):
            days = _days_between(old, new)
            self._note("intervals of a patient kept", self._days.setdefault(patient, days) == days, where)

    def _note_pixels(self, name: str, old: FileDataset, new: FileDataset, masked: bool) -> None:
        if "PixelData" not in old:
            return
        if masked:
            same = all(_is_masked_at_most(*pair) for pair in zip(frames(old), frames(new), strict=True))
        else:
            same = old.PixelData == new.PixelData or np.array_equal(_stored_bits(old), _stored_bits(new))
        self._note("pixels unchanged", same, name)

    def checks(self) -> Iterator[Check]:
        """Yield the checks, once all objects were added."""
        for where, old, new in self._references:
            if old in self._objects:
                self._note("references lead to their objects", self._objects[old] == new, where)
        for tally in self._tallies.values():
            yield tally.check()


def _is_masked_at_most(old: Frame, new: Frame) -> bool:
    """Whether all pixels of a frame that have changed have one color now."""
    before, after = (frame.reshape(*frame.shape[:2], -1) for frame in (old, new))
    changed = (before != after).any(axis=-1)
    return len(np.unique(after[changed], axis=0)) <= 1


def _stored_bits(ds: Dataset) -> "np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]":
    """Sample values without the bits in which an overlay may lie."""
    pixels = ds.pixel_array.copy()
    unsigned: np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]] = pixels.view(f"u{pixels.itemsize}")
    unsigned &= unsigned.dtype.type((1 << ds.BitsStored) - 1)
    return unsigned


def _days_between(old: str, new: str) -> int:
    return (date.fromisoformat(new[:8]) - date.fromisoformat(old[:8])).days


def _is_stamped(ds: Dataset) -> bool:
    """Whether (0012,0062), (0012,0063) and (0012,0064) say what was done."""
    codes = [str(item.get("CodeValue")) for item in ds.get("DeidentificationMethodCodeSequence") or ()]
    said = ds.get("PatientIdentityRemoved") == "YES" and bool(ds.get("DeidentificationMethod"))
    return said and BASIC_PROFILE.value in codes


def check_objects(trial: Trial, files: Iterable[Path]) -> tuple[list[Check], dict[str, str]]:
    """Check the invented studies and real objects; the report calls these by their number in the order given.

    Returns
    -------
    tuple of list of Check and dict of str to str
        The checks, and the identifying texts of the real objects with their attributes.
    """
    consistency = Consistency(trial)
    for original in studies():
        consistency.add(original.name, original.content)
    consistency.texts.clear()  # of nobody
    for number, path in enumerate(files, 1):
        try:
            content = load(path, trial.recipe)
        except Quarantined as refusal:
            trial.set_aside[refusal.reason] += 1
            continue
        consistency.add(f"file {number}", content)
    return list(consistency.checks()), consistency.texts
