"""Markers: texts that stand nowhere but where they were planted, and whether a profile lets one stay there.

What may stay is told by Table E.1-1 and its options alone, not by the engine that is on trial.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from pydicom.datadict import dictionary_VM

from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.standard import Option, lookup

_AROUND = {
    **dict.fromkeys(("AE", "CS", "SH"), "{}"),
    **dict.fromkeys(("LO", "LT", "ST", "UC", "UT"), "Chest, Dr. {}"),
    "PN": "{}^Jane",
    "UR": "https://{}.example",
}
BYTE_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
NUMBER_BYTES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "AT": 4, "FL": 4, "FD": 8, "UV": 8, "SV": 8}
_NAMING = frozenset({"PN", "AE", "UR"})
_FORMAT_KNOWN = frozenset({"ICCProfile", "FillPattern", "BadPixelImage", "WeightingLookupTableData"})
UNLISTED = "not in Table E.1-1"
"""Why a text may stay that neither an option nor a rule keeps."""

_BEFORE, _AFTER = "QX", "ZJ"
WORD_BYTES = 8
_APART = timedelta(4018)  # more than dates are ever moved by, so that no moved date is another marker
_CLASSES = ("SOPClassUID", "SOPClassesInStudy", "SOPClassesSupported")


@dataclass(frozen=True, slots=True)
class Marker:
    """A text that was planted.

    Attributes
    ----------
    text : str
        What to look for.
    place : str
        Kind of hiding place, for the report.
    path : str
        Where in the object: tags, or words.
    allowed : str
        Why the profile lets it stay; empty if it must go.
    """

    text: str
    place: str
    path: str
    allowed: str = ""


@dataclass(slots=True)
class Supply:
    """Values that are each unlike all others, by VR."""

    count: int = 0
    days: int = 0

    def word(self) -> str:
        """Eight letters; those at the ends are always the same, since base64 blurs them."""
        self.count += 1
        number, letters = self.count, ""
        for _ in range(4):
            number, digit = divmod(number, 26)
            letters = chr(ord("A") + digit) + letters
        return f"{_BEFORE}{letters}{_AFTER}"

    def value(self, vr: str) -> tuple[str, bytes] | None:
        """A marker, and an encoded value of that VR which holds it; None for numbers too small to hold one."""
        if vr in _AROUND or vr in BYTE_VRS or NUMBER_BYTES.get(vr) == WORD_BYTES:
            word = self.word()
            return word, _even(_AROUND.get(vr, "{}").format(word))
        self.count += 1
        self.days += vr in ("DA", "DT")
        day = f"{date(1000, 1, 1) + self.days % 800 * _APART:%Y%m%d}".zfill(8)
        values = {
            "DA": day,
            "DT": f"{day}123456",
            "TM": f"112233.{self.count:06d}",
            "UI": f"1.2.826.0.9.{4_000_000_000 + self.count}",
            "DS": f"7.31{self.count:06d}",
            "IS": f"73{self.count:06d}",
        }
        return (values[vr], _even(values[vr])) if vr in values else None


def _even(text: str) -> bytes:
    return text.encode() + b" " * (len(text) % 2)


def allowed(profile: Profile, tag: int, vr: str, keyword: str) -> str:
    """Return why a profile lets the text of an attribute stay; an empty text if it must go.

    Parameters
    ----------
    profile : Profile
        The options that are on, and the user's rules.
    tag : int
        The attribute's tag; of private elements, pass none: they are never to be named here.
    vr : str
        The VR that PS3.6 gives it.
    keyword : str
        Its keyword.
    """
    for number, rule in enumerate(profile.rules, 1):
        if rule.fits(tag, vr, keyword, None):
            return f"user rule {number}" if rule.action == "K" or rule.value else ""
    row = lookup(tag)
    if row:
        says = {row.options[option]: option for option in profile.options if option in row.options}
        if vr == "TM" and profile.has(Option.RETAIN_MODIFIED_DATES) and says:
            return Option.RETAIN_MODIFIED_DATES  # moved by whole days
        return says["K"] if "K" in says and "C" not in says else ""
    return _unlisted(profile, tag, vr, keyword)


def _unlisted(profile: Profile, tag: int, vr: str, keyword: str) -> str:
    group = tag >> 16
    if group < 0x0008 or group >> 8 in (0x50, 0x60, 0x7F) or not keyword or keyword == "TextValue":
        return ""
    if vr in ("DA", "DT", "TM") and profile.has(Option.RETAIN_FULL_DATES):
        return Option.RETAIN_FULL_DATES
    if vr == "TM" and profile.has(Option.RETAIN_MODIFIED_DATES):
        return Option.RETAIN_MODIFIED_DATES
    if vr == "UI" and keyword.endswith(_CLASSES):
        return "names a class of objects"
    if vr == "UI" and profile.has(Option.RETAIN_UIDS):
        return Option.RETAIN_UIDS
    if vr in _NAMING or vr in ("DA", "DT", "TM", "UI", "UN", "SQ") or (vr == "OB" and keyword not in _FORMAT_KNOWN):
        return ""
    if vr in NUMBER_BYTES:
        most = dictionary_VM(tag).split("-")[-1]
        if most.isdecimal() and int(most) * NUMBER_BYTES[vr] < WORD_BYTES:
            return ""
    return UNLISTED
