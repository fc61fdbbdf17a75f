"""De-identification of a data set, at every depth of its sequences (PS3.15 Annex E).

A `Deidentifier` holds nothing of the objects it has seen, so one can serve many files, and many workers agree.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydicom import config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from lakeward.imaging.deidentification import codes, codestreams, content, descriptors, identity, overlays, stamps
from lakeward.imaging.deidentification.actions import PRIVATE, AttributeType, Decision, Plan, Rules, keyword_of, resolve
from lakeward.imaging.deidentification.iods import attribute_type
from lakeward.imaging.deidentification.profile import Action, Profile
from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.deidentification.temporal import is_offset, shift
from lakeward.imaging.deidentification.values import NUMERIC_BINARY, TEMPORAL, TEXT, dummy, first, is_valid, values

ALWAYS_REPLACED = frozenset({0x00100010, 0x00100020})
"""Patient's Name and Patient ID, which get the patient's pseudonym even where they could be emptied."""

_TIMEZONE_OFFSET = 0x00080201
_CONTENT_SEQUENCE = 0x0040A730
_PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_ODD = 0x10000
_ESCAPE = b"\x1b"
_NESTED_PIXELS = Decision("X", "pixels of another image")
_IN_CLEANED_CONTENT = Decision("C", "text inside cleaned content")
_NOT_CLEANABLE = Decision("X/Z/D", "can't be cleaned")
_NOT_A_DATE = Decision("X/Z/D", "not a date")
_WRONG_FORM = Decision("X/Z/D", "value is not of its VR")
_NAMES_SOMEONE = Decision("X/Z/D", "holds a word of a name or identifier")


Change = tuple[Action, str]
"""The action taken, and the rule behind it."""


def changes_json(changes: dict[str, Change]) -> str:
    """Return what was changed, by path, as JSON."""
    return json.dumps(changes, separators=(",", ":"))


@dataclass(slots=True)
class Deidentified:
    """What de-identification gives.

    Attributes
    ----------
    dataset : pydicom.Dataset
        The cleaned data set: the one given, changed in place.
    patient : str
        The patient's pseudonym.
    changes : dict of str to Change
        By the path of each changed element, as ``(0040,0275).(0032,1060)``. Holds no value.
    """

    dataset: Dataset
    patient: str
    changes: dict[str, Change]


@dataclass(slots=True)
class About:
    """What holds for the whole of one object while its elements are visited.

    Attributes
    ----------
    sop_class : str
        SOP Class UID.
    identity : str
        What tells its patient from others.
    days : int
        Days that its dates are moved by.
    identifying, telling : frozenset of str
        Words of names and identifiers in it: all, and those that point at a person wherever they stand.
    changes : dict
        As in `Deidentified`.
    """

    sop_class: str
    identity: str
    days: int
    identifying: frozenset[str]
    telling: frozenset[str]
    changes: dict[str, Change] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the object an element is: keywords and tags of the sequences around it, and how strict it is there."""

    keywords: tuple[str, ...] = ()
    tags: str = ""
    clean_text: bool = False

    def inside(self, tag: int, clean_text: bool) -> "_Place":
        return _Place((*self.keywords, keyword_of(tag)), f"{self.tags}{show(tag)}.", self.clean_text or clean_text)


