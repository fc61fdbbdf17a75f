"""Commands that change something about the audit trail; mounted by the area's own."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lakeward.governance.trail.cli import Which
from lakeward.workspace.console import By, Json, print_either
from lakeward.workspace.events import Event

if TYPE_CHECKING:
    from lakeward.governance.people.signatures import Signed

Reason = Annotated[str, typer.Option(help="Why; recorded. Nothing of a patient in it.")]
Name = Annotated[str, typer.Argument(help="Name of the hold, such as a case number.")]


def rotate_key(by: By = None, json: Json = False) -> None:
    """Put a new key in force: the secret audit_key_next, else a new one in a file; the old key signs it in.

    Example: lakeward audit rotate-key --by cat
    """
    from lakeward.governance.people.asking import as_person
    from lakeward.governance.people.roles import Action
    from lakeward.governance.trail.sink import trail_here

    with as_person(by, Action.KEEP_AUDIT):
        new = str(trail_here().rotate_key())
    print_either({"key": new}, json, f"In force from now on: {new}")


def heartbeat(json: Json = False) -> None:
    """Record that the system is at work, so that silence can be told from rest; run it from a schedule.

    Example: lakeward audit heartbeat
    """
    from lakeward.governance.trail.continuity import heartbeat as beat
    from lakeward.governance.trail.sink import trail_here

    event = beat()
    trail_here().append(event)
    print_either({"id": event.id}, json, "Recorded.")


def publish(json: Json = False) -> None:
    """Add what was recorded since the last time to the table governance.audit; reasons and details stay in the trail.

    Example: lakeward audit publish
    """
    from lakeward.governance.trail.publish import publish as publish_trail
    from lakeward.governance.trail.sink import trail_here

    added = publish_trail(trail_here())
    print_either({"events": added}, json, f"{added:,} events were added to governance.audit.")


def anchor(
    place: Annotated[str, typer.Argument(help="A folder elsewhere, in a git repository or not, or s3://bucket/...")],
    json: Json = False,
) -> None:
    """Write the signed head where others than the operator guard it; `verify` compares the log with it from then on.

    In S3 it is locked for seven years against everybody; the bucket must have been made with Object Lock.

    Example: lakeward audit anchor s3://heads/lakeward
    """
    from lakeward.governance.trail.anchors import anchor as anchor_in
    from lakeward.governance.trail.sink import trail_here

    file = anchor_in(trail_here(), place)
    print_either({"file": file}, json, f"The head is in {file}.")


def retention(
    before: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Events recorded before this day; 7 years ago if not.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Delete their bytes, not only count them.")] = False,
    reason: Annotated[str, typer.Option(help="Why; recorded. Needed with --apply.")] = "",
    by: By = None,
    json: Json = False,
) -> None:
    """Tell which events' time of keeping (7 years) is over, or delete their bytes; hashes stay, so the tree stands.

    They leave the table governance.audit when the trail is next published.

    Two people must give the command for the same day: each signs it, and the second deletes (exit code 10 until then).
    Where nothing is due, nobody signs and nothing is recorded.

    Example: lakeward audit retention --apply --before 2019-11-01 --reason "Yearly deletion" --by cat
    """
    from lakeward.governance.people.asking import as_people
    from lakeward.governance.people.roles import Action
    from lakeward.governance.trail import keeping
    from lakeward.governance.trail.sink import trail_here

    if apply and not reason:
        raise typer.BadParameter("--apply needs --reason")
    trail = trail_here()
    day = before.date() if before else keeping.floor(datetime.now(UTC).date())
    with trail.view() as view:
        done = keeping.due(view, day)
    what = "are due: nothing was deleted, and nothing recorded" if apply else "may be deleted"
    deleted = apply and bool((removal := keeping.retirement(trail, day, reason)).left)
    if deleted:
        with as_people(by, Action.DESTROY_AUDIT, _signed(removal.event)):
            done["events"] = keeping.retire(trail, day, reason, removal.event)
        what = "were deleted; their hashes stay"
    facts = {"before": day.isoformat(), "events": done["events"], "holds": done["holds"], "deleted": deleted}
    held = f" Legal holds in force: {', '.join(done['holds'])}." if done["holds"] else ""
    print_either(facts, json, f"{done['events']:,} events from before {day} {what}.{held}")


def hold(
    name: Name,
    reason: Reason,
    object_: Annotated[str, typer.Option("--object", help="Only this: its events; a patient, by pseudonym.")] = "",
    by: By = None,
    json: Json = False,
) -> None:
    """Begin a legal hold: what it covers is neither deleted nor erased until it ends.

    That is every event, patient, old version of a table and backup; with --object the events on one object. If that is
    a patient's pseudonym, the patient is not withdrawn (GDPR, article 17(3)(e)), and upkeep removes no old version of a
    table. Never give a Patient ID: it would hold nothing, and what is recorded stays.

    Example: lakeward audit hold case-4711 --object LWABCDEFGHIJKLMN --reason "Litigation" --by cat
    """
    from lakeward.governance.people.asking import as_person
    from lakeward.governance.people.roles import Action
    from lakeward.governance.trail import keeping
    from lakeward.governance.trail.sink import trail_here

    with as_person(by, Action.KEEP_AUDIT):
        keeping.hold(trail_here(), name, reason, object_)
    print_either({"hold": name, "object": object_}, json, f"{object_ or 'Everything'}: held until {name} is released.")


def release(name: Name, reason: Reason, by: By = None, json: Json = False) -> None:
    """End a legal hold.

    Example: lakeward audit release case-4711 --reason "Settled" --by cat
    """
    from lakeward.governance.people.asking import as_person
    from lakeward.governance.people.roles import Action
    from lakeward.governance.trail import keeping
    from lakeward.governance.trail.sink import trail_here

    with as_person(by, Action.KEEP_AUDIT):
        keeping.end_hold(trail_here(), name, reason)
    print_either({"released": name}, json, f"{name} is released.")


def redact(
    event: Which,
    field: Annotated[list[str], typer.Option(help="reason, or the name of a detail; may be given again.")],
    reason: Reason,
    by: By = None,
    json: Json = False,
) -> None:
    """Erase a reason or details of an event for good; what the event committed to stays, so the tree stands.

    Two people must give the command: each signs it, and the second erases (exit code 10 until then).

    Example: lakeward audit redact 42 --field reason --reason "Request of the data subject, 2026-17" --by cat
    """
    from lakeward.governance.people.asking import as_people
    from lakeward.governance.people.roles import Action
    from lakeward.governance.trail import keeping
    from lakeward.governance.trail.sink import trail_here

    trail = trail_here()
    agreed = keeping.erasure(trail, event, field, reason).event
    with as_people(by, Action.DESTROY_AUDIT, _signed(agreed)):
        number = keeping.erase(trail, event, field, reason, agreed)
    print_either({"event": number, "erased": field}, json, f"Erased from event {number}: {', '.join(field)}.")


def _signed(agreed: Event) -> "Signed":
    from lakeward.governance.people.signatures import Signed
    from lakeward.governance.trail import keeping

    return Signed.of_json("audit", *keeping.act(agreed.type, agreed.object, agreed.reason, agreed.details))
