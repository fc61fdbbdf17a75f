"""How long events are kept, what may be erased before, and what must not be: the tree stands in any case."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time
from hashlib import sha256
from typing import Any, NamedTuple

from lakeward.governance.trail import entries
from lakeward.governance.trail.errors import Kept, NoSuchEvent
from lakeward.governance.trail.proofs import find
from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.store import Row, View, Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event

YEARS = 7
"""Nothing is deleted before: HIPAA asks for 6 years (45 CFR 164.316(b)(2)(i))."""

HELD, RELEASED = "governance.audit.held", "governance.audit.hold_ended"
RETIRED, ERASED = "governance.audit.retired", "governance.audit.erased"
_NEEDED = ("governance.audit.", "governance.key.", "governance.user.", "governance.signature.")
"""How the types of entries begin that verification of the trail, of people and of signatures reads; they stay."""


class Removal(NamedTuple):
    """What is to be taken out: the event that tells of it, and what `Trail.take_out` leaves."""

    event: Event
    left: Mapping[int, bytes | None]


def act(type_: str, object_: str, reason: str, details: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return what people sign who agree to a removal, a record of the kind ``audit``: its id, and all its event tells.

    That names the entries, so what was signed once serves for nothing else, nor for a second time.
    """
    id_ = f"redact-{object_}" if type_ == ERASED else f"retention-{details.get('day')}"
    return id_, {"details": dict(details), "reason": reason}


def floor(today: date) -> date:
    """Return the day before which events need not be kept any more."""
    try:
        return today.replace(year=today.year - YEARS)
    except ValueError:  # the 29th of February
        return today.replace(year=today.year - YEARS, day=28)


def holds(view: View) -> dict[str, str]:
    """Return the legal holds in force: name, and the object that is kept, empty for everything."""
    found: dict[str, str] = {}
    for row in view.select(Wanted(types=[HELD, RELEASED])):
        told = entries.told_by(row)
        if told is None:
            raise Kept("An event about legal holds can't be read, so nothing may go. Run: lakeward audit verify")
        found.pop(told["object"], None)
        if told["type"] == HELD:
            found[told["object"]] = told["details"].get("object", "")
    return found


def in_force() -> dict[str, str]:
    """Return the lakehouse's `holds`, none where nothing was ever recorded; it answers the workspace's port ``holds``.

    Raises
    ------
    Kept
        If an event about holds can't be read.
    """
    try:
        with trail_here().view() as view:
            return holds(view)
    except NoSuchEvent:
        return {}


def hold(trail: Trail, name: str, reason: str, object_: str = "") -> None:
    """Keep everything, or one object, until the hold is ended.

    Of an object its events are kept and, if it is a patient's pseudonym, the patient's data and the history of tables;
    of everything the backups, too.
    """
    trail.append(Event(type=HELD, object=name, reason=reason, details={"object": object_} if object_ else {}))


def end_hold(trail: Trail, name: str, reason: str) -> None:
    """End a hold.

    Raises
    ------
    NoSuchEvent
        If there is none of that name.
    """
    with trail.view() as view:
        in_force = holds(view)
    if name not in in_force:
        raise NoSuchEvent(f"There is no legal hold {name!r}; in force: {', '.join(in_force) or 'none'}.")
    trail.append(Event(type=RELEASED, object=name, reason=reason))


def due(view: View, before: date) -> dict[str, Any]:
    """Return what may go: events recorded before a day, less those under a legal hold and those that verify others.

    Raises
    ------
    Kept
        If their time of keeping is not over.
    """
    latest = floor(datetime.now(UTC).date())
    if before > latest:
        raise Kept(
            f"Events are kept for {YEARS} years: only those before {latest} may go. Ask for that day or an earlier one."
        )
    number = first_since(view, before)
    in_force = holds(view)
    numbers = [] if "" in in_force.values() else _may_go(view, number, set(in_force.values()))
    return {"before": number, "events": len(numbers), "holds": sorted(in_force), "numbers": numbers}


def first_since(view: View, day: date) -> int:
    """Return the number of the first entry, of those not deleted, that was recorded on a day or later."""
    later = view.select(Wanted(since=entries.stamp(datetime.combine(day, time(), UTC))), limit=1)
    state = view.state()
    return later[0].sequence if later else state.frontier.size if state else 0