@dataclass(slots=True)
class _Element:
    """One element where it is, with what is known of it."""

    ds: Dataset
    tag: BaseTag
    item: DataElement | RawDataElement
    plan: Plan
    place: _Place
    about: About

    @property
    def kind(self) -> AttributeType:
        return attribute_type(self.about.sop_class, self.place.keywords, self.plan.keyword)

    @property
    def values(self) -> list[Any]:
        """Its values as texts where its VR has a form, else as pydicom reads them; none where it can't."""
        if self.plan.formed and isinstance(self.item, RawDataElement):
            texts = (self.item.value or b"").decode("ascii", "replace").split("\\")
            return [text.strip("\0 ") for text in texts] if texts != [""] else []
        try:
            return values(self.ds[self.tag].value)
        except Exception:  # conversion fails in many ways, and the value goes anyway
            return []

    @property
    def items(self) -> list[Dataset]:
        return [item for item in self.values if isinstance(item, Dataset)]

    def set(self, value: Any) -> None:
        self.ds[self.tag] = _element(self.tag, self.plan.vr, value)

    def set_values(self, many: list[str]) -> None:
        self.set(many if len(many) > 1 else "".join(many))


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

    def __call__(self, ds: Dataset, masked: int | None = None) -> Deidentified:
        """Clean a data set in place.

        Parameters
        ----------
        ds : pydicom.Dataset
            A whole composite object, as `reading.read_object` returns it. Call `gates.check` first: it refuses what
            can't be cleaned here. What is outside the data set, its preamble and file meta information, is made anew
            by `writing.encode`.
        masked : int, optional
            Areas that `pixels.cleaning.clean` has blacked out, where it has searched.

        Returns
        -------
        Deidentified
            The same data set, the patient's pseudonym, and what was changed.

        Raises
        ------
        Quarantined
            If overlay planes inside compressed pixel data can't be removed, or a codestream can't be looked through.
        """
        about = self.about(ds, identity.words(ds))
        overlays.clear_embedded(ds)
        codestreams.clear_text(ds)
        self.treat(ds, about)
        if masked:
            about.changes[show(0x7FE00010)] = ("C", f"{Option.CLEAN_PIXEL_DATA} ({masked} areas)")
        stamps.stamp(ds, self.profile, pixels_cleaned=masked is not None)
        return Deidentified(ds, self.pseudonyms.patient(about.identity), about.changes)

    def about(self, ds: Dataset, identifying: frozenset[str]) -> About:
        """Return what must be known of an object before its elements can be treated."""
        who = identity.of(ds)
        telling = identity.telling(identifying)
        return About(str(ds.get("SOPClassUID", "")), who, self.pseudonyms.days(who), identifying, telling)

    def treat(self, ds: Dataset, about: About) -> None:
        """Treat elements of the top level of an object, all or a part of them, and note in `about` what changes."""
        self._visit(ds, _Place(), about)

    def _visit(self, ds: Dataset, place: _Place, about: About) -> None:
        """Treat every element of a data set or item; of private creators only those stay whose blocks are used."""
        is_code = place.clean_text and codes.clean(ds, about.identifying, self.pseudonyms)
        creators = self._creators(ds)
        used = set()
        for tag, item in list(ds.items()):
            number = int(tag)
            creator = None
            if number & _ODD:
                block = number & 0xFFFF0000 | number >> 8 & 0xFF
                if number in creators or (creator := creators.get(block)) is None:
                    continue
            elif is_code and keyword_of(number) in codes.FIELDS:
                continue
            plan = self.rules.plan(number, str(item.VR or "UN"), creator)
            self._treat(_Element(ds, tag, item, plan, place, about))
            if creator and tag in ds:
                used.add(block)
        for tag in [tag for tag in ds.keys() if tag & _ODD]:
            if tag not in used and creators.get(tag & 0xFFFF0000 | tag >> 8 & 0xFF) is None:
                del ds[tag]
                about.changes.setdefault(place.tags + show(tag), ("X", PRIVATE.why))

    def _creators(self, ds: Dataset) -> dict[int, str]:
        """Private creators by tag, those that are known: others are private elements as all the rest."""
        if not self.rules.creators:
            return {}
        blocks = [(tag, _encoded(item)) for tag, item in ds.items() if tag & _ODD and tag.is_private_creator]
        named = {int(tag): raw.decode("ascii", "replace").strip("\0 ") for tag, raw in blocks}
        return {tag: name for tag, name in named.items() if name in self.rules.creators}

    def _treat(self, element: _Element) -> None:
        decision = self._decision(element)
        keeps = decision.action == "K"
        readable = decision.action in "XZD" or _is_readable(element)
        if not readable or (keeps and not _has_form(element.item, element.plan)):
            decision = _WRONG_FORM
        elif keeps and not decision.by_user and _names_someone(element):
            decision = _NAMES_SOMEONE
        if decision.action == "K":
            self._keep(element)
        else:
            self._change(element, decision)

    def _decision(self, element: _Element) -> Decision:
        plan = element.plan
        for pattern, decision in plan.by_value:
            if plan.vr != "SQ" and any(pattern.search(str(value)) for value in element.values):
                return decision
        if element.tag in _PIXEL_DATA and element.place.keywords:
            return _NESTED_PIXELS
        decision = plan.decision
        if element.place.clean_text and decision.action == "K" and plan.vr in TEXT and not decision.by_user:
            return _IN_CLEANED_CONTENT
        return decision

    def _change(self, element: _Element, decision: Decision) -> None:
        kind = element.kind if decision.action != "X" else None
        action = resolve(decision.action, kind)
        if action == "D" and element.plan.vr == "SQ" and kind is None:
            action = "X"  # Table E.1-1, Note 13: its IOD does not have it here
        self._take[action](element)
        if action == "C" and kind in ("1", "1C"):
            self._fill(element)
        element.about.changes.setdefault(element.place.tags + show(element.tag), (action, decision.why))

    def _keep(self, element: _Element) -> None:
        if element.plan.vr == "SQ":
            self._descend(element, clean_text=False)
        elif element.plan.vr == "AS" and self.profile.max_age is not None:
            self._cap_age(element, self.profile.max_age)

    def _cap_age(self, element: _Element, limit: int) -> None:
        ages = [str(age).strip() for age in element.values]
        capped = [f"{limit:03d}Y" if age.endswith("Y") and int(age[:-1]) > limit else age for age in ages]
        if capped != ages:
            element.set_values(capped)
            element.about.changes[element.place.tags + show(element.tag)] = ("C", "max_age")

    def _remove(self, element: _Element) -> None:
        del element.ds[element.tag]

    def _empty(self, element: _Element) -> None:
        if element.tag in ALWAYS_REPLACED:
            self._replace(element)
        else:
            element.set(Sequence() if element.plan.vr == "SQ" else None)

    def _replace(self, element: _Element) -> None:
        vr = element.plan.vr
        if element.tag in ALWAYS_REPLACED:
            nested = bool(element.place.keywords)
            element.set(self.pseudonyms.patient(identity.of(element.ds) if nested else element.about.identity))
        elif vr == "SQ":
            element.set(Sequence([self._scrubbed(element.tag, item) for item in element.items[:1]]))
        else:
            many = element.values
            element.set(dummy(vr, many[0] if len(many) == 1 else many, self.pseudonyms))

    def _remap(self, element: _Element) -> None:
        if element.plan.vr == "SQ":
            self._descend(element, clean_text=False)
        elif element.plan.vr == "UI":
            element.set_values([self.pseudonyms.uid(str(uid)) for uid in element.values])
        else:
            self._replace(element)

    def _clean(self, element: _Element) -> None:
        vr = element.plan.vr
        if vr == "SQ":
            if element.tag == _CONTENT_SEQUENCE:
                items = element.items
                element.set(Sequence([item for item in items if not content.is_personal(item, self.profile)]))
            self._descend(element, clean_text=True)
        elif vr in TEMPORAL or element.tag == _TIMEZONE_OFFSET:
            self._move(element)
        elif vr in TEXT:
            element.set_values([descriptors.clean(str(v), element.about.identifying) for v in element.values])
        else:
            self._change(element, _NOT_CLEANABLE)

    def _move(self, element: _Element) -> None:
        """Move dates by the patient's days; what can't be read as a date is treated as under the Basic Profile."""
        vr, days = element.plan.vr, element.about.days
        texts = [str(value) for value in element.values]
        moved = [shift(vr, text, days) if vr in TEMPORAL else text if is_offset(text) else None for text in texts]
        if None in moved:
            self._change(element, _NOT_A_DATE)
        else:
            element.set_values([text for text in moved if text is not None])

    def _fill(self, element: _Element) -> None:
        """Give a cleaned attribute of Type 1 a value if none is left."""
        if element.tag not in element.ds or not element.ds[element.tag].is_empty:
            return
        if element.tag == _CONTENT_SEQUENCE:
            element.set(Sequence([stamps.removed_content()]))
        elif element.plan.vr != "SQ":
            element.set(dummy(element.plan.vr, "", self.pseudonyms))

    def _descend(self, element: _Element, clean_text: bool) -> None:
        place = element.place.inside(element.tag, clean_text)
        for item in element.items:
            self._visit(item, place, element.about)

    def _scrubbed(self, tag: int, item: Dataset) -> Dataset:
        """One item with the shape of the original's first and nothing of its content."""
        if tag == _CONTENT_SEQUENCE:
            return stamps.removed_content()
        if "CodeMeaning" in item or "CodingSchemeDesignator" in item:
            return stamps.removed_code()
        scrubbed = Dataset()
        for part in _public(item):
            scrubbed[part] = _element(part, self.rules.plan(part, "UN").vr, self._dummy_part(item, part))
        return scrubbed

    def _dummy_part(self, item: Dataset, tag: BaseTag) -> Any:
        plan = self.rules.plan(int(tag), "UN")
        part = _Element(item, tag, item.get_item(tag), plan, _Place(), _NOBODY)
        if plan.vr == "SQ":
            return Sequence([self._scrubbed(tag, inner) for inner in part.items[:1]])
        if plan.keyword.endswith("SOPClassUID") and is_valid("UI", str(first(part.values)).encode()):
            return first(part.values)
        return dummy(plan.vr, part.values, self.pseudonyms) if part.values else None


