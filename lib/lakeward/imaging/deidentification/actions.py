"""What is to be done to a data element: PS3.15 Table E.1-1, the options that are on, a user's rules, closed defaults.

Source: PS3.15 Annex E; the action codes are those of Table E.1-1a.
"""

import re
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Literal, cast

from pydicom.datadict import (
    dictionary_has_tag,
    dictionary_keyword,
    dictionary_VM,
    dictionary_VR,
    private_dictionary_VR,
    repeater_has_tag,
)

from lakeward.imaging.deidentification.profile import Action, Profile
from lakeward.imaging.deidentification.standard import Option, Row, lookup, safe_private
from lakeward.imaging.deidentification.values import BINARY, FORMATTED, NUMERIC_BINARY, TEMPORAL, TEXT, has_form
from lakeward.imaging.reasons import Reason

AttributeType = Literal["1", "1C", "2", "2C", "3"] | None

_PREFERENCE = {"1": list("DUZKCX"), "2": list("UZDKCX")}
_CLASS_UID = re.compile(r".*SOPClass(UID|esInStudy|esSupported)$")
_NAMING = frozenset({"PN", "AE", "UR"})
_OPAQUE = {("OB",), ("UN",)}
_KNOWN_BINARY = frozenset({"ICCProfile", "FillPattern", "BadPixelImage", "WeightingLookupTableData"})
_SAFE_PRIVATE_BY_VR = {
    **dict.fromkeys(("DS", "IS", "FD", "FL", "SS", "US", "SL", "UL", "SV", "UV", "CS"), "K"),
    **dict.fromkeys(("LO", "SH", "ST", "LT"), "C"),
    "UI": "U",
}
_REMOVED_BY_US = {
    0x4FFE0001: "MAC parameters of a signature that no longer holds",
    0x00080116: "organization behind a coding scheme",
    0x00080300: "describes private elements as they were",
    0x04000500: "encrypted originals",
    0xFFFCFFFC: "padding",
}
_DOCUMENT = 0x00420011
_TEXT_VALUE = 0x0040A160
_PIXEL_GROUP = 0x7FE0
# Texts of one of these VRs in place of another are what devices write; names and dates there are not.
_TEXT_LIKE = TEXT | FORMATTED - TEMPORAL - {"PN", "AE", "UI"}


