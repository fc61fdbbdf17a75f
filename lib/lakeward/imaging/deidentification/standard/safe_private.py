"""DICOM PS3.15 Table E.3.10-1: private attributes thought to be safe.

The Standard calls it a sample list that vendors do not guarantee. It is recorded whole, with its binary, sequence and
free-text attributes; which of them to trust is for its reader to decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from lakeward.imaging.deidentification.standard import _csv

SAFE_PRIVATE_EDITION = "PS3.15 2020c"


@dataclass(frozen=True, slots=True)
class SafePrivate:
    """One private attribute of the table; ``vr`` and ``meaning`` are empty where the Standard leaves them so."""

    vr: str
    vm: str
    meaning: str


@cache
def safe_private() -> Mapping[tuple[int, str, int], SafePrivate]:
    """Return the table by (group, private creator, low byte of the element number)."""
    return MappingProxyType(
        {
            (int(row["group"], 16), row["creator"], int(row["offset"], 16)): SafePrivate(
                row["vr"], row["vm"], row["meaning"]
            )
            for row in _csv.read("safe_private.csv")
        }
    )
