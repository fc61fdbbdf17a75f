"""De-identification of a data set, at every depth of its sequences (PS3.15 Annex E).

A `Deidentifier` holds nothing of the objects it has seen, so one can serve many files, and many workers agree.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from lakeward.imaging import descriptors, overlays, stamps
from lakeward.imaging.actions import Decision, Rules, keyword_of, resolve
from lakeward.imaging.iods import attribute_type
from lakeward.imaging.profile import Action, Profile
from lakeward.imaging.pseudonyms import Pseudonyms
from lakeward.imaging.standard import safe_private
from lakeward.imaging.temporal import shift
from lakeward.imaging.values import FORMATTED, NUMERIC_BINARY, TEMPORAL, TEXT, dummy, first, is_valid, values

_PATIENT_ID, _PATIENT_NAME, _AGE = 0x00100020, 0x00100010, 0x00101010
_CONTENT_SEQUENCE = 0x0040A730
_CODE_FIELDS = frozenset(
    {"CodeValue", "LongCodeValue", "URNCodeValue", "CodingSchemeDesignator", "CodingSchemeVersion"}
    | {"ContextIdentifier", "MappingResource", "ContextGroupVersion", "ContextGroupLocalVersion"}
)
_IDENTIFYING = (
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName",
    "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "NameOfPhysiciansReadingStudy",
    "RequestingPhysician", "PhysiciansOfRecord", "ResponsiblePerson", "AccessionNumber", "StudyID", "PatientAddress",
)  # fmt: skip


@dataclass(slots=True)
class Deidentified:
    """What de-identification gives.

    Attributes
    ----------
    dataset : pydicom.Dataset
        The cleaned data set: the one given, changed in place.
    patient : str
        The patient's pseudonym.
    changes : dict of str to tuple of (Action, str)
        Path of each changed element, as ``(0040,0275).(0032,1060)``, with the action taken and the rule behind it.
        Holds no value.
    """

    dataset: Dataset
    patient: str
    changes: dict[str, tuple[Action, str]]


@dataclass(slots=True)
class _Object:
    """What holds for the whole of one object while its elements are visited."""

    sop_class: str
    identity: str
    days: int
    identifying: frozenset[str]
    changes: dict[str, tuple[Action, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the object an element is: keywords and tags of the sequences around it, and how strict it is there."""

    keywords: tuple[str, ...] = ()
    tags: str = ""
    clean_text: bool = False

    def inside(self, tag: int, clean_text: bool) -> "_Place":
        return _Place((*self.keywords, keyword_of(tag)), f"{self.tags}{_show(tag)}.", self.clean_text or clean_text)


