"""Verification of a whole trail: its entries, then its tree against the signed head and the anchored ones."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from typing import Any, NamedTuple

from lakeward.governance.trail import entries
from lakeward.governance.trail.diagnose import leads_to_head
from lakeward.governance.trail.errors import NotProven, StoreDamaged
from lakeward.governance.trail.findings import Fault, Finding
from lakeward.governance.trail.keeping import ERASED, RETIRED, first_since, floor
from lakeward.governance.trail.merkle import Frontier, root
from lakeward.governance.trail.notes import Checkpoint, Verifier, head
from lakeward.governance.trail.store import State, Store, View, Wanted
from lakeward.governance.trail.walk import Allowed, Walked, walk


class Verification(NamedTuple):
    """What a verification found; `findings` begin with the first bad event."""

    events: int
    head: str
    anchors: int
    findings: list[Finding]


def verify(store: Store, anchored: Iterable[str] = (), trusted: Verifier | None = None) -> Verification:
    """Verify all events, the tree and its heads.

    Parameters
    ----------
    anchored : iterable of str
        Signed heads that were kept elsewhere.
    trusted : Verifier, optional
        The public key that the log began with, as it is known from elsewhere.
    """
    notes = list(anchored)
    try:
        with ThreadPoolExecutor(1) as beside, store.view() as view:
            return _verified(view, notes, trusted, beside.submit(store.faults))
    except (StoreDamaged, NotProven, ValueError, TypeError) as error:
        damaged = isinstance(error, StoreDamaged)
        detail = str(error) if damaged else f"the store is damaged: {type(error).__name__}: {error}"
        return Verification(0, "", len(notes), [Finding(Fault.EDIT, 0, detail)])


def _verified(view: View, notes: list[str], trusted: Verifier | None, index: Future[list[str]]) -> Verification:
    state = view.state()
    if state is None:
        detail = "where the log stands, and its head, are gone"
        return Verification(0, "", len(notes), [Finding(Fault.DELETION, 0, detail)])
    walked = walk(view, allowed(view))
    findings = walked.findings
    if not walked.broken:
        findings = sorted([*_heads(view, state, walked, notes, trusted), *findings], key=lambda it: it.sequence)
        findings = findings or [Finding(Fault.EDIT, 0, f"the store's index: {it}") for it in index.result()]
    return Verification(walked.frontier.size, state.head, len(notes), findings)


def keys_of(view: View) -> list[Verifier]:
    """Return the public keys that were in force, in their order, as the trail itself tells."""
    found = view.select(Wanted(types=["governance.key.opened", "governance.key.rotated"]))
    return [Verifier.parse(told["object"]) for row in found if (told := entries.told_by(row))]


def allowed(view: View) -> Allowed:
    """Return what the trail says was taken out of it; a deletion before its time allows nothing."""
    retired, deleted, erased = 0, dict[tuple[int, str], int](), set[tuple[int, bytes]]()
    for row in view.select(Wanted(types=[RETIRED, ERASED])):
        told = entries.told_by(row)
        if told and told["type"] == ERASED:
            erased.update((int(told["object"]), it.encode()) for it in told["details"].get("digests", ()))
        elif told and _in_time(view, told):
            details = told["details"]
            retired = max(retired, details["before"])
            deleted[details["before"], str(details.get("sha256"))] = details["events"]
    return Allowed(retired, sum(deleted.values()), frozenset(erased))


def _in_time(view: View, told: dict[str, Any]) -> bool:
    """Whether the time of keeping was over for all that an event says was deleted, as far as what is left tells."""
    try:
        day, before = date.fromisoformat(told["details"]["day"]), int(told["details"]["before"])
    except (KeyError, ValueError, TypeError):
        return False
    return day <= floor(datetime.fromisoformat(told["recorded"]).date()) and before <= first_since(view, day)


def _heads(view: View, state: State, walked: Walked, notes: list[str], trusted: Verifier | None) -> list[Finding]:
    """Compare the tree that was walked with the signed head, and with heads that were anchored elsewhere."""
    verifiers, size = keys_of(view), walked.frontier.size
    if not size:
        return [Finding(Fault.TRUNCATION, 0, "no event is left")]
    if not verifiers:
        return [Finding(Fault.SIGNATURE, 0, "the trail does not tell its own public key")]
    if trusted and trusted != verifiers[0]:
        return [Finding(Fault.FORK, 0, f"this log began with the key {verifiers[0]}, not with {trusted}")]
    try:
        signed = head(state.head, verifiers[-1])
    except NotProven as error:
        return [Finding(Fault.SIGNATURE, max(size - 1, 0), f"the newest head: {error}")]
    fault = _against_head(view, signed, state, walked)
    return [fault] if fault else _against_anchors(view, size, notes, verifiers)


def _against_head(view: View, signed: Checkpoint, state: State, walked: Walked) -> Finding | None:
    size = walked.frontier.size
    if size < signed.size:
        return Finding(Fault.TRUNCATION, size, f"the signed head counts {signed.size} events")
    if size > signed.size:
        return Finding(Fault.INSERTION, signed.size, f"the signed head counts {signed.size} events only")
    if walked.frontier.root() == signed.root:
        if walked.suspect is not None:
            return Finding(Fault.EDIT, walked.suspect, "a stored node of the tree above it is not what the events make")
        stands = (state.frontier.root(), state.last) == (signed.root, *view.leaves(size - 1, size))
        return None if stands else Finding(Fault.EDIT, size - 1, "where the log stands is not behind this event")
    place = 0
    if state.frontier.root() == signed.root:
        if leads_to_head(view, size - 1, state.last):
            return Finding(Fault.EDIT, size - 1, "its hash is not in the signed tree")
        place = _first_difference(state.frontier, walked.frontier)
    return Finding(Fault.FORK, place, "from here on or later, the events are others than those in the signed tree")


def _first_difference(stored: Frontier, walked: Frontier) -> int:
    """Return where the first complete subtree that differs begins."""
    start = 0
    bits = [bit for bit in reversed(range(walked.size.bit_length())) if walked.size >> bit & 1]
    for bit, one, other in zip(bits, [*stored.hashes, *[b""] * len(bits)], walked.hashes, strict=False):
        if one != other:
            break
        start += 1 << bit
    return min(start, walked.size - 1)


def _against_anchors(view: View, size: int, notes: list[str], keys: Sequence[Verifier]) -> list[Finding]:
    try:
        heads = sorted((head(note, *keys) for note in notes), key=lambda it: it.size)
    except NotProven as error:
        return [Finding(Fault.FORK, 0, f"an anchored head is not of this log: {error}")]
    agreed = 0
    for anchored in heads:
        if anchored.size > size:
            return [Finding(Fault.TRUNCATION, size, f"an anchored head counts {anchored.size} events")]
        if root(anchored.size, view.subtree) != anchored.root:
            detail = f"between here and {anchored.size}, the events are others than those in the anchored tree"
            return [Finding(Fault.FORK, agreed, detail)]
        agreed = anchored.size
    return []
