"""A change of a person as an event tells it: the whole person as they are from then on, signed by who changed them.

Whoever can write to the audit trail can write any event, and whoever can write the store's file any role or key. So a
change counts only if its signature is by the key of somebody who might make it then, as the changes before it tell, and
if it follows the person's last one: from the first administrator on, nobody gets a role or a key but by the password of
somebody who may give it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import rfc8785

from lakeward.governance.people.roles import MATRIX, Action, Role
from lakeward.governance.people.store import Person
from lakeward.governance.trail.errors import NotProven
from lakeward.governance.trail.notes import Signer, Verifier, opened

_AREA = "governance.user."
_HEAD = "Lakeward change of a person, version 1"
_FIRST = 2
"""So many people are confirmed by others who can't have been."""

_CHANGED: dict[str, set[str]] = {
    "added": {"name", "account", "confirmed", "roles", "key", "active", "codes"},
    "reset": {"confirmed", "key", "codes"},
    "password_changed": {"key"},
    "codes_set_up": {"codes"},
    "roles_changed": {"roles"},
    "account_changed": {"account", "confirmed"},
    "confirmed": {"confirmed"},
    "activated": {"active"},
    "deactivated": {"active"},
}
"""Changes, and the facts that each may touch."""

_OWN = {"password_changed", "codes_set_up"}
"""Those that people make themselves; others take somebody with a role."""

_GIVEN = {"added", "reset", "account_changed"}
"""Those with which somebody gives another a way in; whose it is must be confirmed afresh."""

_KEYED = {"added", "reset", "password_changed"}
"""Those that may bring a key: it is the person's own only if they have made it themselves."""

TYPES = tuple(f"{_AREA}{change}" for change in _CHANGED)
"""Types of the events that tell a person."""


@dataclass(frozen=True)
class Told:
    """A person as an event tells them.

    Attributes
    ----------
    number, id : int, str
        The event's.
    by : str
        Who has signed it.
    facts : dict
        As `facts` returns them.
    """

    number: int
    id: str
    change: str
    by: str
    facts: dict[str, Any]


History = Mapping[str, tuple[Told, ...]]
"""What is told of each person, in its order."""


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


def event_of(change: str, person: Person, signer: Signer, history: History) -> dict[str, Any]:
    """Return the event that tells of a change, signed."""
    known, by = facts(person), signer.verifier.name
    note = signer.sign(_text(change, person.user, known, by, history))
    return {"type": f"{_AREA}{change}", "object": person.user, "actor": by, "details": {**known, "signed": note}}


def read(event: Mapping[str, Any], history: History) -> Told | None:
    """Return what an event tells, None if it does not hold: nobody who might do it has signed it, in this place."""
    change, user = event["type"].removeprefix(_AREA), event["object"]
    known = {name: value for name, value in event["details"].items() if name != "signed"}
    note, by = str(event["details"].get("signed", "")), event["actor"]
    first = not history
    key = (known if first else _now(by, history)).get("key", "")
    if not _signed(note, str(key)) or not note.startswith(_text(change, user, known, by, history)):
        return None
    if not (_begins(change, user, by, known) if first else _may(change, user, by, known, history)):
        return None
    return Told(event.get("sequence", -1), event["id"], change, by, known)


def refusal_to_confirm(by: str, user: str, history: History) -> str:
    """Tell why somebody can't confirm a person; empty if they can."""
    states = history.get(user, ())
    given = [it.by for it in states if it.change in _GIVEN]
    keyed = [it for it in states if it.change in _KEYED][-1:]
    if any(it.by != user for it in keyed):
        return f"{user} must change the first password before: lakeward people password {user}."
    if by == user or by in given[-1:]:
        return f"Somebody else must confirm {user}: neither they, nor who gave them their way in."
    if _now(by, history).get("confirmed") is None and _confirmed(history) >= _FIRST:
        return f"Somebody must confirm {user} who was confirmed, which {by} was not."
    return ""


def _confirmed(history: History) -> int:
    """Count the people who ever were confirmed."""
    return sum(any(it.change == "confirmed" for it in states) for states in history.values())


def _begins(change: str, user: str, by: str, known: Mapping[str, Any]) -> bool:
    return change == "added" and user == by and Role.ADMINISTRATOR in known.get("roles", ())


def _may(change: str, user: str, by: str, known: Mapping[str, Any], history: History) -> bool:
    """Whether somebody might make a change then, and it touches nothing else than it should."""
    signer, before = _now(by, history), _now(user, history)
    touched = {name for name in _CHANGED["added"] | known.keys() if known.get(name) != before.get(name)}
    if not signer.get("active") or not touched <= _CHANGED[change] or (change == "added") == bool(before):
        return False
    if change in _OWN:
        return by == user
    action = Action.CONFIRM_PEOPLE if change == "confirmed" else Action.MANAGE_PEOPLE
    if change in _GIVEN and known.get("confirmed") is not None:
        return False
    if change == "confirmed" and (known.get("confirmed") != by or refusal_to_confirm(by, user, history)):
        return False
    return bool(MATRIX[action] & set(signer["roles"]))


def _now(user: str, history: History) -> Mapping[str, Any]:
    states = history.get(user)
    return states[-1].facts if states else {}


def _text(change: str, user: str, known: Mapping[str, Any], by: str, history: History) -> str:
    states = history.get(user)
    after = states[-1].id if states else "nothing"
    digest = sha256(rfc8785.dumps(dict(known))).hexdigest()
    return f"{_HEAD}\nchange {change}\nuser {user}\nfacts {digest}\nby {by}\nafter {after}\n"


def _signed(note: str, key: str) -> bool:
    try:
        opened(note, Verifier.parse(key))
    except NotProven:
        return False
    return True