@dataclass(frozen=True, slots=True)
class Decision:
    """An action code, conditional as in ``X/Z/D`` where the attribute's Type decides, and the rule it comes from."""

    action: str
    why: str
    by_user: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done to one kind of element.

    Attributes
    ----------
    keyword : str
        In PS3.6; empty for private elements.
    vr : str
        The VR to treat and to write it by: the dictionary's, unless the one that it comes with is as good.
    trusted : bool
        Whether the VR that it comes with leaves its value what the dictionary says it is.
    formed : bool
        Whether a value must have a form to stay (`values.is_valid`).
    max_values : int or None
        How many numbers it may have, where that is limited.
    decision : Decision
        What is done, unless one of `by_value` holds.
    by_value : tuple of (pattern, Decision)
        The user's rules that look at the text, in order.
    """

    keyword: str
    vr: str
    trusted: bool
    formed: bool
    max_values: int | None
    decision: Decision
    by_value: tuple[tuple[re.Pattern[str], Decision], ...]


KEEP = Decision("K", "not in Table E.1-1")
PRIVATE = Decision("X", "private")


@cache
def resolve(action: str, attribute_type: AttributeType) -> Action:
    """Choose among the alternatives of a conditional action by the attribute's Type in its IOD (PS3.15 Table E.1-1a).

    The first alternative is taken unless the IOD would be violated: an attribute of Type 1 or 1C needs a value, one of
    Type 2 or 2C must be there. A plain Z on Type 1 becomes D, which the Standard allows (Z may be a dummy).

    Of X/Z/U*, Type 2 takes U: in functional groups references are of that Type, and emptying them would leave a Common
    Instance Reference Module (PS3.3 C.12.2) that lists what is referred to no longer, which is not allowed.
    """
    allowed = action.rstrip("*").split("/")
    order = _PREFERENCE.get((attribute_type or "3")[0], allowed)
    chosen = next(a for a in order if a in allowed)
    return cast(Action, "D" if chosen == "Z" and order == _PREFERENCE["1"] else chosen)


class Rules:
    """A profile compiled into one plan for each kind of element.

    Parameters
    ----------
    profile : Profile
        The options and rules that are on.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        # Bounded: hostile objects may have any number of tags.
        self._plan = lru_cache(maxsize=1 << 15)(self._make_plan)

    @cached_property
    def creators(self) -> frozenset[str]:
        """Private creators whose elements may stay: all other names of blocks are not even looked at."""
        safe = {creator for _, creator, _ in safe_private()} if self.profile.has(Option.RETAIN_SAFE_PRIVATE) else set()
        return frozenset(safe | {rule.creator for rule in self.profile.rules if rule.creator})

    def plan(self, tag: int, declared: str, creator: str | None = None) -> Plan:
        """Return what is to be done to an element.

        Parameters
        ----------
        tag : int
            The tag as a 32 bit number.
        declared : str
            The VR that it comes with; UN where the data set does not say.
        creator : str, optional
            Private creator of the block that a private element is in.
        """
        return self._plan(tag, declared, creator if creator in self.creators else None)

    def decide(self, tag: int, vr: str, creator: str | None = None) -> Decision:
        """Return the action for an element of this VR, whatever its value."""
        return self.plan(tag, vr, creator).decision

    def _make_plan(self, tag: int, declared: str, creator: str | None) -> Plan:
        keyword, listed = keyword_of(tag), _listed_vrs(tag, creator)
        vr, trusted = _treated_as(declared, listed)
        fitting = [(n, rule) for n, rule in enumerate(self.profile.rules, 1) if rule.fits(tag, vr, keyword, creator)]
        by_value = []
        decision = None
        for number, rule in fitting:
            decided = Decision(rule.action, f"user rule {number}", by_user=True)
            if not rule.value:
                decision = decided
                break
            by_value.append((re.compile(rule.value), decided))
        decision = decision or self._by_table(tag, vr, keyword, creator)
        formed = has_form(vr)
        return Plan(keyword, vr, trusted, formed, _max_values(tag, creator, listed), decision, tuple(by_value))

    def _by_table(self, tag: int, vr: str, keyword: str, creator: str | None) -> Decision:
        if tag < 0x00080000 or not tag & 0xFFFF:
            return Decision("X", "not of a data set, or a group's length")
        if tag in _REMOVED_BY_US:
            return Decision("X", _REMOVED_BY_US[tag])
        if tag >> 16 & 1:
            return self._private(tag, creator)
        if tag == _DOCUMENT and Reason.ENCAPSULATED_DOCUMENT in self.profile.accept:
            return Decision("K", "accepted as it is")
        if tag >> 24 in (0x50, 0x60):  # with Clean Graphics, too: bitmaps can't be looked into
            return Decision("X", "part of a curve or overlay")
        row = lookup(tag)
        decision = self._listed(row) if row else self._unlisted(tag, vr, keyword)
        if decision.action == "K" and _listed_vrs(tag, None) in _OPAQUE and keyword not in _KNOWN_BINARY:
            return Decision("X/Z/D", "bytes that can't be looked into")
        return decision

    def _listed(self, row: Row) -> Decision:
        """Options override the Basic Profile; of two that disagree the one that cleans wins over the one that keeps."""
        chosen = {row.options[option]: option for option in self.profile.options if option in row.options}
        for action in ("X", "C", "K"):
            if action in chosen:
                return Decision(action, f"E.1-1, {chosen[action]}")
        return Decision(row.basic, "E.1-1")

    def _private(self, tag: int, creator: str | None) -> Decision:
        known = creator and safe_private().get((tag >> 16, creator, tag & 0xFF))
        if not known or not self.profile.has(Option.RETAIN_SAFE_PRIVATE):
            return PRIVATE
        if known.vr in TEMPORAL:
            return self._temporal("safe private")
        return Decision(_SAFE_PRIVATE_BY_VR.get(known.vr, "X"), "safe private, E.3.10-1")

    def _unlisted(self, tag: int, vr: str, keyword: str) -> Decision:
        """Closed defaults for what Table E.1-1 does not list; plain text and numbers stay, as the Standard means it."""
        if tag >> 24 == 0x7F and tag >> 16 != _PIXEL_GROUP:
            return Decision("X", "pixels beside the pixel data")
        if not keyword:
            return Decision("X", "not in the dictionary")
        if vr in TEMPORAL:
            return self._temporal("unlisted date or time")
        if vr in _NAMING:
            return Decision("X/Z/D", "unlisted name or address")
        if vr == "UI" and not _CLASS_UID.match(keyword):
            return Decision("K" if self.profile.has(Option.RETAIN_UIDS) else "U", "unlisted UID")
        if tag == _TEXT_VALUE:
            cleaned = self.profile.has(Option.CLEAN_STRUCTURED_CONTENT)
            return Decision("C" if cleaned else "X/Z/D", "text of a content item")
        return KEEP

    def _temporal(self, why: str) -> Decision:
        if self.profile.has(Option.RETAIN_FULL_DATES):
            return Decision("K", f"{why}, {Option.RETAIN_FULL_DATES}")
        if self.profile.has(Option.RETAIN_MODIFIED_DATES):
            return Decision("C", f"{why}, {Option.RETAIN_MODIFIED_DATES}")
        return Decision("X/Z/D", why)


