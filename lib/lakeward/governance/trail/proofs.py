"""Proof that one event is in the log, for somebody who has nothing but the log's public key (c2sp.org/tlog-proof)."""

import base64
import json
import re
from typing import Any

from lakeward.governance.trail import entries
from lakeward.governance.trail.errors import NoSuchEvent, NotProven
from lakeward.governance.trail.merkle import check_inclusion, inclusion, leaf_hash
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
