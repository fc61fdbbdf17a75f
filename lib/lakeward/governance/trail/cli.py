"""Commands that read the audit trail; mounted by the area's own."""

import csv
import io
import sys
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lakeward.workspace.console import Json, print_either, print_json, print_records, print_rows

Which = Annotated[str, typer.Argument(help="An event's number in the log, or its id.", metavar="EVENT")]
Output = Annotated[Path | None, typer.Option(help="Where to write it; else it is printed.")]
_Day = typer.Option(formats=["%Y-%m-%d"], help="A day, in UTC; it is included.")
_MINUTE = timedelta(minutes=1)

Day = Annotated[datetime | None, _Day]


class Format(StrEnum):
    """How events are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def query(
    start_date: Day = None,
    end_date: Day = None,
    event_type: Annotated[list[str] | None, typer.Option(help="Kind or type; may be given again.")] = None,
    actor: Annotated[str, typer.Option(help="Who did it.")] = "",
    object_: Annotated[str, typer.Option("--object", help="What it was done to.")] = "",
    format_: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.TABLE,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, at most.")] = 1000,
    by: Annotated[str, typer.Option("--by", help="Who looks at them; recorded as this person's review.")] = "",
    json: Json = False,
) -> None:
    """List events, oldest first.

    With --by the password is asked for, and that they were looked at is an event, as the report asks for each month.

    Example: lakeward audit query --start-date 2026-11-01 --event-type phi_access --format csv
    """
    from lakeward.governance.trail.query import query as find
    from lakeward.governance.trail.sink import trail_here

    with trail_here().view() as view:
        found = find(view, _date(start_date), _date(end_date), tuple(event_type or ()), limit + 1, actor, object_)
    if len(found) > limit:
        typer.echo(f"These are the first {limit}; there are more. Give --limit, or other days.", err=True)
    if by:
        _reviewed(by, event_type or [], start_date, end_date)
    _print_events(found[:limit], Format.JSON if json else format_)


def verify(
    key: Annotated[str, typer.Option(help="The log's public key as you know it, or a file with its keys.")] = "",
    anchor: Annotated[list[str] | None, typer.Option(help="A place with anchored heads; may be given again.")] = None,
    json: Json = False,
) -> None:
    """Verify every event, the tree and its heads; ends with 1 at a finding, the first bad event first.

    Heads are looked for where the log says that they were anchored. Name the place and the key nevertheless: then a
    log that was put in this one's place, or rolled back to before its first anchor, is found, too.

    Example: lakeward audit verify --key audit.vkey --anchor /mnt/worm/heads
    """
    from lakeward.governance.trail import anchors
    from lakeward.governance.trail.notes import verifiers_of
    from lakeward.governance.trail.sink import trail_here

    given = [head for place in anchor or () for head in anchors.given(place)]
    done = anchors.verified(trail_here(), given, verifiers_of(key)[0] if key else None)
    findings = [{"fault": it.fault, "event": it.sequence, "detail": it.detail} for it in done.findings]
    facts = {"ok": not findings, "events": done.events, "anchored_heads": done.anchors, "findings": findings}
    if json:
        print_json({**facts, "head": done.head})
    elif findings:
        print_rows(findings, as_json=False)
    else:
        typer.echo(f"{done.events:,} events, one chain, one tree, {done.anchors} anchored heads: all as signed.")
    if findings:
        raise typer.Exit(1)


def validate_continuity(
    start_date: Day = None,
    end_date: Day = None,
    threshold: Annotated[float, typer.Option(help="Longest time with no event, in minutes.", min=0.01)] = 60,
    json: Json = False,
) -> None:
    """Find times with no event, not even a heartbeat; ends with 1 if there are any, or if the clock was put back.

    If heartbeats came until then, the trail was silenced; else it may have been at rest, which a job of heartbeats,
    governance_heartbeat, tells from now on.

    Example: lakeward audit validate-continuity --start-date 2026-11-01 --threshold 30
    """
    from lakeward.governance.trail.continuity import gaps
    from lakeward.governance.trail.sink import trail_here

    now = datetime.now(UTC)
    since = _start(start_date) if start_date else datetime(1970, 1, 1, tzinfo=UTC)
    until = min(now, _start(end_date) + timedelta(days=1)) if end_date else now
    with trail_here().view() as view:
        found = gaps(view, since, until, threshold * _MINUTE)
    rows = [
        {
            "after_event": it.after,
            "from": it.since,
            "to": it.until,
            "minutes": round((it.until - it.since) / _MINUTE),
            "what": it.what,
        }
        for it in found
    ]
    print_rows(rows, json) if rows or json else typer.echo(f"No gap of more than {threshold:g} minutes.")
    if found:
        raise typer.Exit(1)


def prove(
    event: Which,
    output: Output = None,
    json: Json = False,
) -> None:
    """Prove that an event is in the log: the event, its place in the tree, the signed head.

    Example: lakeward audit prove 42 --output event-42.json
    """
    from lakeward.governance.trail.proofs import prove as proof_of
    from lakeward.governance.trail.sink import trail_here

    with trail_here().view() as view:
        proof = proof_of(view, event)
    _hand_out(proof, output, json)


def prove_consistency(
    older: Annotated[Path, typer.Argument(help="A head that was anchored or exported.", exists=True, dir_okay=False)],
    newer: Annotated[
        Path | None, typer.Option(help="A later one; the log's newest if not given.", exists=True, dir_okay=False)
    ] = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Prove that nothing of what a signed head had was changed or removed up to a later one; ends with 1 if it was.

    Example: lakeward audit prove-consistency heads/000000000042.checkpoint --output since-42.json
    """
    from lakeward.governance.trail.proofs import prove_consistency as proof_of
    from lakeward.governance.trail.sink import trail_here

    with trail_here().view() as view:
        state = view.state()
        heads = [file.read_text(encoding="utf-8") if file else state.head if state else "" for file in (older, newer)]
        proof = proof_of(view, *heads)
    _hand_out(proof, output, json)


