"""The trail of a lakehouse: events go in, proofs and signed heads come out."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from lakeward.governance.trail import entries, keys, store
from lakeward.governance.trail.errors import NoSuchEvent, NotProven
from lakeward.governance.trail.merkle import Frontier, leaf_hash
from lakeward.governance.trail.notes import Checkpoint, Signer, Verifier
from lakeward.governance.trail.queue import Place, Queue
from lakeward.governance.trail.store import State, Store, View
from lakeward.governance.trail.turns import Turns
from lakeward.governance.trail.walk import FIRST
from lakeward.workspace.errors import Busy
from lakeward.workspace.events import Event
from lakeward.workspace.settings import settings

OPENED = "governance.key.opened"
ROTATED = "governance.key.rotated"
"""Types of the events whose object is the public key that is in force from then on."""

_PATIENCE_S = 60
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.0002, 0.005


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
        self._last_signer: Signer | None = None
        self._last_vkey = ""
        self._signed = ""
        self._done = Place("", 0)
        self._turns = Turns()

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
        with self._turns.take(wait=False) as turn:
            if turn:
                with self._lock() as got:
                    if got:
                        self._drain(sealed)
                        return
        while (mine := self._queue.put(sealed)) is None:
            with self._alone():
                self._drain()
        with self._turns.take(lambda: _reached(self._done, mine)) as turn:
            if turn:
                self._wait_for(mine)

    def rotate_key(self) -> Verifier:
        """Put the next key in force, by an event whose head both keys sign."""
        self._open()
        with self._alone():
            self._drain()
            state = self._state()
            old = self._signer(state)
            new = keys.next_signer(old.verifier.name, self.folder)
            event = Event(type=ROTATED, object=str(new.verifier))
            self._write(state, [entries.sealed(event)], state.done, [old, new])
            keys.forget(old.verifier, self.folder)
        return new.verifier

    def take_out(self, event: Event, left: Mapping[int, bytes | None]) -> None:
        """Append an event, and in the same transaction take out what it tells of, so that nothing of it is left.

        Parameters
        ----------
        left : mapping of int to bytes or None
            For numbers of entries, the disclosures that are left, or None if only the hash is.
        """
        self._open()
        with self._alone():
            done = self._drain()
            state = self._state()
            self._write(state, [entries.sealed(event)], done, [self._signer(state)], left)
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
        """Wait until this thread is the one writer."""
        with self._turns.take():
            for _ in _pauses(f"The trail in {self.folder} was being written by others for {_PATIENCE_S} s. Try again."):
                with self._lock() as got:
                    if got:
                        yield
                        return

    def _wait_for(self, mine: Place) -> None:
        """Return once all before a place is in the store, by whoever's doing."""
        for _ in _pauses(f"Another process held up the trail in {self.folder} for {_PATIENCE_S} s: is it stopped?"):
            if _reached(self._done, mine):
                return
            with self._lock() as got:
                if got:
                    self._drain()
                else:
                    self._done = self._state().done
            if got and not _reached(self._done, mine):
                raise NotProven(f"The queue of events in {self.folder} was changed by another program.")

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        """Take the writer's lock if it is free, which is told; the kernel drops it at death.

        Waiting for it asleep would wake all who wait at each release, one by one, only to find their events done.
        """
        lock = os.open(self.folder / "trail.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            got = True
        except BlockingIOError:
            got = False
        try:
            yield got
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
                nothing = State("", Place("", 0), FIRST, Frontier(), "")
                self._write(nothing, [entries.sealed(event)], nothing.done, [signer])
        self._opened = True

    def _state(self) -> State:
        state = self.store.last_state()
        if state is None:
            raise NotProven(f"The trail in {self.folder} has lost its head. Run: lakeward audit verify")
        return state

    def _drain(self, mine: Sequence[tuple[bytes, bytes]] = ()) -> Place:
        """Append all that waits, and then these."""
        state = self._state()
        waiting = self._queue.waiting(state.done)
        if waiting.events or mine:
            self._write(state, [*waiting.events, *mine], waiting.end, [self._signer(state)])
        if waiting.events:
            self._queue.clear(waiting.end)
        self._done = waiting.end
        return waiting.end

    def _signer(self, state: State) -> Signer:
        """Return who signs next, once it is sure that this continues what was signed last."""
        if self._last_signer is None or self._last_vkey != state.vkey:
            self._last_signer = keys.signer_of(Verifier.parse(state.vkey), self.folder)
            self._last_vkey = state.vkey
        if self._signed != state.head:  # by another process: signing again is quicker than checking, and gives the same
            checkpoint = Checkpoint(self._last_signer.verifier.name, state.frontier.size, state.frontier.root())
            text, _, signature = self._last_signer.sign(str(checkpoint)).rpartition("\n\n")
            if not state.head.startswith(f"{text}\n\n") or signature not in state.head:
                raise NotProven(f"The trail in {self.folder} is not as its head was signed. Run: lakeward audit verify")
        return self._last_signer

    def _write(
        self,
        state: State,
        events: Sequence[tuple[bytes, bytes]],
        done: Place,
        signers: Sequence[Signer],
        left: Mapping[int, bytes | None] = MappingProxyType({}),
    ) -> None:
        """Append to the log; the last signer's key is in force then."""
        frontier, last = state.frontier, state.last
        rows, nodes = [], list[tuple[int, int, bytes]]()
        recorded = entries.stamp(self._clock())
        for event, payload in events:
            data = entries.entry(event, last, recorded, frontier.size)
            last = leaf_hash(data)
            rows.append((frontier.size, last, data.decode(), payload.decode()))
            nodes.extend(frontier.add(last))
        checkpoint = str(Checkpoint(signers[0].verifier.name, frontier.size, frontier.root()))
        note = signers[0].sign(checkpoint) + "".join(it.sign(checkpoint).rpartition("\n\n")[2] for it in signers[1:])
        with self.store.changed() as change:
            store.add(change, rows, State(str(signers[-1].verifier), done, last, frontier, note))
            store.add_nodes(change, nodes)
            store.leave(change, left)
        self._signed = note


def _pauses(message: str) -> Iterator[None]:
    """Yield again and again, after longer and longer pauses, and at last raise Busy."""
    deadline, pause = time.monotonic() + _PATIENCE_S, _SHORTEST_PAUSE_S
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE_S)
    raise Busy(message)


def _reached(done: Place, mine: Place) -> bool:
    return done.generation == mine.generation and done.offset >= mine.offset
