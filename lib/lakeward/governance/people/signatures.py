"""Electronic signatures (21 CFR 11.50, 11.70, 11.200): a person's own, on one very record, with their meaning.

A signature is a signed note (c2sp.org/signed-note) by a key that only the signer's password opens. Its text has all
that must be shown with it and the SHA-256 of the record, so that it can't be moved to another, and any program that
knows signed notes verifies it with the public key alone.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import rfc8785
from pydantic import JsonValue

from lakeward.governance.people import sealing
from lakeward.governance.people.errors import NotLetIn, PersonRefused, SignatureInvalid
from lakeward.governance.people.people import People
from lakeward.governance.people.register import SIGNED, environment, events, told
from lakeward.governance.people.roles import Role
from lakeward.governance.people.store import Person
from lakeward.governance.trail.errors import NotProven
from lakeward.governance.trail.notes import Signer, Verifier, opened
from lakeward.workspace.events import Event, record
from lakeward.workspace.settings import settings

_HEAD = "Lakeward electronic signature, version 1"
_FIELDS = ("record", "sha256", "meaning", "signer", "name", "time")
RESTORED = "governance.signature.restored"
_PRODUCTION = "prod"
_ID = re.compile(r"[^\s/]+/\S+")


class Meaning(StrEnum):
    """What a signature says (11.50(a)(3))."""

    AUTHORSHIP = "authorship"
    REVIEW = "review"
    APPROVAL = "approval"
    REJECTION = "rejection"
    RESPONSIBILITY = "responsibility"


@dataclass(frozen=True)
class Signed:
    """What is signed: a record by kind and id, and the SHA-256 of all that it says, in hexadecimal."""

    kind: str
    id: str
    sha256: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(str(self)) or not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise PersonRefused("What can be signed has a kind, an id with no spaces, and a SHA-256 in hexadecimal.")

    @classmethod
    def of_json(cls, kind: str, id: str, content: Mapping[str, Any]) -> "Signed":  # noqa: A002 - the record's own word
        """Return what is signed where a record is data: the hash is that of its canonical JSON (RFC 8785)."""
        return cls(kind, id, sha256(rfc8785.dumps(dict(content))).hexdigest())

    @classmethod
    def of_file(cls, kind: str, id: str, file: Path) -> "Signed":  # noqa: A002
        """Return what is signed where a record is a file."""
        with file.open("rb") as opened_file:
            return cls(kind, id, file_digest(opened_file, "sha256").hexdigest())

    def __str__(self) -> str:
        """Return kind and id."""
        return f"{self.kind}/{self.id}"


@dataclass(frozen=True)
class Signature:
    """A signature as it is shown with its record (11.50(b))."""

    signed: Signed
    meaning: Meaning
    signer: str
    name: str
    time: datetime
    note: str
    roles: frozenset[Role] = frozenset()
    """Those of the signer when it was signed, as the audit trail tells; none if that was not asked, or counts not."""


@dataclass(frozen=True)
class Quorum:
    """Who has signed, one signature each, and how many must have."""

    signed: tuple[Signature, ...]
    number: int

    @property
    def reached(self) -> bool:
        """Whether enough have signed."""
        return len(self.signed) >= self.number


def sign(
    people: People, what: Signed, meaning: Meaning, user: str, password: str, code: str | None = None
) -> Signature:
    """Sign a record, with both components of the signer's identification at each signing (11.200(a)(1)).

    Parameters
    ----------
    code : str or None
        One-time code, the second factor that production asks for.

    Raises
    ------
    NotLetIn
        If the signer is not who they say; or, in production, has no one-time codes or was confirmed by nobody.
    EventNotRecorded
        If it could not be written to the audit trail; then nothing is signed.
    """
    person = people.let_in(user, password, code)
    if _PRODUCTION in (settings().environment, environment()):
        _check_for_production(person)
    at = datetime.fromtimestamp(people.now(), UTC)
    values = (str(what), what.sha256, meaning.value, user, person.name, at.isoformat())
    text = "\n".join([_HEAD, *(f"{name} {value}" for name, value in zip(_FIELDS, values, strict=True))]) + "\n"
    note = Signer(user, sealing.unseal(person.sealed_key, password, user)).sign(text)
    if note in people.store.notes(what.kind, what.id):
        return verify(note)  # a second time within a second
    told: dict[str, JsonValue] = {"meaning": meaning.value, "sha256": what.sha256, "note": digest(note), "signed": note}
    event = Event(type=SIGNED, object=str(what), actor=user, details=told)

    def tell() -> None:
        now = people.find(user)
        if not now.active or now.vkey != person.vkey:
            raise NotLetIn(f"{user}'s access or key has changed meanwhile.")
        record(event)

    people.store.add_signature(what.kind, what.id, what.sha256, note, tell)
    return verify(note)


def signatures(people: People, what: Signed) -> list[Signature]:
    """Return the signatures on a record as it is now, each verified; those on what it was before don't count.

    Raises
    ------
    SignatureInvalid
        If one that is kept was changed, or is not by the key that its signer had then.
    """
    return [signature for signature in signatures_of(people, what.kind, what.id) if signature.signed == what]


def signatures_of(people: People, kind: str, id: str) -> list[Signature]:  # noqa: A002 - the record's own word
    """Return the signatures on a record, of whatever content it had then, each verified, oldest first.

    Raises
    ------
    SignatureInvalid
        As for `signatures`.
    """
    record_ = f"{kind}/{id}"
    notes = [note for note in people.store.notes(kind, id) if str(read(note).signed) == record_]
    testimony = Testimony(record_)
    return [testimony.verify(note) for note in notes]


def quorum(people: People, what: Signed, meaning: Meaning, roles: Collection[Role], number: int) -> Quorum:
    """Tell whether enough people have signed a record as it is now: distinct ones, of some roles, with a meaning.

    What counts are the roles that a person had when signing: a signature stands though its signer has left since, and a
    role that was given afterwards makes none count.

    Parameters
    ----------
    roles : collection of Role
        The signer had one of these, or more.
    number : int
        How many people must have signed.

    Raises
    ------
    SignatureInvalid
        As for `signatures`.
    """
    signed = {it.signer: it for it in signatures(people, what) if it.meaning == meaning and it.roles & set(roles)}
    return Quorum(tuple(signed.values()), number)


def verify(note: str) -> Signature:
    """Verify a signature by what the audit trail tells: that it was made, by whom, and which key was theirs then.

    Raises
    ------
    SignatureInvalid
        If it is not the signer's own, or was changed.
    """
    return Testimony(str(read(note).signed)).verify(note)


def restore(people: People) -> None:
    """Write into the store the signatures that only the audit trail has, as a kill within `sign` may leave them."""
    kept, testimony = set(people.store.all_notes()), Testimony()
    for event in testimony.made.values():
        note = str(event["details"].get("signed", ""))
        if note in kept or digest(note) != event["details"].get("note"):
            continue
        try:
            what = testimony.verify(note).signed
        except SignatureInvalid:
            continue  # forged, and found by `people verify` as lacking
        again = Event(type=RESTORED, object=str(what), details={"note": digest(note)})
        people.store.add_signature(what.kind, what.id, what.sha256, note, partial(record, again))


class Testimony:
    """What the audit trail tells of signatures: of those on one record, or of all; and of their signers.

    In a lakehouse that was begun as production, a signature counts for no role unless its signer had one-time codes
    then and was confirmed, whatever program has made it.
    """

    def __init__(self, record: str = "") -> None:
        self.made = {event["details"].get("note"): event for event in events(SIGNED, object_=record)}
        self._told = told()
        self._production = environment() == _PRODUCTION

    def verify(self, note: str) -> Signature:
        """As the function `verify`."""
        signature, made = read(note), self.made.get(digest(note))
        signer, what = signature.signer, signature.signed
        if made is None or (made["actor"], made["object"]) != (signer, str(what)):
            raise SignatureInvalid(f"The audit trail tells of no such signature of {signer} on {what}.")
        states = (it.facts for it in reversed(self._told.get(signer, ())) if it.number < made["sequence"])
        facts = next(states, {})
        if facts.get("name") != signature.name or not by(note, Verifier.parse(facts["key"])):
            raise SignatureInvalid(f"The signature on {what} is not by the key that {signer} had then.")
        if not facts["active"]:
            raise SignatureInvalid(f"{signer}'s access had been taken away when {what} was signed.")
        sure = not self._production or (facts["codes"] and facts["confirmed"])
        return replace(signature, roles=frozenset(map(Role, facts["roles"] if sure else ())))


def by(note: str, verifier: Verifier) -> bool:
    """Whether a note is signed by a key; needs nothing else of ours."""
    try:
        opened(note, verifier)
    except NotProven:
        return False
    return True


def read(note: str) -> Signature:
    """Return what a signature says; `verify` tells whether it is true.

    Raises
    ------
    SignatureInvalid
        If it is no signature at all.
    """
    text = note.rpartition("\n\n")[0]
    head, *lines = text.split("\n")
    pairs = [tuple(line.split(" ", 1)) for line in lines]
    if head != _HEAD or [pair[0] for pair in pairs] != list(_FIELDS) or any(len(pair) != 2 for pair in pairs):
        raise SignatureInvalid("This is no electronic signature of Lakeward's.")
    said: dict[str, str] = dict(pairs)  # type: ignore[arg-type]
    kind, _, id_ = said["record"].partition("/")
    try:
        what, at = Signed(kind, id_, said["sha256"]), datetime.fromisoformat(said["time"])
        return Signature(what, Meaning(said["meaning"]), said["signer"], said["name"], at, note)
    except (ValueError, PersonRefused):
        raise SignatureInvalid("The signature's record, time or meaning is none.") from None


def _check_for_production(person: Person) -> None:
    if person.sealed_totp is None:
        raise NotLetIn("In production a signature needs a one-time code. Set them up: lakeward people codes.")
    if person.confirmed is None:
        raise NotLetIn("In production another must have confirmed whose key it is: lakeward people confirm.")


def digest(note: str) -> str:
    """Return what the audit trail knows a signature by."""
    return sha256(note.encode()).hexdigest()
