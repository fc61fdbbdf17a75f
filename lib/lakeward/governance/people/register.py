"""What the audit trail tells about people: it, not the store's file, says who had which roles and key, and when."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from lakeward.governance.people import changes
from lakeward.governance.people.changes import Told
from lakeward.governance.people.store import PeopleStore, Person
from lakeward.governance.trail.errors import NoSuchEvent
from lakeward.governance.trail.notes import Verifier
from lakeward.governance.trail.query import query
from lakeward.governance.trail.sink import trail_here

SIGNED = "governance.signature.made"


class Register(NamedTuple):
    """People as the trail tells, and the events about them that don't hold."""

    told: dict[str, list[Told]]
    forged: list[dict[str, Any]]


def register() -> Register:
    """Read what the trail tells of people; what nobody signed who might do it counts for nothing."""
    found = Register({}, [])
    for event in events(*changes.TYPES):
        if state := changes.read(event, found.told):
            found.told.setdefault(event["object"], []).append(state)
        else:
            found.forged.append(event)
    return found


def told() -> dict[str, list[Told]]:
    """Return what the trail tells of each person, in its order."""
    return register().told


def now(user: str) -> dict[str, Any]:
    """Return the facts of a person that are in force, none if the trail tells none."""
    states = told().get(user)
    return states[-1].facts if states else {}


def differences(person: Person, known: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return in what a stored person is not as is told: the trail's word, the store's."""
    stored = changes.facts(person).items()
    return {name: (known.get(name), value) for name, value in stored if known.get(name) != value}


def settled(store: PeopleStore, user: str) -> Person | None:
    """Return a person, None if there is none; a change that was cut short is ended as the trail tells."""
    person = store.person(user)
    if person is None or not differences(person, known := now(user)):
        return person
    store.settle(user, lambda coming: not differences(coming, known))
    return store.person(user)


def environment() -> str:
    """Return which deployment the trail was begun as; its signed heads name it, so no setting of a shell changes it."""
    try:
        with trail_here().view() as view:
            state = view.state()
    except NoSuchEvent:
        return ""
    return Verifier.parse(state.vkey).name.split("/")[1] if state else ""


def events(*types: str, object_: str = "") -> list[dict[str, Any]]:
    """Return the events of some types, of one object or of all, in the trail's order; none where there is no trail."""
    try:
        with trail_here().view() as view:
            found = query(view, types=types, object_=object_)
    except NoSuchEvent:
        return []
    return sorted(found, key=lambda event: int(event["sequence"]))
