"""Signing a report, and checking one: the signature lies beside the file, and its hash in the trail."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from lakeward.governance.people.errors import SignatureInvalid
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Action
from lakeward.governance.people.signatures import Meaning, Signature, Signed, digest, verify
from lakeward.governance.reports import evidence
from lakeward.governance.trail.errors import NoSuchEvent
from lakeward.governance.trail.query import query
from lakeward.governance.trail.sink import trail_here
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.events import Event, record

Sign = Callable[[People, Signed, Meaning, str], Signature]

MADE = "governance.report.made"


def note_of(report: Path) -> Path:
    """Return where the signature on a report lies."""
    return report.with_name(f"{report.name}.sig")


def sign(people: People, report: Path, user: str, sign_it: Sign) -> Signature:
    """Sign a report as its author, and write the signed note beside it.

    Parameters
    ----------
    sign_it : callable
        Asks the signer for what a signature takes, and signs.

    Raises
    ------
    NotAllowed
        If the signer's roles don't include it.
    NotLetIn
        If the signer is not who they say.
    """
    people.allow(people.find(user), Action.SIGN_REPORT)
    what = _signed(report)
    signature = sign_it(people, what, Meaning.AUTHORSHIP, user)
    details = {"sha256": what.sha256, "note": digest(signature.note)}
    if sums := evidence.digest_there(report):
        details["evidence"] = sums
    record(Event.model_validate({"type": MADE, "object": str(what), "actor": user, "details": details}))
    note_of(report).write_text(signature.note, encoding="utf-8")
    return signature


def check(report: Path) -> tuple[Signature | None, list[str]]:
    """Return the signature on a report, and what is wrong with it, the trail's word on it, or its evidence."""
    what = _signed(report)
    signature, faults = _signature(report, what)
    event = _event(str(what))
    if event is None:
        return signature, [*faults, "the audit trail does not know this file"]
    details = event["details"]
    if signature and details.get("note") != digest(signature.note):
        faults.append("the audit trail tells of another signature")
    if details.get("evidence", "") != evidence.digest_there(report):
        faults.append("the list of the evidence, SHA256SUMS, is not the one that was signed for")
    elif "evidence" in details:
        faults += evidence.faults(report)
    return signature, faults


def _signature(report: Path, what: Signed) -> tuple[Signature | None, list[str]]:
    note = note_of(report)
    if not note.is_file():
        return None, [f"there is no signature, {note.name}"]
    try:
        signature = verify(note.read_text(encoding="utf-8"))
    except (SignatureInvalid, UnicodeDecodeError) as error:
        return None, [str(error)]
    return signature, [] if signature.signed == what else ["the file is not the one that was signed"]


def _event(name: str) -> dict[str, Any] | None:
    """Return the newest event on a report."""
    try:
        with trail_here().view() as view:
            found = [event for event in query(view, types=(MADE,)) if event["object"] == name]
    except NoSuchEvent:
        return None
    return found[-1] if found else None


def _signed(report: Path) -> Signed:
    try:
        found = sha256(report.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{report} can't be read: {error.strerror}.") from None
    return Signed("report", found, found)
