"""What starts a job by itself: each kind says, when it is asked, whether to fire, and what it will have seen then."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lakeward.jobs.record.states import Started

Cursor = Mapping[str, Any]
"""What a trigger has seen up to now, as JSON knows it; empty before it looked for the first time. Holds no name."""


@dataclass(frozen=True)
class Look:
    """What a look has found.

    Attributes
    ----------
    cursor : mapping
        What the trigger has seen now.
    at : int or None
        The time to fire for, in milliseconds since 1970; None for not now. It is not in the future.
    """

    cursor: Cursor
    at: int | None = None


class Trigger(Protocol):
    """A kind of trigger.

    Attributes
    ----------
    started_by : Started
        What the record calls it.
    every_ms : int
        How often it wants to be asked.
    remembers : bool
        Whether what came while it was paused, or while nobody looked, counts afterwards.
    """

    started_by: Started
    every_ms: int
    remembers: bool

    def look(self, cursor: Cursor, last_fired: int | None, now: int) -> Look:
        """Say whether to fire now.

        Raises
        ------
        LakewardError
            If it can't be told.
        """


def rested(least_s: int | None, since: int | None, now: int) -> bool:
    """Whether as many seconds have passed since a time as are wanted."""
    return least_s is None or since is None or now - since >= least_s * 1000
