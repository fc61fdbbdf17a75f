"""What can be found wrong with a trail."""

from enum import StrEnum
from typing import NamedTuple


class Fault(StrEnum):
    """What was done to a trail."""

    CLOCK = "clock step back"
    DELETION = "deletion"
    EDIT = "edit"
    FORK = "fork"
    INSERTION = "insertion"
    REORDER = "reorder"
    SIGNATURE = "signature"
    TRUNCATION = "truncation"


class Finding(NamedTuple):
    """Something wrong: what, at which event, and how it shows."""

    fault: Fault
    sequence: int
    detail: str
