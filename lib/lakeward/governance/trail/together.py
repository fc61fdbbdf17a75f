"""Events of a process's threads that are appended together, since one commit costs about as much as another."""

import os
import threading
from collections.abc import Callable, Sequence

from lakeward.governance.trail.errors import StoreFailed
from lakeward.governance.trail.store import Sealed
from lakeward.governance.trail.turns import Turns


class _Waiting:
    """Events of one thread, and what became of them."""

    def __init__(self, events: Sequence[Sealed]) -> None:
        self.events = events
        self.done = False
        self.error: BaseException | None = None


class Together:
    """While one thread writes, the events of all others gather for the next.

    Parameters
    ----------
    most : int
        Bytes that are written together, about.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._turns = Turns()
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def append(self, events: Sequence[Sealed], write: Callable[[Sequence[Sealed]], None]) -> None:
        """Return when these events were written, by this thread or another, or raise what that one met with."""
        if self._process != os.getpid():  # a child that was forked off has none of its parent's threads
            self._begin()
        mine = _Waiting(events)
        with self._lock:
            self._waiting.append(mine)
        while not mine.done:
            with self._turns.take(lambda: mine.done) as turn:
                if turn:
                    self._write(write)
        if mine.error:
            raise mine.error

    def alone(self, work: Callable[[], None]) -> None:
        """Do something while no thread of this process writes."""
        with self._turns.take():
            work()

    def _write(self, write: Callable[[Sequence[Sealed]], None]) -> None:
        taken = self._taken()
        try:
            write([event for it in taken for event in it.events])
        except BaseException as error:
            told = error if isinstance(error, Exception) else StoreFailed("Whoever wrote events was interrupted.")
            for it in taken:
                it.error = told
            if told is not error:
                raise
        finally:
            for it in taken:
                it.done = True

    def _taken(self) -> list[_Waiting]:
        """Take from those that wait, the first in any case."""
        size, count = 0, 0
        with self._lock:
            for it in self._waiting:
                size += sum(len(event) + len(payload) for event, payload in it.events)
                if count and size > self._most:
                    break
                count += 1
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken
