"""Turns between the threads of a process, of which one at a time works for all."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def never() -> bool:
    """Answer no."""
    return False


class Turns:
    """One thread has the turn; those that wait are let go together when it has done their work, too."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._change = threading.Condition()
        self._taken = False

    @contextmanager
    def take(self, done: Callable[[], bool] = never, wait: bool = True) -> Iterator[bool]:
        """Take the turn, which is told: not if another has it and is not waited for, nor if the work is done."""
        if self._process != os.getpid():  # a child that was forked off has none of its parent's threads
            self._begin()
        with self._change:
            while wait and self._taken and not done():
                self._change.wait()
            mine = not self._taken and not done()
            self._taken = self._taken or mine
        try:
            yield mine
        finally:
            if mine:
                with self._change:
                    self._taken = False
                    self._change.notify_all()
