"""What a trail needs of the place that it is kept in, whichever it is: SQLite, PostgreSQL or Azure Cosmos DB."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import NamedTuple, Protocol

from lakeward.governance.trail.merkle import Frontier, top

LEVELS = (8, 16)
"""Levels of the tree whose nodes are stored; those between are computed from at most 256 hashes."""

BLOCK = 1 << LEVELS[0]
HASH_BYTES = 32


class State(NamedTuple):
    """Where the log stands: the key in force, the hash of the last entry, the tree, and its signed head."""

    vkey: str
    last: bytes
    frontier: Frontier
    head: str


class Row(NamedTuple):
    """An entry as it is stored; `data` and `payload` are None once its time of keeping is over."""

    sequence: int
    leaf: bytes
    data: bytes | None
    payload: bytes | None


class Wanted(NamedTuple):
    """Which entries are asked for: those for which all of this holds; what is empty or None asks for nothing."""

    kinds: Sequence[str] = ()
    types: Sequence[str] = ()
    """Types of the event port; an entry is wanted whose kind *or* type is named."""

    actor: str = ""
    object: str = ""
    id: str = ""
    since: str = ""
    until: str = ""
    """Times of recording as `entries.stamp` writes them, from `since` to before `until`."""

    start: int | None = None
    stop: int | None = None
    """Numbers in the log, from `start` to before `stop`."""


ALL = Wanted()


class View(Protocol):
    """The trail at one moment: what is appended meanwhile is not seen."""

    def state(self) -> State | None:
        """Return where the log stands, None if it was never opened."""

    def rows(self) -> Iterator[list[tuple[int, bytes, bytes | None, bytes | None]]]:
        """Yield all entries in order, in lists of `BLOCK`; each has what a `Row` has."""

    def select(self, wanted: Wanted = ALL, by_time: bool = False, limit: int = -1) -> list[Row]:
        """Return the entries that are wanted, by their number in the log or by time."""

    def times(self, since: str, until: str) -> Iterator[tuple[int, str]]:
        """Yield number and time of the entries that were recorded in a span of time, in their order."""

    def subtree(self, level: int, position: int) -> bytes:
        """Hash of a complete subtree, as `merkle` asks for it."""
        below = max((it for it in LEVELS if it <= level), default=0)
        span = level - below
        start, stop = position << span, (position + 1) << span
        return top(list(self.row_of_nodes(below, start, stop) if below else self.leaves(start, stop)))

    def row_of_nodes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the hashes of the stored inner nodes of a level from one position to before another."""

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the hashes of entries."""

    def nodes(self) -> dict[tuple[int, int], bytes]:
        """Return the stored inner nodes, by level and position."""


class Batch(NamedTuple):
    """What is written in one act, or not at all."""

    rows: Sequence[tuple[int, bytes, bytes, bytes]]
    """New entries; each has what a `Row` has."""

    nodes: Sequence[tuple[int, int, bytes]]
    """The inner nodes of `LEVELS` that they complete: level, position, hash."""

    state: State
    """Where the log then stands."""

    left: Mapping[int, bytes | None] = MappingProxyType({})
    """What is taken out: for numbers of older entries, the disclosures that stay, or None if only the hash does."""


Sealed = tuple[bytes, bytes]
"""An event's canonical bytes, and its disclosures."""

Make = Callable[[State | None, Sequence[Sealed]], Batch | None]
"""Makes events the next part of a log, given where it stands; it may be called again if another was quicker."""


class Store(Protocol):
    """Where a trail is kept. One change is made at a time, whoever makes it; readers wait for nobody."""

    def exists(self) -> bool:
        """Whether a log was begun here."""

    def create(self) -> None:
        """Make what a log needs, if it is not there."""

    def view(self) -> AbstractContextManager[View]:
        """Look at the trail as it is now."""

    def faults(self) -> list[str]:
        """Return what is wrong with what the store adds of its own: indices that don't say what the entries say."""

    def append(self, events: Sequence[Sealed], make: Make) -> None:
        """Append events, perhaps together with those of others, and return when they outlive a power cut."""

    def alone(self, make: Make) -> None:
        """Make a change that nobody else can make: `make` runs in this thread; it is given no more than what waits."""