class Deidentifier:
    """De-identify data sets under one profile and one key.

    Parameters
    ----------
    profile : Profile
        What is removed, replaced and kept.
    pseudonyms : Pseudonyms
        The keyed replacements.
    """

    def __init__(self, profile: Profile, pseudonyms: Pseudonyms) -> None:
        self.profile = profile
        self.pseudonyms = pseudonyms
        self.rules = Rules(profile)
        self._take = {"X": self._remove, "Z": self._empty, "D": self._replace, "U": self._remap, "C": self._clean}

    def __call__(self, ds: Dataset) -> Deidentified:
        """Clean a data set in place.

        Parameters
        ----------
        ds : pydicom.Dataset
            A whole composite object, as `reading.read_object` returns it. Call `gates.check` first: it refuses what
            can't be cleaned here.

        Returns
        -------
        Deidentified
            The same data set, the patient's pseudonym, and what was changed.

        Raises
        ------
        Quarantined
            If overlay planes inside compressed pixel data can't be removed.
        """
        about = self._about(ds)
        overlays.clear_embedded(ds)
        self._visit(ds, _Place(), about)
        stamps.stamp(ds, self.profile)
        return Deidentified(ds, self.pseudonyms.patient(about.identity), about.changes)

    def _about(self, ds: Dataset) -> _Object:
        identity = identity_of(ds)
        names = [str(value) for keyword in _IDENTIFYING for value in values(ds.get(keyword))]
        identifying = {word for name in names for word in descriptors.words(name)}
        days = self.pseudonyms.days(identity)
        return _Object(str(ds.get("SOPClassUID", "")), identity, days, frozenset(identifying))

    def _visit(self, ds: Dataset, place: _Place, about: _Object) -> None:
        creators = {(t.group, t.element): str(ds[t].value or "").strip() for t in ds.keys() if t.is_private_creator}
        used: set[tuple[int, int]] = set()
        for tag in sorted(ds.keys()):
            if tag.element == 0:
                del ds[tag]
            elif not tag.is_private_creator:
                block = (tag.group, tag.element >> 8)
                creator = creators.get(block) if tag.is_private else None
                self._element(ds, tag, creator, place, about)
                if creator and tag in ds:
                    used.add(block)
        for group, element in creators.keys() - used:
            _drop(ds, group << 16 | element, place, about, "private creator")

    def _element(self, ds: Dataset, tag: BaseTag, creator: str | None, place: _Place, about: _Object) -> None:
        vr = _vr(ds, tag, creator)
        decision = self._decision(ds, tag, vr, creator, place)
        kind = attribute_type(about.sop_class, place.keywords, keyword_of(tag))
        action = resolve(decision.action, kind)
        if action == "K" and vr != "SQ" and not _is_as_declared(ds.get_item(tag), vr):
            decision, action = Decision("X/Z/D", "value is not of its VR"), resolve("X/Z/D", kind)
        if action == "K":
            self._keep(ds, tag, vr, place, about)
            return
        self._take[action](ds, tag, vr, place, about, decision)
        if action == "C" and kind in ("1", "1C") and tag in ds and ds[tag].is_empty:
            ds[tag] = _element(tag, vr, dummy(vr, "", self.pseudonyms))
        about.changes.setdefault(place.tags + _show(tag), (action, decision.why))

    def _decision(self, ds: Dataset, tag: BaseTag, vr: str, creator: str | None, place: _Place) -> Decision:
        for pattern, decision in self.rules.value_rules(tag, vr, creator):
            if vr != "SQ" and any(pattern.search(str(value)) for value in values(ds[tag].value)):
                return decision
        decision = self.rules.decide(tag, vr, creator)
        if place.clean_text and decision.action == "K" and vr in TEXT and not _is_code_field(ds, tag):
            return Decision("C", "text inside cleaned content")
        return decision

    def _keep(self, ds: Dataset, tag: BaseTag, vr: str, place: _Place, about: _Object) -> None:
        if vr == "SQ":
            self._descend(ds, tag, place.inside(tag, clean_text=False), about)
        elif tag == _AGE and self.profile.max_age is not None:
            self._cap_age(ds, tag, place, about)

    def _cap_age(self, ds: Dataset, tag: BaseTag, place: _Place, about: _Object) -> None:
        age = str(ds[tag].value or "").strip()
        if age.endswith("Y") and int(age[:-1]) > (self.profile.max_age or 0):
            ds[tag] = _element(tag, "AS", f"{self.profile.max_age:03d}Y")
            about.changes[place.tags + _show(tag)] = ("C", "max_age")

    def _remove(self, ds: Dataset, tag: BaseTag, vr: str, place: _Place, about: _Object, why: Decision) -> None:
        del ds[tag]

    def _empty(self, ds: Dataset, tag: BaseTag, vr: str, place: _Place, about: _Object, why: Decision) -> None:
        if tag in (_PATIENT_ID, _PATIENT_NAME):
            self._replace(ds, tag, vr, place, about, why)
        else:
            ds[tag] = _element(tag, vr, Sequence() if vr == "SQ" else None)

    def _replace(self, ds: Dataset, tag: BaseTag, vr: str, place: _Place, about: _Object, why: Decision) -> None:
        if tag in (_PATIENT_ID, _PATIENT_NAME):
            ds[tag] = _element(tag, vr, self.pseudonyms.patient(about.identity))
        elif vr == "SQ":
            items = list(ds[tag].value or ())
            ds[tag] = _element(tag, vr, Sequence([self._scrubbed(tag, item) for item in items[:1]]))
        else:
            ds[tag] = _element(tag, vr, dummy(vr, ds[tag].value, self.pseudonyms))

    def _remap(self, ds: Dataset, tag: BaseTag, vr: str, place: _Place, about: _Object, why: Decision) -> None:
        if vr == "SQ":
            self._descend(ds, tag, place.inside(tag, clean_text=False), about)
        else:
            mapped = [self.pseudonyms.uid(str(uid)) for uid in values(ds[tag].value)]
            ds[tag] = _element(tag, "UI", mapped if len(mapped) > 1 else "".join(mapped))

    def _clean(self, ds: Dataset, tag: BaseTag, vr: str, place: _Place, about: _Object, why: Decision) -> None:
        if vr == "SQ":
            self._descend(ds, tag, place.inside(tag, clean_text=True), about)
        elif vr in TEMPORAL or tag == 0x00080201:
            self._move(ds, tag, vr, place, about)
        elif vr in TEXT:
            cleaned = [descriptors.clean(str(value), about.identifying) for value in values(ds[tag].value)]
            ds[tag] = _element(tag, vr, cleaned if len(cleaned) > 1 else "".join(cleaned))
        else:
            del ds[tag]

    def _move(self, ds: Dataset, tag: BaseTag, vr: str, place: _Place, about: _Object) -> None:
        """Move dates by the patient's days; what can't be read as a date is treated as under the Basic Profile."""
        moved = [shift(vr, str(v), about.days) if vr in TEMPORAL else _offset(str(v)) for v in values(ds[tag].value)]
        if None not in moved:
            ds[tag] = _element(tag, vr, moved if len(moved) > 1 else "".join(map(str, moved)))
            return
        kind = attribute_type(about.sop_class, place.keywords, keyword_of(tag))
        self._take[resolve("X/Z/D", kind)](ds, tag, vr, place, about, Decision("X/Z/D", "not a date"))

    def _descend(self, ds: Dataset, tag: BaseTag, place: _Place, about: _Object) -> None:
        for item in ds[tag].value or ():
            self._visit(item, place, about)

    def _scrubbed(self, tag: int, item: Dataset) -> Dataset:
        """One item with the shape of the original's first and nothing of its content."""
        if tag == _CONTENT_SEQUENCE:
            return stamps.removed_content()
        if "CodeMeaning" in item or "CodingSchemeDesignator" in item:
            return stamps.removed_code()
        scrubbed = Dataset()
        for part in _public(item):
            value = self._dummy_part(part)
            scrubbed[part.tag] = _element(part.tag, part.VR, value)
        return scrubbed

    def _dummy_part(self, part: DataElement) -> Any:
        if part.VR == "SQ":
            return Sequence([self._scrubbed(part.tag, item) for item in list(part.value or ())[:1]])
        if keyword_of(part.tag).endswith("SOPClassUID") and is_valid("UI", str(first(part.value)).encode()):
            return part.value
        return None if part.is_empty else dummy(part.VR, part.value, self.pseudonyms)