def _is_readable(element: _Element) -> bool:
    """Whether an element's VR lets its value be what PS3.6 says; sequences must be some."""
    if element.plan.vr == "SQ" and element.plan.trusted:
        return element.ds[element.tag].VR == "SQ"
    return element.plan.trusted


def _has_form(item: DataElement | RawDataElement, plan: Plan) -> bool:
    """Whether the value of an element that stays has its VR's form, and not more numbers than it may have."""
    if plan.formed:
        return is_valid(plan.vr, _encoded(item))
    if item.tag == _TIMEZONE_OFFSET:
        return is_offset(_encoded(item).decode("ascii", "replace"))
    if plan.max_values is not None:
        raw = isinstance(item, RawDataElement)
        number = len(item.value or b"") / NUMERIC_BINARY[plan.vr] if raw else len(values(item.value))
        return number <= plan.max_values
    return True


def _names_someone(element: _Element) -> bool:
    """Whether a text that the Standard keeps holds a word of one of the object's own names or identifiers."""
    vr, telling = element.plan.vr, element.about.telling
    if not telling or not (vr in TEXT or vr == "CS"):
        return False
    raw = element.item.value if isinstance(element.item, RawDataElement) else None
    if isinstance(raw, bytes) and raw.isascii() and _ESCAPE not in raw:
        texts = [raw.decode("ascii")]
    else:
        texts = [str(value) for value in element.values]
    if all(telling.isdisjoint(descriptors.words(text)) for text in texts):
        return False
    # What a code of Type 1 may say is fixed, as IMAGE or TEXT, whatever people are called.
    return vr != "CS" or not (element.kind or "3").startswith("1")


def _encoded(item: DataElement | RawDataElement) -> bytes:
    if isinstance(item, RawDataElement):
        return item.value or b""
    joined = [v if isinstance(v, bytes) else str(v).encode("utf-8", "replace") for v in values(item.value)]
    return b"\\".join(joined)


def _public(item: Dataset) -> Iterator[BaseTag]:
    return (tag for tag in sorted(item.keys()) if not tag & _ODD and keyword_of(int(tag)) and tag.element)


def _element(tag: int, vr: str, value: Any) -> DataElement:
    return DataElement(tag, vr, value, validation_mode=config.IGNORE)


def show(tag: int) -> str:
    """Write a tag as people do."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


_NOBODY = About("", "", 0, frozenset(), frozenset())
