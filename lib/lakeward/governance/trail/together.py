"""Events of a process's threads that are appended together, since one commit costs about as much as another."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lakeward.governance.trail.errors import StoreFailed
from lakeward.governance.trail.store import Sealed


class _Waiting:
    """Events of one thread, and what became of them."""

    def __init__(self, events: Sequence[Sealed] | None) -> None:
        self.events = events
        """None for a thread that wants to work while no other does."""

        self.leads = False
        self.done = False
        self.error: BaseException | None = None
        self.woken = threading.Lock()
        self.woken.acquire()


class Together:
    """While one thread writes, the events of all others gather for the next, and each sleeps until it is its turn.

    Parameters
    ----------
    most : int
        Bytes that are written together, about.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._led = False

    def append(self, events: Sequence[Sealed], write: Callable[[Sequence[Sealed]], None]) -> None:
        """Return when these events were written, by this thread or another, or raise what that one met with."""
        mine = _Waiting(events)
        with self._turn(mine):
            if not mine.done:
                self._write(write)
        if mine.error:
            raise mine.error

    def alone(self, work: Callable[[], None]) -> None:
        """Do something while no thread of this process writes."""
        with self._turn(_Waiting(None)):
            work()

    @contextmanager
    def _turn(self, mine: _Waiting) -> Iterator[None]:
        """Wait until another thread has done the work, or this one is first of those that wait."""
        if self._process != os.getpid():  # a child that was forked off has none of its parent's threads
            self._begin()
        try:
            with self._lock:
                self._waiting.append(mine)
                mine.leads, self._led = not self._led, True
            if not mine.leads:
                mine.woken.acquire()
            yield
        finally:
            if mine.leads or not mine.done:  # else it was taken out by who wrote it
                with self._lock:
                    if mine in self._waiting:
                        self._waiting.remove(mine)
                    if mine.leads:
                        self._pass_on()

    def _pass_on(self) -> None:
        """Give the turn to the first that waits."""
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].leads = True
            self._waiting[0].woken.release()

    def _write(self, write: Callable[[Sequence[Sealed]], None]) -> None:
        taken = self._taken()
        try:
            write([event for it in taken for event in it.events or ()])
        except BaseException as error:
            told = error if isinstance(error, Exception) else StoreFailed("Whoever wrote events was interrupted.")
            for it in taken:
                it.error = told
            if told is not error:
                raise
        finally:
            for it in taken:
                it.done = True
                if not it.leads:
                    it.woken.release()

    def _taken(self) -> list[_Waiting]:
        """Take from those that wait, the first in any case, up to one that wants to work alone."""
        size, count = 0, 0
        with self._lock:
            for it in self._waiting:
                size += sum(len(event) + len(payload) for event, payload in it.events or ())
                if count and (it.events is None or size > self._most):
                    break
                count += 1
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken
