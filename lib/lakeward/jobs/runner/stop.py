"""A wish to stop: told by a person or a signal, or come to by itself when time is up."""

import time
from typing import Optional

from lakeward.jobs.record.rows import State
from lakeward.jobs.record.states import Code, LifeCycle, Result

CANCELED = State(LifeCycle.TERMINATED, Result.CANCELED, Code.USER_CANCELED)
_TICK_S = 0.05


class Stop:
    """Whether something must stop, and the state that it then has.

    Parameters
    ----------
    within : Stop, optional
        What it is a part of: it stops when that does.
    timeout_s : int
        Seconds from now after which it stops; 0 for never.
    """

    def __init__(self, within: Optional["Stop"] = None, timeout_s: int = 0) -> None:
        self._within = within
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s if timeout_s else None
        self._told: State | None = None

    def tell(self, state: State) -> None:
        """Stop; whoever asks for the reason gets this state."""
        self._told = self._told or state

    @property
    def reason(self) -> State | None:
        """The state that what stops has; None as long as it may go on."""
        if self._told is None and self._deadline and time.monotonic() >= self._deadline:
            message = f"It took longer than {self._timeout_s} seconds."
            self._told = State(LifeCycle.TERMINATED, Result.TIMEDOUT, Code.CANCELED, message)
        return (self._within.reason if self._within else None) or self._told

    def pause(self, seconds: float) -> bool:
        """Wait, and return whether there was no reason to stop in the meantime."""
        end = time.monotonic() + seconds
        while self.reason is None and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _TICK_S))
        return self.reason is None