def check_proof(
    file: Annotated[Path, typer.Argument(help="What prove or prove-consistency wrote.", exists=True, dir_okay=False)],
    key: Annotated[str, typer.Option(help="The log's public key as you know it, or a file with its keys.")],
    json: Json = False,
) -> None:
    """Check a proof, with nothing but the log's public key; ends with 1 if it does not hold.

    Example: lakeward audit check-proof event-42.json --key audit.vkey
    """
    from lakeward.governance.trail.notes import verifiers_of
    from lakeward.governance.trail.proofs import check, check_heads, load

    proof, verifiers = load(file.read_text(encoding="utf-8")), verifiers_of(key)
    if "older" in proof:
        older, newer = check_heads(proof, *verifiers)
        said = f"Proven: the log {newer.origin} of {newer.size} events begins with all of its {older.size} before."
        print_either({"log": newer.origin, "older": older.size, "newer": newer.size}, json, said)
        return
    event, head = check(proof, *verifiers)
    facts = {"event": event, "log": head.origin, "size": head.size}
    if json:
        print_json(facts)
        return
    typer.echo(f"Proven: event {event['sequence']} of {head.size} in the log {head.origin}.\n")
    print_records([event], as_json=False)


def export(
    folder: Annotated[Path, typer.Argument(help="Where to; made if need be.")],
    json: Json = False,
) -> None:
    """Write the whole log, its head and its keys, for another program to verify.

    Example: lakeward audit export /mnt/usb/audit
    """
    from lakeward.governance.trail.query import export as export_to
    from lakeward.governance.trail.sink import trail_here

    done = export_to(trail_here(), folder)
    print_either(done, json, f"{done['events']:,} events, the head and the keys are in {folder}.")


def keys(json: Json = False) -> None:
    """Print the log's public keys, oldest first: hand them to those who shall check proofs.

    Example: lakeward audit keys > audit.vkey
    """
    from lakeward.governance.trail.sink import trail_here
    from lakeward.governance.trail.verify import keys_of

    with trail_here().view() as view:
        found = [str(key) for key in keys_of(view)]
    print_either(found, json, "\n".join(found))


def _reviewed(by: str, types: list[str], *days: datetime | None) -> None:
    from lakeward.governance.people.asking import enter
    from lakeward.governance.people.people import People
    from lakeward.workspace.events import Event, acting_as, record

    asked: dict[str, Any] = {"types": types, "between": [str(_date(day) or "") for day in days]}
    with acting_as(enter(People(), by).user):
        record(Event(type="governance.audit.reviewed", object="trail", details=asked))


def _hand_out(proof: dict[str, Any], output: Path | None, json: bool) -> None:
    from json import dumps

    if output is None:
        print_json(proof)
        return
    output.write_text(dumps(proof, ensure_ascii=False, indent=2), encoding="utf-8")
    print_either({"output": str(output)}, json, f"Check it anywhere: lakeward audit check-proof {output} --key KEY")


def _print_events(events: list[dict[str, Any]], how: Format) -> None:
    if how is Format.CSV:
        from lakeward.governance.trail.entries import FIELDS

        text = io.StringIO()
        writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in event.items()} for event in events)
        sys.stdout.write(text.getvalue())
        return
    shown = ("sequence", "recorded", "type", "object", "outcome", "actor", "reason")
    table = how is Format.TABLE
    print_rows([{name: event[name] for name in shown} for event in events] if table else events, not table)


def _cell(value: Any) -> Any:
    """A text that a spreadsheet takes for a formula gets a quote before it."""
    from json import dumps

    text = dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(("=", "+", "-", "@")) else text


def _date(day: datetime | None) -> date | None:
    return day.date() if day else None


def _start(day: datetime) -> datetime:
    return datetime.combine(day.date(), time(), UTC)
