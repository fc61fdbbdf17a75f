"""Codes inside cleaned content: those of public schemes stay, what a site made up goes (PS3.15 E.1-1, Note 7)."""

import re
from collections.abc import Set

from pydicom.dataset import Dataset

from lakeward.imaging.deidentification import descriptors
from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.deidentification.standard import concepts

_SNOMED_RT = r"[A-Z]\d?-[0-9A-F]{4,5}"
_PUBLIC = {
    scheme: re.compile(pattern)
    for scheme, pattern in {
        "DCM": r"\d{6}",
        "SCT": r"\d{6,18}",
        **dict.fromkeys(("SRT", "SNM3", "99SDM"), _SNOMED_RT),
        "LN": r"(?:LP)?\d{1,6}-\d",
        "UCUM": r"(?=.{1,16}$)(?:[A-Za-z]{1,3}|[0-9%/.*^'\[\]-])(?:[0-9%/.*^'\[\]-]+[A-Za-z]{0,3})*",
        "RADLEX": r"RID\d{1,6}",
        "FMA": r"\d{4,6}",
        "UMLS": r"C\d{7}",
        "NCIt": r"C\d{4,6}",
        **dict.fromkeys(("I10", "I10P"), r"[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?"),
    }.items()
}
"""Schemes of PS3.16 Table 8-1 with the form of their codes."""

_LOCAL = "99LAKEWARD"
_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")
_OF_THE_SCHEME = ("CodingSchemeVersion", "ContextIdentifier", "ContextUID", "MappingResource", "MappingResourceUID")
_VERSION = re.compile(r"[0-9._-]{1,16}")
FIELDS = frozenset({*_VALUES, "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning"})
"""What `clean` has dealt with."""


def clean(item: Dataset, identifying: Set[str], pseudonyms: Pseudonyms) -> bool:
    """Clean an item that is a code, in place; return whether it is one.

    A code that PS3.16 has keeps all; another of a public scheme keeps its value, and those words of its meaning that
    can't identify; any other is replaced by a keyed stand-in, so that equal codes stay equal.
    """
    code = next((str(item.get(keyword)) for keyword in _VALUES if item.get(keyword)), "")
    if not code or "CodingSchemeDesignator" not in item:
        return False
    scheme = str(item.CodingSchemeDesignator or "")
    public = (scheme, code) in concepts() or (scheme in _PUBLIC and _PUBLIC[scheme].fullmatch(code))
    if not public or code.lower() in identifying:
        _replace(item, pseudonyms.text(f"{scheme}\\{code}"))
    if not _VERSION.fullmatch(str(item.get("CodingSchemeVersion") or "0")):
        del item.CodingSchemeVersion
    meaning = str(item.get("CodeMeaning") or "")
    if "CodeMeaning" in item and meaning not in concepts().get((scheme, code), ()):
        item.CodeMeaning = descriptors.clean(meaning, identifying) or "Removed"
    return True


def _replace(item: Dataset, stand_in: str) -> None:
    for keyword in (*_VALUES, *_OF_THE_SCHEME):
        if keyword in item:
            del item[keyword]
    item.CodeValue, item.CodingSchemeDesignator = stand_in, _LOCAL
