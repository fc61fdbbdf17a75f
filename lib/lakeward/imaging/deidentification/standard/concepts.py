"""Codes of DICOM PS3.16 and what they mean, to tell a code's own meaning from something that a person typed there."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from lakeward.imaging.deidentification.standard import _csv


@cache
def concepts() -> Mapping[tuple[str, str], frozenset[str]]:
    """Return the meanings of each (coding scheme designator, code value) of the schemes DCM, LN and UCUM."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in _csv.read("concepts.csv"):
        found.setdefault((row["scheme"], row["code"]), set()).add(row["meaning"])
    return MappingProxyType({code: frozenset(meanings) for code, meanings in found.items()})