@lru_cache(maxsize=1 << 15)
def keyword_of(tag: int) -> str:
    """Keyword in PS3.6, or an empty string."""
    return dictionary_keyword(tag) if dictionary_has_tag(tag) or repeater_has_tag(tag) else ""


def _listed_vrs(tag: int, creator: str | None) -> tuple[str, ...]:
    """VRs that PS3.6 has for a tag, or for private elements Table E.3.10-1 or pydicom; none where it is not known."""
    if tag >> 16 & 1:
        return _listed_private_vrs(tag, creator) if creator else ()
    return tuple(str(dictionary_VR(tag)).split(" or ")) if keyword_of(tag) else ()


def _listed_private_vrs(tag: int, creator: str) -> tuple[str, ...]:
    known = safe_private().get((tag >> 16, creator, tag & 0xFF))
    if known and known.vr:
        return (known.vr,)
    try:
        return tuple(private_dictionary_VR(tag, creator).split(" or "))
    except KeyError:
        return ()


def _treated_as(declared: str, listed: tuple[str, ...]) -> tuple[str, bool]:
    """VR to treat an element by, and whether its value can be what that VR says."""
    if not listed or declared in listed:
        return declared, True
    first = listed[0]
    if declared == "UN" or " or " in declared:  # not said, or pydicom could not tell
        return first, True
    if first in FORMATTED:  # its bytes are looked at
        return first, declared in TEXT | FORMATTED | BINARY
    if first in TEXT:
        return (declared if declared in TEXT else first), declared in _TEXT_LIKE
    if first in NUMERIC_BINARY:
        return (declared if declared in NUMERIC_BINARY else first), declared in NUMERIC_BINARY
    return first, first in BINARY and declared in BINARY | set(NUMERIC_BINARY)


def _max_values(tag: int, creator: str | None, listed: tuple[str, ...]) -> int | None:
    """Return the most numbers that an element of binary numbers may have, so that no text hides in more of them."""
    if not listed or not all(vr in NUMERIC_BINARY for vr in listed):
        return None
    known = safe_private().get((tag >> 16, creator or "", tag & 0xFF))
    vm = known.vm if known else "n" if tag >> 16 & 1 else dictionary_VM(tag)
    most = vm.split("-")[-1]
    return int(most) if most.isdecimal() else None
