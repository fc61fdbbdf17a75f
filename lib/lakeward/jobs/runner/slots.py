"""How many tasks run at once on this machine, whichever runners they belong to."""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lakeward.jobs.runner.stop import Stop

_PAUSE_S = 0.05


class Slots:
    """Places for processes; each is a locked file, which the system frees when its holder ends."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._count = count
        self._mine = threading.Semaphore(count)

    @contextmanager
    def one(self, stop: Stop) -> Iterator[bool]:
        """Wait for a place and hold it; False if there was a reason to stop before one came free."""
        while not self._mine.acquire(timeout=_PAUSE_S):
            if stop.reason:
                yield False
                return
        try:
            file = None
            while not file and stop.reason is None:
                file = self._free() or (stop.pause(_PAUSE_S) and None)
            try:
                yield file is not None
            finally:
                if file:
                    file.close()
        finally:
            self._mine.release()

    def _free(self) -> IO[bytes] | None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(self._count):
            file = (self._folder / f"{number}.lock").open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
            else:
                return file
        return None
