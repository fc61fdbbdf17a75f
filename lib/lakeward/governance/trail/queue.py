"""Events that wait to be appended, in a file that all processes of a machine share.

A process adds its event here, then waits for the writer's lock. Whoever gets it appends all that waits in one
transaction, so those who come next find theirs done: one sync of the disk serves many processes. The file itself is
never synced: an event is acknowledged when the store has it, and until then it may be lost with the power.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from lakeward.workspace.locks import boot

_FULL_BYTES = 8 << 20
_CLEAR_BYTES = 1 << 20
_NUMBER = 20


class Place(NamedTuple):
    """A place in all that was ever queued: `generation` names the file's life, `offset` counts its bytes."""

    generation: str
    offset: int


class Waiting(NamedTuple):
    """What waits: pairs of an event's bytes and its disclosures, and the place where it ends."""

    events: list[tuple[bytes, bytes]]
    end: Place


class Queue:
    """The file; its first line is the generation and how many bytes were queued before what is in it now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._quiet: tuple[Place, tuple[int, int, int] | None] | None = None
        """The place behind all that was queued, and how the file looked then."""

    def put(self, events: Sequence[tuple[bytes, bytes]]) -> Place | None:
        """Add events, and return the place behind them; None if the queue is full."""
        lines = b"".join(map(_line, events))
        with self._locked() as file:
            generation, base, size = self._begun(file)
            if size > _FULL_BYTES:
                return None
            # A writer that was killed may have left half a line.
            start = b"" if os.pread(file, 1, size - 1) == b"\n" else b"\n"
            if os.write(file, start + lines) != len(start + lines):
                raise OSError("the event was cut short: is the disk full?")
            return Place(generation, base + size + len(start + lines))

    def waiting(self, done: Place) -> Waiting:
        """Return all that was queued behind a place.

        Where part of it can't be read, the file begins anew: no place that somebody waits for is ever reached then, so
        that an event that was damaged is not taken for one that is in the store.
        """
        if self._quiet == (done, self._looks()):
            return Waiting([], done)
        with self._locked() as file:
            generation, base, size = self._begun(file)
            begin = done.offset - base if done.generation == generation else _HEADER
            lines = os.pread(file, max(size - begin, 0), begin).split(b"\n")
            events = [_event(line) for line in lines if line]
            if begin > size or None in events:
                generation, base, size = self._anew(file)
            end = Place(generation, base + size)
            self._quiet = end, self._looks()
        return Waiting([event for event in events if event], end)

    def clear(self, done: Place) -> None:
        """Empty the file, if it has grown large and nothing waits behind a place."""
        with self._locked() as file:
            generation, base, size = self._begun(file)
            if (generation, base + size) == done and size > _CLEAR_BYTES:
                # In this order: a kill in between leaves an empty file, which begins a new life.
                os.ftruncate(file, 0)
                os.write(file, _header(generation, done.offset - _HEADER))

    def wipe(self, done: Place) -> None:
        """Leave nothing of what was queued before a place; what waits behind it stays where it is."""
        with self._locked() as file, self._path.open("r+b") as whole:
            generation, base, _ = self._begun(file)
            if generation == done.generation:
                whole.seek(_HEADER)
                whole.write(b"\n" * (done.offset - base - _HEADER))
                whole.flush()
                os.fsync(whole.fileno())

    @contextmanager
    def _locked(self) -> Iterator[int]:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)

    def _looks(self) -> tuple[int, int, int] | None:
        """What differs once something was queued."""
        try:
            file = self._path.stat()
        except FileNotFoundError:
            return None
        return file.st_ino, file.st_size, file.st_mtime_ns

    def _begun(self, file: int) -> tuple[str, int, int]:
        """Generation, base and size of the file, begun anew if it is empty or from before the machine started."""
        size = os.fstat(file).st_size
        header = os.pread(file, _HEADER, 0).decode(errors="replace").split()
        if len(header) == 2 and header[0].startswith(boot()):  # else it is gone or can't be trusted
            return header[0], int(header[1]), size
        return self._anew(file)

    def _anew(self, file: int) -> tuple[str, int, int]:
        generation = f"{boot()}.{os.urandom(8).hex()}"
        os.ftruncate(file, 0)
        os.write(file, _header(generation, 0))
        return generation, 0, _HEADER


def _line(event: tuple[bytes, bytes]) -> bytes:
    text = b"\t".join(event)
    return b"%08x\t%b\n" % (crc32(text), text)


def _event(line: bytes) -> tuple[bytes, bytes] | None:
    """Return what a line holds, None if it is only part of one."""
    checksum, _, text = line.partition(b"\t")
    event, tab, payload = text.partition(b"\t")
    return (event, payload) if tab and checksum == b"%08x" % crc32(text) else None


def _header(generation: str, base: int) -> bytes:
    return f"{generation} {base:0{_NUMBER}}\n".encode()


_HEADER = len(_header(f"{boot()}.{bytes(8).hex()}", 0))
