"""The trail of a lakehouse: events go in, proofs and signed heads come out."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from lakeward.governance.trail import entries, keys
from lakeward.governance.trail.errors import NoSuchEvent, NotProven
from lakeward.governance.trail.merkle import Frontier, leaf_hash
from lakeward.governance.trail.notes import Checkpoint, Signer, Verifier
from lakeward.governance.trail.store import LEVELS, Batch, Sealed, State, Store, View
from lakeward.governance.trail.store_setting import store_for
from lakeward.governance.trail.walk import FIRST
from lakeward.workspace.events import Event
from lakeward.workspace.settings import settings

OPENED = "governance.key.opened"
ROTATED = "governance.key.rotated"
"""Types of the events whose object is the public key that is in force from then on."""

_NOTHING: Mapping[int, bytes | None] = MappingProxyType({})


def now() -> datetime:
    """Return the time, with its zone."""
    return datetime.now(UTC)


class Trail:
    """A trail, which is opened with its first event.

    Parameters
    ----------
    folder : Path, optional
        Where its private keys lie and, unless the setting ``audit_store`` names another store, the trail itself; the
        lakehouse's ``events`` if not given.
    clock : callable
        Tells the time.
    """

    def __init__(self, folder: Path | None = None, clock: Callable[[], datetime] = now) -> None:
        self.folder = folder or settings().home / "events"
        self.store: Store = store_for(self.folder)
        self._clock = clock
        self._opened = False
        self._last_signer: Signer | None = None
        self._last_vkey = ""
        self._signed = ""

    # --- writing -----------------------------------------------------------------------------------------------------

    def append(self, *events: Event) -> None:
        """Append events, and return when they outlive a power cut.

        Raises
        ------
        NotProven
            If no head can be signed, or what waits was tampered with: then it is not known to be recorded.
        StoreFailed, OSError
            If the store does not take it.
        """
        ready = [entries.sealed(event) for event in events]
        self._open()
        try:
            self.store.append(ready, self._continued)
        except NoSuchEvent:  # it was there, and was removed
            self._opened = False
            self._open()
            self.store.append(ready, self._continued)

    def rotate_key(self) -> Verifier:
        """Put the next key in force, by an event whose head both keys sign."""
        self._open()
        with self.view() as view:
            old = Verifier.parse(self._sure(view.state()).vkey)
        new = keys.next_signer(old.name, self.folder)
        event = entries.sealed(Event(type=ROTATED, object=str(new.verifier)))

        def rotated(state: State | None, waiting: Sequence[Sealed]) -> Batch:
            nonlocal old
            sure = self._sure(state)
            signer = self._signer(sure)
            old = signer.verifier
            return self._batch(sure, [*waiting, event], [signer, new])

        self.store.alone(rotated)
        keys.forget(old, self.folder)
        return new.verifier

    def take_out(self, event: Event, left: Mapping[int, bytes | None]) -> None:
        """Append an event, and with it take out what it tells of, so that nothing of it is left.

        Parameters
        ----------
        left : mapping of int to bytes or None
            For numbers of entries, the disclosures that are left, or None if only the hash is.
        """
        self._open()
        told = entries.sealed(event)

        def taken(state: State | None, waiting: Sequence[Sealed]) -> Batch:
            sure = self._sure(state)
            return self._batch(sure, [*waiting, told], [self._signer(sure)], left)

        self.store.alone(taken)

    # --- reading -----------------------------------------------------------------------------------------------------

    @contextmanager
    def view(self) -> Iterator[View]:
        """Look at the trail as it is now.

        Raises
        ------
        NoSuchEvent
            If nothing was ever recorded.
        """
        if not self.store.exists():
            raise NoSuchEvent(f"There is no trail in {self.store} yet: nothing was recorded.")
        with self.store.view() as view:
            yield view

    # --- the next part of the log ------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Make sure, once, that there is a log."""
        if self._opened:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.store.create()
        self.store.alone(self._begun)
        self._opened = True

    def _begun(self, state: State | None, waiting: Sequence[Sealed]) -> Batch | None:
        if state is not None:
            return self._continued(state, waiting)
        origin = f"lakeward/{settings().environment}/{os.urandom(8).hex()}"
        signer = keys.first_signer(origin, self.folder)
        event = Event(type=OPENED, object=str(signer.verifier))
        return self._batch(State("", FIRST, Frontier(), ""), [entries.sealed(event), *waiting], [signer])

    def _continued(self, state: State | None, events: Sequence[Sealed]) -> Batch | None:
        sure = self._sure(state)
        return self._batch(sure, events, [self._signer(sure)]) if events else None

    def _sure(self, state: State | None) -> State:
        if state is None:
            raise NotProven(f"The trail in {self.store} has lost its head. Run: lakeward audit verify")
        return state

    def _signer(self, state: State) -> Signer:
        """Return who signs next, once it is sure that this continues what was signed last."""
        if self._last_signer is None or self._last_vkey != state.vkey:
            self._last_signer = keys.signer_of(Verifier.parse(state.vkey), self.folder)
            self._last_vkey = state.vkey
        if self._signed != state.head:  # by another process: signing again is quicker than checking, and gives the same
            checkpoint = Checkpoint(self._last_signer.verifier.name, state.frontier.size, state.frontier.root())
            text, _, signature = self._last_signer.sign(str(checkpoint)).rpartition("\n\n")
            if not state.head.startswith(f"{text}\n\n") or signature not in state.head:
                raise NotProven(f"The trail in {self.store} is not as its head was signed. Run: lakeward audit verify")
        return self._last_signer

    def _batch(
        self,
        state: State,
        events: Sequence[Sealed],
        signers: Sequence[Signer],
        left: Mapping[int, bytes | None] = _NOTHING,
    ) -> Batch:
        """Return what continues the log with events; the last signer's key is in force then."""
        frontier, last = Frontier(state.frontier.size, state.frontier.hashes), state.last
        rows, nodes = [], list[tuple[int, int, bytes]]()
        recorded = entries.stamp(self._clock())
        for event, payload in events:
            data = entries.entry(event, last, recorded, frontier.size)
            last = leaf_hash(data)
            rows.append((frontier.size, last, data, payload))
            nodes.extend(node for node in frontier.add(last) if node[0] in LEVELS)
        checkpoint = str(Checkpoint(signers[0].verifier.name, frontier.size, frontier.root()))
        note = signers[0].sign(checkpoint) + "".join(it.sign(checkpoint).rpartition("\n\n")[2] for it in signers[1:])
        self._signed = note
        return Batch(rows, nodes, State(str(signers[-1].verifier), last, frontier, note), left)
