"""The trail of a lakehouse: events go in, proofs and signed heads come out."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from lakeward.governance.trail import entries, keys, store
from lakeward.governance.trail.errors import NoSuchEvent, NotProven
from lakeward.governance.trail.merkle import Frontier, leaf_hash
from lakeward.governance.trail.notes import Checkpoint, Signer, Verifier
from lakeward.governance.trail.queue import Place, Queue
from lakeward.governance.trail.store import State, Store, View
from lakeward.governance.trail.walk import FIRST
from lakeward.workspace.events import Event
from lakeward.workspace.settings import settings

OPENED = "governance.key.opened"
ROTATED = "governance.key.rotated"
"""Types of the events whose object is the public key that is in force from then on."""


def now() -> datetime:
    """Return the time, with its zone."""
    return datetime.now(UTC)


class Trail:
    """A trail, which is opened with its first event.

    Parameters
    ----------
    folder : Path, optional
        Where it lies; the lakehouse's ``events`` if not given.
    clock : callable
        Tells the time.
    """

    def __init__(self, folder: Path | None = None, clock: Callable[[], datetime] = now) -> None:
        self.folder = folder or settings().home / "events"
        self.store = Store(self.folder / "trail.sqlite")
        self._queue = Queue(self.folder / "trail.queue")
        self._clock = clock
        self._opened = False
        self._signers: dict[str, Signer] = {}

    # --- writing -----------------------------------------------------------------------------------------------------

    def append(self, *events: Event) -> None:
        """Append events, and return when the disk has them.

        Raises
        ------
        NotProven
            If no head can be signed, or the queue was tampered with: then it is not known to be recorded.
        OSError, sqlite3.Error
            If the disk does not take it.
        """
        self._open()
        sealed = [entries.sealed(event) for event in events]
        while (mine := self._queue.put(sealed)) is None:
            with self._alone():
                self._drain()
        with self._alone():
            done = self._state().done
            if not _reached(done, mine):
                done = self._drain()
        if not _reached(done, mine):
            raise NotProven(f"The queue of events in {self.folder} was changed by another program.")

    def rotate_key(self) -> Verifier:
        """Put the next key in force, by an event whose head both keys sign."""
        self._open()
        with self._alone():
            self._drain()
            state = self._state()
            old = Verifier.parse(state.vkey)
            signers = [keys.signer_of(old, self.folder), keys.next_signer(old.name, self.folder)]
            new = signers[1].verifier
            self._write([entries.sealed(Event(type=ROTATED, object=str(new)))], state.done, signers, str(new))
            keys.forget(old, self.folder)
        return new

    def take_out(self, event: Event, change: Callable[[sqlite3.Connection], object]) -> None:
        """Append an event, and in the same transaction take out what it tells of, so that nothing of it is left."""
        self._open()
        with self._alone():
            done = self._drain()
            vkey = self._state().vkey
            self._write([entries.sealed(event)], done, [self._signer(vkey)], vkey, change)
            self._queue.clear(done, at_least=0)
            self.store.wipe()

    # --- reading -----------------------------------------------------------------------------------------------------

    @contextmanager
    def view(self) -> Iterator[View]:
        """Look at the trail as it is now.

        Raises
        ------
        NoSuchEvent
            If nothing was ever recorded.
        """
        if not self.store.path.exists():
            raise NoSuchEvent(f"There is no trail in {self.folder} yet: nothing was recorded.")
        with self.store.view() as view:
            yield view

    # --- the one who writes ------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the writer's lock, which threads and processes get in turn, and the kernel drops at death."""
        lock = os.open(self.folder / "trail.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _open(self) -> None:
        """Make sure, once, that there is a log."""
        if self._opened and self.store.path.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._alone():
            self.store.create()
            if self.store.last_state() is None:
                origin = f"lakeward/{settings().environment}/{os.urandom(8).hex()}"
                signer = keys.first_signer(origin, self.folder)
                event = Event(type=OPENED, object=str(signer.verifier))
                self._write([entries.sealed(event)], Place("", 0), [signer], str(signer.verifier))
        self._opened = True

    def _state(self) -> State:
        state = self.store.last_state()
        return state or State("", Place("", 0), FIRST, Frontier(), "")

    def _drain(self) -> Place:
        """Append all that waits."""
        state = self._state()
        waiting = self._queue.waiting(state.done)
        if waiting.events:
            self._write(waiting.events, waiting.end, [self._signer(state.vkey)], state.vkey)
            self._queue.clear(waiting.end)
        return waiting.end

    def _signer(self, vkey: str) -> Signer:
        if vkey not in self._signers:
            self._signers[vkey] = keys.signer_of(Verifier.parse(vkey), self.folder)
        return self._signers[vkey]

    def _write(
        self,
        events: Sequence[tuple[bytes, bytes]],
        done: Place,
        signers: Sequence[Signer],
        vkey: str,
        change_too: Callable[[sqlite3.Connection], object] = lambda change: None,
    ) -> None:
        state = self._state()
        frontier, last = state.frontier, state.last
        rows, nodes = [], list[tuple[int, int, bytes]]()
        recorded = entries.stamp(self._clock())
        for event, payload in events:
            data = entries.entry(event, last, recorded, frontier.size)
            last = leaf_hash(data)
            rows.append((frontier.size, last, data.decode(), payload.decode()))
            nodes.extend(frontier.add(last))
        checkpoint = str(Checkpoint(signers[0].verifier.name, frontier.size, frontier.root()))
        head = signers[0].sign(checkpoint) + "".join(it.sign(checkpoint).rpartition("\n\n")[2] for it in signers[1:])
        with self.store.changed() as change:
            store.add(change, rows, State(vkey, done, last, frontier, head))
            store.add_nodes(change, nodes)
            change_too(change)


def _reached(done: Place, mine: Place) -> bool:
    return done.generation == mine.generation and done.offset >= mine.offset
