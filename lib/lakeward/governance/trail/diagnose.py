"""What happened at the first entry that does not fit into the chain, as its neighbors tell."""

import re
from typing import NamedTuple

from lakeward.governance.trail.findings import Fault, Finding
from lakeward.governance.trail.merkle import Frontier, leaf_hash
from lakeward.governance.trail.store import Row, View, Wanted

_TAIL = re.compile(rb',"previous":"([0-9a-f]{64})","recorded":"[^"]*","sequence":(\d+)\}\Z')


class _Seen(NamedTuple):
    """An entry as its own bytes tell it."""

    number: int
    previous: bytes
    hash: bytes


def diagnosed(view: View, number: int, previous: bytes) -> Finding:
    """Say what happened where an entry with this number, after one with that hash, was expected."""
    if view.select(Wanted(stop=0), limit=1):
        return Finding(Fault.INSERTION, 0, "an entry stands before the first")
    rows = view.select(Wanted(start=number), limit=2)
    seen, after = (_seen(row) for row in [*rows, None, None][:2])
    if seen is None:
        return Finding(Fault.EDIT, number, "its bytes are not those of an entry")
    if seen.number > number:
        end = b',"sequence":%d}' % number
        if any(data and data.endswith(end) for block in view.rows() for _, _, data, _ in block):
            return Finding(Fault.REORDER, number, f"event {seen.number} stands in its place")
        return Finding(Fault.DELETION, number, f"the next event is {seen.number}")
    if seen.number < number:
        return _twice(number, seen, after)
    if seen.previous == previous:
        if after is not None and after.number == number:
            return Finding(Fault.INSERTION, number, f"there are two events {number}")
        return Finding(Fault.EDIT, number, "its bytes or its number are not those that were stored with its hash")
    return _unlinked(view, number, seen, after)


def leads_to_head(view: View, stop: int, *last: bytes) -> bool:
    """Whether the first `stop` entries, followed by these hashes, are the tree that the log stands at."""
    frontier = Frontier()
    for leaf in (*view.leaves(0, stop), *last):
        list(frontier.add(leaf))
    state = view.state()
    return state is not None and state.frontier.root() == frontier.root()


def _twice(number: int, seen: _Seen, after: _Seen | None) -> Finding:
    """A number came again: the one that the events after it continue is genuine."""
    genuine = after is not None and after.previous == seen.hash
    place = number - 1 if genuine and seen.number == number - 1 else number
    return Finding(Fault.INSERTION, place, f"there are two events {seen.number}")


def _unlinked(view: View, number: int, seen: _Seen, after: _Seen | None) -> Finding:
    """Say which of two neighbors was edited, hash and all: the one that what follows does not attest to."""
    attested = (
        after.previous == seen.hash if after else leads_to_head(view, max(number - 1, 0), seen.previous, seen.hash)
    )
    if number and attested:
        return Finding(Fault.EDIT, number - 1, f"event {number} names another hash for it")
    return Finding(Fault.EDIT, number, "it names another event before it")


def _seen(row: Row | None) -> _Seen | None:
    if row is None or row.data is None or not (match := _TAIL.search(row.data)):
        return None
    return _Seen(int(match[2]), bytes.fromhex(match[1].decode()), leaf_hash(row.data))
