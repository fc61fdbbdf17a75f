"""Everyday files by their beginnings: the header is cleaned, and the pixels go from file to file as they are.

The headers of many files are cleaned one after another before any pixels move: half a megabyte of pixels in between
drives all that the next header needs out of the processor's cache, and doubles its cost.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lakeward.imaging.objects.reading import silenced, time_limit
from lakeward.imaging.pipeline.owners import refuse_withdrawn
from lakeward.imaging.pipeline.recipe import Recipe

_HEAD = 64 * 1024
"""Bytes of a file that are read first; few headers are longer."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A file whose beginning is cleaned.

    Attributes
    ----------
    uids : tuple of str
        New UIDs of its study, series and object.
    """

    uids: tuple[str, str, str]
    _pieces: list[bytes | memoryview]
    _read: int
    _path: str
    _was: os.stat_result

    def finish(self, path: Path, buffer: memoryview) -> bool:
        """Write the new file: the cleaned beginning, and the rest of the original.

        Parameters
        ----------
        path : Path
            Where; there must be nothing yet.
        buffer : memoryview
            What the rest goes through, the same for many files: fresh memory would have to be cleared by the system.

        Returns
        -------
        bool
            False if the original is not what it was any longer, or can't be read; what is at `path` is of no use then.
        """
        new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with suppress(_Gone), _opened(self._path) as original:
                at, pieces = self._read, self._pieces
                while at < self._was.st_size:
                    more = _more(original, buffer, at)
                    _write(new, [*pieces, more])
                    at, pieces = at + len(more), []
                _write(new, pieces)
                return _identity(os.fstat(original)) == _identity(self._was)
            return False
        finally:
            os.close(new)


def begin(path: str, recipe: Recipe) -> Begun | None:
    """Clean the beginning of an everyday file.

    Returns
    -------
    Begun or None
        None where the whole file has to be looked at, whatever the cause; also in a lakehouse that keeps out images,
        which are known by the whole of them.
    """
    if recipe.rejected:
        return None
    with suppress(Exception), time_limit(recipe.seconds), silenced():  # who looks at the whole file says what is wrong
        was = Path(path).stat()
        if stat.S_ISREG(was.st_mode):
            with _opened(path) as original:
                head = os.pread(original, _HEAD, 0)
            clean = recipe.everyday.beginning(head, was.st_size)
            refuse_withdrawn(head, recipe, clean)
            return Begun(clean.uids, clean.pieces, len(head), path, was)
    return None


class _Gone(Exception):
    """An original can't be read any longer."""


@contextmanager
def _opened(path: str) -> Iterator[int]:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # what has become a pipe must not make us wait
    except OSError:
        raise _Gone from None
    try:
        yield file
    finally:
        os.close(file)


def _more(file: int, buffer: memoryview, at: int) -> memoryview:
    try:
        more = buffer[: os.preadv(file, [buffer], at)]
    except OSError:
        raise _Gone from None
    if not more:
        raise _Gone
    return more


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def write(path: Path, pieces: list[bytes | memoryview]) -> None:
    """Write a new file from where its pieces lie; to join them first would cost more than to write them."""
    new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        _write(new, pieces)
    finally:
        os.close(new)


def _write(file: int, pieces: list[bytes | memoryview]) -> None:
    while pieces:
        written = os.writev(file, pieces)  # Linux writes no more than 2 GiB at once
        while pieces and written >= len(pieces[0]):
            written -= len(pieces.pop(0))
        pieces[:1] = [memoryview(piece)[written:] for piece in pieces[:1]]
