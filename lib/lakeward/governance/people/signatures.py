"""Electronic signatures (21 CFR 11.50, 11.70, 11.200): a person's own, on one very record, with their meaning.

A signature is a signed note (c2sp.org/signed-note) by a key that only the signer's password opens. Its text has all
that must be shown with it and the SHA-256 of the record, so that it can't be moved to another, and any program that
knows signed notes verifies it with the public key alone.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from lakeward.governance.people import sealing
from lakeward.governance.people.errors import NotLetIn, PersonRefused, SignatureInvalid
from lakeward.governance.people.people import People
from lakeward.governance.trail.errors import NotProven
from lakeward.governance.trail.notes import Signer, Verifier, opened
from lakeward.workspace.events import Event, record
from lakeward.workspace.settings import settings

_HEAD = "Lakeward electronic signature, version 1"
_FIELDS = ("record", "sha256", "meaning", "signer", "name", "time")
_ID = re.compile(r"[^\s/]+/\S+")
_CLOCKS_S = 300
"""By how much a signature's time may differ from when its key was in force."""


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
        If the signer is not who they say; or, in production, has no one-time codes.
    EventNotRecorded
        If it could not be written to the audit trail; then nothing is signed.
    """
    person = people.let_in(user, password, code)
    if settings().environment == "prod" and person.sealed_totp is None:
        raise NotLetIn("In production a signature needs a one-time code. Set them up: lakeward people codes.")
    at = datetime.fromtimestamp(people.now(), UTC)
    values = (str(what), what.sha256, meaning.value, user, person.name, at.isoformat())
    text = "\n".join([_HEAD, *(f"{name} {value}" for name, value in zip(_FIELDS, values, strict=True))]) + "\n"
    note = Signer(user, sealing.unseal(person.sealed_key, password, user)).sign(text)
    details = {"meaning": meaning.value, "sha256": what.sha256, "key": person.vkey}
    record(Event(type="governance.signature.made", object=str(what), actor=user, details=details))
    people.store.add_signature(what.kind, what.id, what.sha256, note)
    return Signature(what, meaning, user, person.name, at, note)


def signatures(people: People, what: Signed) -> list[Signature]:
    """Return the signatures on a record as it is now, each verified; those on what it was before don't count.

    Raises
    ------
    SignatureInvalid
        If one that is kept was changed, or is not by a key that its signer had then.
    """
    found = [verify(people, note) for note in people.store.notes(what.kind, what.id)]
    return [signature for signature in found if signature.signed == what]


def verify(people: People, note: str) -> Signature:
    """Verify a signature with the public keys that its signer has had.

    Raises
    ------
    SignatureInvalid
        If it is not the signer's own, was changed, or was made when the key was not in force.
    """
    signature = read(note)
    at = signature.time.timestamp()
    for vkey, since, until in people.store.vkeys(signature.signer):
        if by(note, Verifier.parse(vkey)):
            if since - _CLOCKS_S <= at <= (until or at) + _CLOCKS_S:
                return signature
            raise SignatureInvalid(f"The signature of {signature.signer} was made when its key was not in force.")
    raise SignatureInvalid(f"The signature on {signature.signed} is not by a key of {signature.signer}.")


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
    told: dict[str, str] = dict(pairs)  # type: ignore[arg-type]
    kind, _, id_ = told["record"].partition("/")
    try:
        what, at = Signed(kind, id_, told["sha256"]), datetime.fromisoformat(told["time"])
        return Signature(what, Meaning(told["meaning"]), told["signer"], told["name"], at, note)
    except (ValueError, PersonRefused):
        raise SignatureInvalid("The signature's record, time or meaning is none.") from None
