"""Proofs for somebody who has nothing but the log's public key.

One event is in the log (c2sp.org/tlog-proof); a later head's log begins with all that an earlier head's had.
"""

import base64
import json
import re
from typing import Any

from lakeward.governance.trail import entries
from lakeward.governance.trail.errors import NoSuchEvent, NotProven
from lakeward.governance.trail.merkle import check_consistency, check_inclusion, consistency, inclusion, leaf_hash, root
from lakeward.governance.trail.notes import Checkpoint, Verifier, head
from lakeward.governance.trail.store import Row, View, Wanted

_FORM = "c2sp.org/tlog-proof@v1"


def find(view: View, event: str) -> Row:
    """Return an entry by its number in the log, or by the event's id.

    Raises
    ------
    NoSuchEvent
        If there is none.
    """
    by_number = event.isdecimal() and len(event) < 19
    wanted = Wanted(start=int(event), stop=int(event) + 1) if by_number else Wanted(id=event)
    found = view.select(wanted, limit=1)
    if not found:
        raise NoSuchEvent(f"There is no event {event}. lakeward audit query lists events with number and id.")
    return found[0]


def prove(view: View, event: str) -> dict[str, Any]:
    """Return an entry with its disclosures, and the proof that it is in the tree of the newest signed head.

    Raises
    ------
    NoSuchEvent
        If there is none, or its bytes are gone since its time of keeping is over.
    """
    row, state = find(view, event), view.state()
    if row.data is None or state is None:
        raise NoSuchEvent(f"Only the hash of event {event} is left: its time of keeping is over.")
    proof = inclusion(row.sequence, state.frontier.size, view.subtree)
    hashes = "".join(f"{base64.b64encode(hash_).decode()}\n" for hash_ in proof)
    return {
        "entry": row.data.decode(),
        "disclosures": [part.decode() for part in entries.parts(row.payload or b"")],
        "proof": f"{_FORM}\nindex {row.sequence}\n{hashes}\n{state.head}",
    }


def check(proof: dict[str, Any], *verifiers: Verifier) -> tuple[dict[str, Any], Checkpoint]:
    """Return the event that a proof shows to be in the log, and the head that it was shown against.

    Raises
    ------
    NotProven
        If it does not show that.
    """
    try:
        data = proof["entry"].encode()
        parts = [part.encode() for part in proof["disclosures"]]
        match = re.fullmatch(rf"{re.escape(_FORM)}\nindex (\d+)\n((?:\S+\n)*)\n(.+)", proof["proof"], re.DOTALL)
        if not match:
            raise ValueError
        path = [base64.b64decode(line, validate=True) for line in match[2].splitlines()]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NotProven("This is not a proof as lakeward audit prove writes it.") from None
    signed = head(match[3], *verifiers)
    check_inclusion(leaf_hash(data), int(match[1]), signed.size, path, signed.root)
    if not data.startswith(entries.stated(map(entries.digest_of, parts))):
        raise NotProven("The disclosures are not those that the event commits to.")
    return entries.read(data, entries.SEPARATOR.join(parts)), signed


def leads_to(view: View, head: str) -> bool:
    """Whether a signed head is one that a trail once had."""
    state = view.state()
    try:
        then, now = Checkpoint.parse(head), Checkpoint.parse(state.head if state else "")
    except NotProven:
        return False
    return then.origin == now.origin and then.size <= now.size and root(then.size, view.subtree) == then.root


def prove_consistency(view: View, older: str, newer: str) -> dict[str, Any]:
    """Return two signed heads of the log, and the proof that the newer one's tree begins with the older one's.

    Raises
    ------
    NotProven
        If one is no head that the log had, or they are the other way round.
    """
    if not (leads_to(view, older) and leads_to(view, newer)):
        raise NotProven("The log never had one of these heads: it is of another log, or one of the two was rewritten.")
    sizes = [Checkpoint.parse(it).size for it in (older, newer)]
    if sizes[0] > sizes[1]:
        raise NotProven(f"The older head counts {sizes[0]} events, the newer one {sizes[1]}.")
    hashes = consistency(sizes[0], sizes[1], view.subtree)
    return {"older": older, "newer": newer, "hashes": [base64.b64encode(it).decode() for it in hashes]}


def check_heads(proof: dict[str, Any], *verifiers: Verifier) -> tuple[Checkpoint, Checkpoint]:
    """Return two heads of one log, of which a proof shows that the second goes on where the first ends.

    Raises
    ------
    NotProven
        If it does not show that.
    """
    try:
        hashes = [base64.b64decode(it, validate=True) for it in proof["hashes"]]
        older, newer = (head(proof[name], *verifiers) for name in ("older", "newer"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NotProven("This is not a proof as lakeward audit prove-consistency writes it.") from None
    if older.origin != newer.origin:
        raise NotProven("The heads are of two logs.")
    check_consistency(older.size, newer.size, hashes, older.root, newer.root)
    return older, newer


def load(text: str) -> dict[str, Any]:
    """Read the file of a proof.

    Raises
    ------
    NotProven
        If it is none.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotProven("The file holds no proof.")
    return found