def identity_of(ds: Dataset) -> str:
    """What tells one patient from another in an object: the Patient ID, else name and birth date, else the study.

    The issuer of the Patient ID is left out, since not every modality of a hospital writes it.
    """
    if patient_id := str(ds.get("PatientID") or "").strip():
        return f"id:{patient_id}"
    if name := str(ds.get("PatientName") or "").strip():
        return f"name:{name.lower()}|{ds.get('PatientBirthDate') or ''}"
    return f"study:{ds.get('StudyInstanceUID') or ds.get('SOPInstanceUID') or ''}"


def _vr(ds: Dataset, tag: BaseTag, creator: str | None) -> str:
    """VR to treat an element by: the dictionary's where the data set gives none, or another for a formatted text."""
    declared = str(ds.get_item(tag).VR or "UN")
    if tag.is_private:
        known = creator and safe_private().get((tag.group, creator, tag.element & 0xFF))
        return known.vr if known and declared == "UN" else declared
    listed = str(dictionary_VR(tag)) if keyword_of(tag) else declared
    return listed if declared == "UN" or (listed in FORMATTED and declared != "SQ") else declared


def _is_as_declared(item: Any, vr: str) -> bool:
    """Whether a kept element has a VR that its dictionary entry allows and a value of that VR's form."""
    listed = str(dictionary_VR(item.tag)).split(" or ") if keyword_of(item.tag) else [vr]
    if vr not in listed and not _is_near(vr, listed[0]):
        return False
    if isinstance(item, RawDataElement):
        return is_valid(vr, item.value or b"")
    joined = "\\".join(map(str, values(item.value)))
    return is_valid(vr, joined.encode("utf-8", "replace"))


def _is_near(vr: str, listed: str) -> bool:
    """Another VR than the dictionary's that devices write and that hides nothing."""
    return (listed in TEXT and vr in TEXT | FORMATTED) or (listed in NUMERIC_BINARY and vr in NUMERIC_BINARY)


def _is_code_field(ds: Dataset, tag: BaseTag) -> bool:
    """Codes stay as they are in cleaned content; the meaning does too where the coding scheme is a public one."""
    keyword = keyword_of(tag)
    if keyword == "CodeMeaning":
        return str(ds.get("CodingSchemeDesignator") or "") in stamps.PUBLIC_CODING_SCHEMES
    return keyword in _CODE_FIELDS


def _offset(value: str) -> str | None:
    """An offset from UTC as it is, if it is one (PS3.3 C.12.1.1.8)."""
    return value if is_valid("IS", value.encode()) and len(value.strip()) <= 5 else None


def _public(item: Dataset) -> Iterator[DataElement]:
    return (item[tag] for tag in sorted(item.keys()) if not tag.is_private and keyword_of(tag) and tag.element)


def _element(tag: int, vr: str, value: Any) -> DataElement:
    return DataElement(tag, vr, value, validation_mode=config.IGNORE)


def _drop(ds: Dataset, tag: int, place: _Place, about: _Object, why: str) -> None:
    del ds[tag]
    about.changes.setdefault(place.tags + _show(tag), ("X", why))


def _show(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
