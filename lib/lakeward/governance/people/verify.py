"""Whether people and signatures in the store are as the audit trail tells: what somebody wrote into it is found."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lakeward.governance.people import register
from lakeward.governance.people.errors import PersonRefused, SignatureInvalid
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import MATRIX, TOGETHER, Action, Role
from lakeward.governance.people.signatures import Meaning, Signed, Testimony, digest, signatures
from lakeward.governance.people.store import Person
from lakeward.governance.trail import keeping
from lakeward.workspace.events import Event, record

_COLUMNS: dict[str, Callable[[Any], Any]] = {
    "name": str,
    "roles": lambda roles: frozenset(map(Role, roles)),
    "account": lambda account: account,
    "confirmed": lambda confirmed: confirmed,
    "active": bool,
}
"""Facts that are no secret, and how the store has them."""


class Finding(NamedTuple):
    """What is wrong with a person, a signature, or an act that several must have signed."""

    what: str
    detail: str


class Verification(NamedTuple):
    """What a verification found."""

    people: int
    signatures: int
    findings: list[Finding]


def verify(people: People) -> Verification:
    """Compare all people and all signatures in the store with what the audit trail tells of them, and of itself."""
    register.forget()
    stored, notes = people.store.people(), people.store.all_notes()
    findings = [*_people(people), *_signatures(notes), *_destroyed(people)]
    return Verification(len(stored), len(notes), findings)


def repair(people: People) -> None:
    """Write into the store what the trail tells of people, where it differs and is no secret; nobody gains by that."""
    with people.store.alone():
        for user in [person.user for person in people.store.people()]:
            register.settle(people.store, user)
            known = register.now(user)
            wrong = register.differences(people.find(user), known).keys() & _COLUMNS.keys()
            if known and wrong:
                event = Event(type="governance.user.put_right", object=user, details={"fields": sorted(wrong)})
                columns = {name: _COLUMNS[name](known[name]) for name in wrong}
                people.store.change(user, _telling(event), **columns)


def _telling(event: Event) -> Callable[[Person], None]:
    return lambda person: record(event)


def _people(people: People) -> Iterator[Finding]:
    told, forged = register.register()
    for event in forged:
        detail = (
            f"event {event['sequence']} tells of a change that nobody has signed who might make it: {event['type']}"
        )
        yield Finding(event["object"], detail)
    stored = {person.user: person for person in people.store.people()}
    for user in sorted(told.keys() - stored.keys()):
        yield Finding(user, f"the store lacks this person, of whom event {told[user][-1].number} tells")
    for user, person in stored.items():
        if user not in told:
            yield Finding(user, "the trail tells of no such person: somebody wrote it into the store")
            continue
        last = told[user][-1]
        for name, (then, now) in register.differences(person, last.facts).items():
            yield Finding(user, f"{name} is {now!r} in the store, but {then!r} since event {last.number}")


def _signatures(notes: list[str]) -> Iterator[Finding]:
    testimony = Testimony()
    for note in notes:
        try:
            testimony.verify(note)
        except SignatureInvalid as error:
            yield Finding("signature", str(error))
    kept = {digest(note) for note in notes}
    for event in (event for told, event in testimony.made.items() if told not in kept):
        detail = f"the store lacks the signature of {event['actor']} of which event {event['sequence']} tells"
        yield Finding(event["object"], detail)


def _destroyed(people: People) -> Iterator[Finding]:
    """Find what was erased or deleted from the trail past the command, with too few people having signed it."""
    begun = min((states[0].number for states in register.told().values()), default=None)
    for event in register.events(keeping.RETIRED, keeping.ERASED):
        id_, content = keeping.act(event["type"], event["object"], event["reason"], event["details"])
        signers = _signers(people, id_, content, event["sequence"])
        if begun is not None and begun < event["sequence"] and len(signers) < TOGETHER:
            yield Finding(f"audit/{id_}", f"event {event['sequence']} tells what was done; too few had signed that")


def _signers(people: People, id_: str, content: dict[str, Any], before: int) -> set[str]:
    """Return who had signed this very act, before the event of a number."""
    try:
        act = Signed.of_json("audit", id_, content)
        made, found = Testimony(str(act)).made, signatures(people, act)
    except (SignatureInvalid, PersonRefused):
        return set()
    return {
        it.signer
        for it in found
        if it.meaning == Meaning.APPROVAL and it.roles & MATRIX[Action.DESTROY_AUDIT]
        if made[digest(it.note)]["sequence"] < before
    }