def retirement(trail: Trail, before: date, reason: str) -> Removal:
    """Return what `retire` does.

    Raises
    ------
    Kept
        If their time is not over, or a legal hold keeps all events.
    """
    with trail.view() as view:
        done = due(view, before)
        if "" in holds(view).values():
            raise Kept(f"All events are under a legal hold: {', '.join(done['holds'])}. Nothing was deleted.")
    numbers = done["numbers"]
    digest = sha256(" ".join(map(str, numbers)).encode()).hexdigest()
    details = {"before": done["before"], "day": before.isoformat(), "events": len(numbers), "sha256": digest}
    return Removal(Event(type=RETIRED, object="trail", reason=reason, details=details), dict.fromkeys(numbers))


def retire(trail: Trail, before: date, reason: str, agreed: Event | None = None) -> int:
    """Delete the bytes of events whose time is over; their hashes stay, so the tree can still be verified.

    Where there are none, nothing is recorded.

    Parameters
    ----------
    agreed : Event, optional
        What people have signed, see `act`.

    Returns
    -------
    int
        How many.

    Raises
    ------
    Kept
        As for `retirement`, or if it would not be what people have signed any more.
    """
    removal = retirement(trail, before, reason)
    if removal.left:
        _remove(trail, removal, agreed)
    return len(removal.left)


def erasable(trail: Trail, event: str, fields: Sequence[str]) -> tuple[Row, list[bytes]]:
    """Return an entry, and those of its disclosures that tell some fields, if these may be erased.

    Parameters
    ----------
    fields : sequence of str
        ``reason``, or names of details.

    Raises
    ------
    Kept
        If the event is under a legal hold, or verification needs it.
    NoSuchEvent
        If there is no such event or field.
    """
    with trail.view() as view:
        row, in_force = find(view, event), holds(view)
    told = entries.told_by(row)
    if told is None:
        raise NoSuchEvent(f"Only the hash of event {event} is left, or it can't be read: nothing can be erased.")
    if told["type"].startswith(_NEEDED):
        raise Kept(f"Event {event} tells of the trail itself, of people or of a signature: it stays whole.")
    if names := [name for name, object_ in in_force.items() if object_ in ("", told["object"])]:
        raise Kept(f"Event {event} is under a legal hold: {', '.join(names)}. Nothing was erased.")
    parts = entries.parts(row.payload or b"")
    wanted = {"reason" if field == "reason" else f"details.{field}" for field in fields}
    gone = [part for part in parts if (shown := entries.told(part)) and shown[0] in wanted]
    if len(gone) != len(wanted):
        has = [shown[0].removeprefix("details.") for part in parts if (shown := entries.told(part))]
        raise NoSuchEvent(f"Event {event} lacks one of the fields; it has {', '.join(has) or 'none'}.")
    return row, gone


def erasure(trail: Trail, event: str, fields: Sequence[str], reason: str) -> Removal:
    """Return what `erase` does.

    Raises
    ------
    Kept, NoSuchEvent
        As for `erasable`.
    """
    row, gone = erasable(trail, event, fields)
    digests = [entries.digest(part).decode() for part in gone]
    parts = entries.parts(row.payload or b"")
    left = [entries.ERASED + entries.digest(part) if part in gone else part for part in parts]
    event_ = Event(type=ERASED, object=str(row.sequence), reason=reason, details={"digests": digests})
    return Removal(event_, {row.sequence: entries.SEPARATOR.join(left)})


def erase(trail: Trail, event: str, fields: Sequence[str], reason: str, agreed: Event | None = None) -> int:
    """Erase the reason or details of an event; what it committed to them by stays (GDPR, article 17).

    Parameters
    ----------
    agreed : Event, optional
        What people have signed, see `act`.

    Returns
    -------
    int
        The event's number.

    Raises
    ------
    Kept, NoSuchEvent
        As for `erasable`; or if it would not be what people have signed any more.
    """
    removal = erasure(trail, event, fields, reason)
    _remove(trail, removal, agreed)
    return int(removal.event.object)


def _remove(trail: Trail, removal: Removal, agreed: Event | None) -> None:
    if agreed and agreed.details != removal.event.details:
        raise Kept("What would go is not what was signed any more: the trail has changed meanwhile. Nothing has gone.")
    trail.take_out(*removal)


def _may_go(view: View, stop: int, objects: Collection[str]) -> list[int]:
    """Return the numbers of entries before one that verification does not need, and that are not on these objects."""
    found = list[int]()
    for block in view.rows():
        for row in (Row(*it) for it in block if it[0] < stop):
            told = entries.told_by(row)
            if told and not told["type"].startswith(_NEEDED):
                found += [row.sequence] if told["object"] not in objects else []
        if block[-1][0] >= stop:
            break
    return found
