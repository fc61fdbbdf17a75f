"""What is to be done to a data element: PS3.15 Table E.1-1, the options that are on, a user's rules, closed defaults.

Source: PS3.15 Annex E; the action codes are those of Table E.1-1a.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

from pydicom.datadict import dictionary_has_tag, dictionary_keyword, repeater_has_tag

from lakeward.imaging.profile import Action, Profile
from lakeward.imaging.standard import Option, Row, lookup, safe_private

AttributeType = Literal["1", "1C", "2", "2C", "3"] | None

_PREFERENCE = {"1": list("DUZKCX"), "2": list("ZDUKCX")}
_STRUCTURAL_UIDS = re.compile(r".*(ClassUID|TransferSyntaxUID|CodingSchemeUID|ContextUID|MappingResourceUID)$")
_TEMPORAL = {"DA": "X/Z/D", "DT": "X/Z/D", "TM": "X/Z/D"}
_NAMING = {"PN": "X/Z/D", "AE": "X/Z/D", "UR": "X/Z/D"}
_SAFE_PRIVATE_BY_VR = {
    **dict.fromkeys(("DS", "IS", "FD", "FL", "SS", "US", "SL", "UL", "SV", "UV", "CS"), "K"),
    **dict.fromkeys(("LO", "SH", "ST", "LT"), "C"),
    "UI": "U",
}
_REMOVED_BY_US = {
    0x4FFE0001: "MAC parameters of a signature that no longer holds",
    0x00080300: "describes private elements as they were",
    0xFFFCFFFC: "padding",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """An action code, conditional as in ``X/Z/D`` where the attribute's Type decides, and the rule it comes from."""

    action: str
    why: str


KEEP = Decision("K", "not in Table E.1-1")


def resolve(action: str, attribute_type: AttributeType) -> Action:
    """Choose among the alternatives of a conditional action by the attribute's Type in its IOD (PS3.15 Table E.1-1a).

    The first alternative is taken unless the IOD would be violated: an attribute of Type 1 or 1C needs a value, one of
    Type 2 or 2C must be there. A plain Z on Type 1 becomes D, which the Standard allows (Z may be a dummy).
    """
    allowed = action.rstrip("*").split("/")
    order = _PREFERENCE.get((attribute_type or "3")[0], allowed)
    chosen = next(a for a in order if a in allowed)
    return cast(Action, "D" if chosen == "Z" and order == _PREFERENCE["1"] else chosen)


class Rules:
    """A profile compiled into one decision for each kind of element.

    Parameters
    ----------
    profile : Profile
        The options and rules that are on.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._decide = cache(self._decide_once)

    def decide(self, tag: int, vr: str, creator: str | None = None) -> Decision:
        """Return the action for an element.

        Parameters
        ----------
        tag : int
            The tag as a 32 bit number.
        vr : str
            Its VR, by the dictionary where the data set does not say.
        creator : str, optional
            Private creator of the block that a private element is in.
        """
        return self._decide(tag, vr, creator)

    def value_rules(self, tag: int, vr: str, creator: str | None = None) -> list[tuple[re.Pattern[str], Decision]]:
        """User's rules on this kind of element that also look at its text, in order."""
        return [
            (re.compile(rule.value), Decision(rule.action, f"user rule {number}"))
            for number, rule in enumerate(self.profile.rules, 1)
            if rule.value and rule.fits(tag, vr, keyword_of(tag), creator)
        ]

    def _decide_once(self, tag: int, vr: str, creator: str | None) -> Decision:
        keyword = keyword_of(tag)
        for number, rule in enumerate(self.profile.rules, 1):
            if not rule.value and rule.fits(tag, vr, keyword, creator):
                return Decision(rule.action, f"user rule {number}")
        if tag in _REMOVED_BY_US:
            return Decision("X", _REMOVED_BY_US[tag])
        if tag >> 16 & 1:
            return self._private(tag, creator)
        if (row := lookup(tag)) is not None:
            return self._listed(row)
        return self._unlisted(tag, vr, keyword)

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
            return Decision("X", "private")
        if known.vr in _TEMPORAL:
            return self._temporal("safe private")
        return Decision(_SAFE_PRIVATE_BY_VR.get(known.vr, "X"), "safe private, E.3.10-1")

    def _unlisted(self, tag: int, vr: str, keyword: str) -> Decision:
        """Closed defaults for what Table E.1-1 does not list; plain text and numbers stay, as the Standard means it."""
        if tag >> 24 in (0x50, 0x60):
            return Decision("X", "part of a curve or overlay")
        if tag < 0x00080000 or not (dictionary_has_tag(tag) or repeater_has_tag(tag)):
            return Decision("X", "not in the dictionary")
        if vr in _TEMPORAL:
            return self._temporal("unlisted date or time")
        if vr in _NAMING:
            return Decision(_NAMING[vr], "unlisted name or address")
        if vr == "UI" and not _STRUCTURAL_UIDS.match(keyword):
            return Decision("K" if self.profile.has(Option.RETAIN_UIDS) else "U", "unlisted UID")
        return KEEP

    def _temporal(self, why: str) -> Decision:
        if self.profile.has(Option.RETAIN_FULL_DATES):
            return Decision("K", f"{why}, {Option.RETAIN_FULL_DATES}")
        if self.profile.has(Option.RETAIN_MODIFIED_DATES):
            return Decision("C", f"{why}, {Option.RETAIN_MODIFIED_DATES}")
        return Decision("X/Z/D", why)


@cache
def keyword_of(tag: int) -> str:
    """Keyword in PS3.6, or an empty string."""
    return dictionary_keyword(tag) if dictionary_has_tag(tag) or repeater_has_tag(tag) else ""
