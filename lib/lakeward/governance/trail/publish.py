"""Publishing the trail to Delta, where it can be asked about with SQL; what can be erased stays in the trail alone.

Reasons and details are not published: a table keeps what it had in its files and its history, so an erasure would have
to rewrite both. Events whose time of keeping is over do leave the table, its files and its history.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from lakeward.governance.tables import AUDIT
from lakeward.governance.trail import published
from lakeward.governance.trail.errors import NotProven
from lakeward.governance.trail.keeping import RETIRED
from lakeward.governance.trail.merkle import leaf_hash
from lakeward.governance.trail.notes import Verifier
from lakeward.governance.trail.store import Row, Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import allowed
from lakeward.workspace.locks import exclusive
from lakeward.workspace.rows import add
from lakeward.workspace.settings import settings

_AT_ONCE = 50_000
_SAME = ("kind", "type", "object", "outcome", "actor", "host", "process", "id")


def publish(trail: Trail) -> int:
    """Add to ``governance.audit`` what was recorded since the last time, each event once.

    The rows themselves tell what was published, and come in whole commits, so one that was cut off left nothing behind.

    Returns
    -------
    int
        How many events were added.

    Raises
    ------
    NotProven
        If an event is not what was hashed: then neither it nor a later one is published.
    """
    with exclusive(settings().home / ".locks" / "governance.audit.publish.lock"):
        log = _name(trail)
        start = there = published.next_number(log)
        added = 0
        while rows := _rows(trail, start):
            records = list(_records(log, rows))
            if there and any(record["type"] == RETIRED for record in records):
                _retire(trail, log, start)
            if records:
                add(AUDIT, records)
            added, start = added + len(records), rows[-1].sequence + 1
    return added


def _name(trail: Trail) -> str:
    with trail.view() as view:
        state = view.state()
    if state is None:
        raise NotProven(f"The trail in {trail.store} has lost its head. Run: lakeward audit verify")
    return Verifier.parse(state.vkey).name


def _rows(trail: Trail, start: int) -> list[Row]:
    with trail.view() as view:
        return view.select(Wanted(start=start), limit=_AT_ONCE)


def _retire(trail: Trail, log: str, stop: int) -> None:
    """Take out of the table what the trail has the hashes of only; up to `stop`, all was published."""
    with trail.view() as view:
        before = min(allowed(view).retired, stop)
        kept = view.select(Wanted(stop=before))
    published.leave(log, before, list(_records(log, kept)))


def _records(log: str, rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Yield what the table has of events, less those whose time of keeping is over."""
    for row in rows:
        if row.data is None:
            continue
        if leaf_hash(row.data) != row.leaf:
            raise NotProven(f"Event {row.sequence} is not what was hashed. Run: lakeward audit verify")
        whole = json.loads(row.data)
        event = whole["event"]
        yield {
            "log": log,
            "sequence": row.sequence,
            **{name: event[name] for name in _SAME},
            "recorded": datetime.fromisoformat(whole["recorded"]),
            "at": datetime.fromisoformat(event["at"]),
            "disclosures": len(event["_sd"]),
            "leaf": row.leaf.hex(),
        }
