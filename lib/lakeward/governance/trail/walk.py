"""A walk over all entries: each one's hash, the chain, the tree, the disclosures, the clock."""

from binascii import b2a_base64, hexlify
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from lakeward.governance.trail import entries
from lakeward.governance.trail.diagnose import diagnosed
from lakeward.governance.trail.findings import Fault, Finding
from lakeward.governance.trail.merkle import Frontier, top
from lakeward.governance.trail.store import LEVELS, View

FIRST = bytes(32)
"""What the first entry has in the place of the hash before it."""

CLOCK_TOLERANCE = timedelta(seconds=1)
"""A clock that is kept right by the network may step back so far."""

MOST = 100
"""Findings that are listed, at most."""


class Allowed(NamedTuple):
    """What the trail itself says was taken out of it."""

    retired: int
    """Entries before this number may have no bytes any more."""

    events: int
    """Of how many the bytes were deleted."""

    erased: frozenset[tuple[int, bytes]]
    """Numbers and digests of disclosures that were erased."""


class Walked(NamedTuple):
    """What a walk over all entries found."""

    frontier: Frontier
    findings: list[Finding]
    broken: bool
    """Whether it ended before the last entry, since the chain did."""

    suspect: int | None
    """First entry under the first stored node of the tree that is not what the entries make."""


_URL = bytes.maketrans(b"+/", b"-_")
_RECORDED = 27


def walk(view: View, allowed: Allowed) -> Walked:
    """Check all entries, up to the first that breaks the chain."""
    frontier, nodes, findings, suspect = Frontier(), view.nodes(), list[Finding](), None
    previous, last, gone = FIRST, b"", 0
    for block in view.rows():
        leaves = []
        number = frontier.size
        for sequence, leaf, data, payload in block:
            if data is None:
                gone += 1
                if sequence != number or number >= allowed.retired or gone > allowed.events:
                    return Walked(frontier, [*findings, _missing(number)], True, suspect)
            else:
                end = b'","sequence":%d}' % number
                recorded = data[-_RECORDED - len(end) : -len(end)]
                if (
                    sequence != number
                    or sha256(b"\x00" + data).digest() != leaf
                    or not data.endswith(b',"previous":"%b","recorded":"%b%b' % (hexlify(previous), recorded, end))
                ):
                    return Walked(frontier, [*findings, diagnosed(view, number, previous)], True, suspect)
                if recorded < last:
                    findings += _stepped_back(number, last, recorded)
                last = recorded
                if not data.startswith(_stated(payload)):
                    findings += _undisclosed(number, data, payload or b"", allowed)
            previous = leaf
            leaves.append(leaf)
            number += 1
        differs = _grown(frontier, leaves, nodes)
        suspect = differs if suspect is None else suspect
        if len(findings) > MOST:
            return Walked(frontier, findings, True, suspect)
    return Walked(frontier, findings, False, suspect)


def _grown(frontier: Frontier, leaves: Sequence[bytes], nodes: dict[tuple[int, int], bytes]) -> int | None:
    """Add a block's leaves to the tree; return the first entry under a stored node that is not what it completes."""
    start = frontier.size
    if len(leaves) == 1 << LEVELS[0]:
        summit = top(leaves)
        made = [(LEVELS[0], start >> LEVELS[0], summit), *frontier.add(summit, LEVELS[0])]
    else:
        made = [node for leaf in leaves for node in frontier.add(leaf)]
    wrong = (place << level for level, place, hash_ in made if level in LEVELS and nodes.get((level, place)) != hash_)
    return next(wrong, None)


def _stated(payload: bytes | None) -> bytes:
    """Return how an entry begins whose disclosures are all there."""
    if not payload:
        return b'{"event":{"_sd":[],'
    digests = [b2a_base64(sha256(it).digest(), newline=False) for it in payload.split(entries.SEPARATOR)]
    return b'{"event":{"_sd":["%b"],' % b'","'.join(digests).translate(_URL, b"=")


def _undisclosed(number: int, data: bytes, payload: bytes, allowed: Allowed) -> list[Finding]:
    """Return a finding, unless what is missing was erased by a recorded request."""
    parts = entries.parts(payload)
    digests = [entries.digest_of(part) for part in parts]
    if not data.startswith(entries.stated(digests)):
        return [Finding(Fault.EDIT, number, "its reason or details are not those that were hashed")]
    gone = [digest for part, digest in zip(parts, digests, strict=True) if part.startswith(entries.ERASED)]
    if any((number, digest) not in allowed.erased for digest in gone):
        return [Finding(Fault.DELETION, number, "a reason or detail is gone, and no event tells that it was erased")]
    return []


def _stepped_back(number: int, last: bytes, recorded: bytes) -> list[Finding]:
    before, now = (datetime.fromisoformat(it.decode()) for it in (last, recorded))
    if before - now <= CLOCK_TOLERANCE:
        return []
    detail = f"recorded at {now.isoformat()}, after an event of {before.isoformat()}"
    return [Finding(Fault.CLOCK, number, detail)]


def _missing(number: int) -> Finding:
    return Finding(Fault.DELETION, number, "its bytes are gone, and no event tells that its time of keeping was over")
