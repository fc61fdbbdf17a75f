"""What the audit trail tells about people: it, not the store's file, says who had which roles and key, and when.

Whoever can write the file `people.sqlite` can write any role or key into it. Each change of a person is therefore an
event that tells the whole person as they are from then on, without secrets; who is not as the newest one tells is not
let in, and a signature is by a key that the trail tells of, or by nobody's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lakeward.governance.people.store import Person
from lakeward.governance.trail.errors import NoSuchEvent
from lakeward.governance.trail.query import query
from lakeward.governance.trail.sink import trail_here

_CHANGES = (
    *("added", "reset", "password_changed", "codes_set_up"),
    *("roles_changed", "account_changed", "confirmed", "activated", "deactivated"),
)
TYPES = tuple(f"governance.user.{change}" for change in _CHANGES)
"""Types of the events that tell a person."""
GIVEN = ("governance.user.added", "governance.user.reset", "governance.user.account_changed")
"""Types of those of them with which an administrator gives somebody a way in."""

CONFIRMED = "governance.user.confirmed"
SIGNED = "governance.signature.made"


@dataclass(frozen=True)
class Told:
    """A person as an event tells them.

    Attributes
    ----------
    event : int
        The event's number in the trail.
    by : str
        Who did what it tells of.
    facts : dict
        As `facts` returns them; empty if they were erased from the trail.
    """

    event: int
    type: str
    by: str
    facts: dict[str, Any]


def facts(person: Person) -> dict[str, Any]:
    """Return what an event tells of a person: all that counts, and no secret."""
    return {
        "name": person.name,
        "account": person.account,
        "confirmed": person.confirmed,
        "roles": sorted(role.value for role in person.roles),
        "key": person.vkey,
        "active": person.active,
        "codes": person.sealed_totp is not None,
    }


def told(user: str = "") -> dict[str, list[Told]]:
    """Return, for one person or for all, what the trail tells of them, in its order."""
    found: dict[str, list[Told]] = {}
    for event in events(*TYPES, object_=user):
        state = Told(event["sequence"], event["type"], event["actor"], event["details"])
        found.setdefault(event["object"], []).append(state)
    return found


def now(user: str) -> dict[str, Any]:
    """Return the facts of a person that are in force, none if the trail tells none."""
    states = told(user).get(user)
    return states[-1].facts if states else {}


def differences(person: Person, known: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return in what a stored person is not as is told: the trail's word, the store's."""
    return {name: (known.get(name), value) for name, value in facts(person).items() if known.get(name) != value}


def events(*types: str, object_: str = "") -> list[dict[str, Any]]:
    """Return the events of some types, of one object or of all, in the trail's order; none where there is no trail."""
    try:
        with trail_here().view() as view:
            found = query(view, types=types, object_=object_)
    except NoSuchEvent:
        return []
    return sorted(found, key=lambda event: int(event["sequence"]))
