"""What happened in a report's period: accesses, approvals, signatures, the trail itself, backups."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from lakeward.governance.approvals import quorum
from lakeward.governance.approvals.witness import CHANGED
from lakeward.governance.reports.checks.check import many
from lakeward.governance.reports.document import Bars, Section, Table, Text
from lakeward.governance.reports.stores import IN_BULK, Stores, Told
from lakeward.workspace.errors import TableError

_TOUCH = {"phi_access": "access", "export": "export", "quarantine": "release", "erasure": "erasure", "review": "review"}
"""Kinds of events on patient data, and what they are called here."""

_OF_PEOPLE = ("governance.login.", "governance.user.")
"""How the types of events begin whose object is an account, never a patient's."""

_HOUR = timedelta(hours=1)
_MOST = 200
"""Rows of events that are listed; there may be many more, which `lakeward audit query` lists."""


def sections(stores: Stores) -> list[Section]:
    """Return the parts on what happened in the period."""
    return [_touches(stores), _approvals(stores), _signatures(stores), _trail(stores), _backups(stores)]


def open_findings(stores: Stores) -> list[Section]:
    """Return what else waits for somebody: objects set aside, and what was refused."""
    try:
        aside, empty = stores.rows("imaging.quarantine", ("reason",), "status = 'open'"), "Nothing is open."
    except TableError:
        aside, empty = None, "The table imaging.quarantine can't be read."
    counts = Counter(row["reason"] for row in aside or ())
    reasons = Table(("Reason", "Objects"), [(it, f"{n:,}") for it, n in sorted(counts.items())], (70, 30), empty=empty)
    refused = Counter(
        (it["type"], it["actor"], it["object"] if it["type"].startswith(_OF_PEOPLE) else "-", it["outcome"])
        for it in stores.events
        if it["outcome"] != "success"
    )
    rows = [(*what, f"{count:,}") for what, count in sorted(refused.items())]
    return [
        Section("Objects set aside", [reasons], level=1),
        Section(
            "Refused or failed",
            [
                Table(
                    ("Event", "Actor", "Account", "Outcome", "Times"), rows, (38, 20, 18, 13, 11), empty="Nothing was."
                )
            ],
            level=1,
        ),
    ]


def _touches(stores: Stores) -> Section:
    found = [event for event in stores.events if event["kind"] in _TOUCH]
    counts = Counter((_TOUCH[it["kind"]], it["type"], it["actor"], it["outcome"]) for it in found)
    rows = [(*what, f"{count:,}") for what, count in sorted(counts.items())]
    table = Table(
        ("What", "Event", "Actor", "Outcome", "Times"),
        rows,
        (13, 40, 21, 14, 12),
        empty="Nobody touched patient data in the period.",
    )
    said = f"{len(found):,} events on patient data, each recorded before it was done. Whose data is not told here."
    chart = _by_day("Events on patient data, by day", stores, [(_TOUCH[it["kind"]], it) for it in found])
    return Section("Access to patient data", [Text(said), table, *chart])


def _approvals(stores: Stores) -> Section:
    found = stores.of("governance.approval.", "training.model.", "governance.policy.")
    forged = {number for number, _ in quorum.forged(stores.people)} if stores.of(CHANGED) else set()
    rows = [
        (
            _time(it),
            it["object"],
            "not signed by two" if it["sequence"] in forged else _deed(it),
            it["actor"],
            _detail(it, "risk", "alias"),
        )
        for it in found
    ]
    columns = ("Recorded (UTC)", "Object", "What", "Actor", "Risk, name")
    return Section(
        "Approvals and promotions", _listed(columns, rows, (20, 34, 18, 15, 13), "No model went for approval.")
    )


def _signatures(stores: Stores) -> Section:
    found = stores.of("governance.signature.made")
    names = {one.user: one.name for one in stores.people.store.people()} if stores.has_people else {}
    rows = [
        (
            _time(it),
            _short(it["object"]),
            f"{names.get(it['actor'], 'not known')} ({it['actor']})",
            _detail(it, "meaning"),
            str(it["sequence"]),
        )
        for it in found
    ]
    columns = ("Recorded (UTC)", "Record", "Signer", "Meaning", "Event")
    return Section("Electronic signatures", _listed(columns, rows, (19, 31, 26, 15, 9), "Nothing was signed."))


def _trail(stores: Stores) -> Section:
    counts = Counter(event["kind"] for event in stores.events)
    rest = sum(stores.per_day.values()) - len(stores.events)
    told = [*sorted(counts.items()), *([(", ".join(IN_BULK), rest)] if rest else [])]
    kinds = Table(("Kind", "Events"), [(kind, f"{n:,}") for kind, n in told], (70, 30), empty="No event.")
    done = stores.verification
    wrong = [(str(it.fault), f"{it.sequence:,}", it.detail) for it in done.findings] if done else []
    said = (
        f"{many(done.events, 'event')}, verified against {many(done.anchors, 'anchored head')}."
        if done
        else "There is no trail."
    )
    faults = Table(
        ("Fault", "Event", "How it shows"), wrong[:_MOST], (16, 12, 72), empty="Verification found nothing wrong."
    )
    gaps = [
        (
            f"{it.since:%Y-%m-%d %H:%M}",
            f"{it.until:%Y-%m-%d %H:%M}",
            f"{(it.until - it.since) / _HOUR:,.1f}",
        )
        for it in stores.gaps or ()
    ]
    silent = _listed(("From (UTC)", "To (UTC)", "Hours"), gaps, (36, 36, 28), "None was longer than an hour.")
    days = [day.isoformat() for day in stores.period.days(stores.period.end)]
    counted = {"events": [stores.per_day.get(day, 0) for day in days]}
    chart = Bars("Events of the audit trail, by day", [day[5:] for day in days], counted)
    blocks = [chart, kinds, Text(said), faults, Text("Times with no event:"), *silent]
    return Section("Audit trail: events, integrity, gaps", blocks)


def _backups(stores: Stores) -> Section:
    found = stores.of("governance.backup.")
    rows = [(_time(it), it["object"].removeprefix("backup/"), _deed(it), it["outcome"], _size(it)) for it in found]
    columns = ("Recorded (UTC)", "Backup", "What", "Outcome", "Megabytes")
    listed = _listed(columns, rows, (22, 32, 16, 16, 14), "There was no backup in the period.")
    return Section("Backups", [*_by_day("Backups, by day", stores, [(_deed(it), it) for it in found]), *listed])


def _by_day(title: str, stores: Stores, named: Sequence[tuple[str, Told]]) -> list[Bars]:
    """Draw how many events of each name each day had, if there are any."""
    days = [day.isoformat() for day in stores.period.days(stores.period.end)]
    counts = Counter((name, event["recorded"][:10]) for name, event in named)
    series = {name: [counts[name, day] for day in days] for name in sorted({name for name, _ in named})}
    return [Bars(title, [day[5:] for day in days], series)] if series else []


def _listed(
    columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], empty: str
) -> list[Table | Text]:
    """Return a table of the first rows, and a word on the others."""
    table = Table(columns, rows[:_MOST], widths, empty=empty)
    left = len(rows) - _MOST
    return [table, Text(f"And {left:,} more, which lakeward audit query lists.")] if left > 0 else [table]


def _time(event: Told) -> str:
    return str(event["recorded"])[:16].replace("T", " ")


def _deed(event: Told) -> str:
    done = str(event["type"]).rpartition(".")[2].replace("_", " ")
    return done if event["outcome"] == "success" else f"{done}: {event['outcome']}"


def _detail(event: Told, *names: str) -> str:
    return ", ".join(str(event["details"][name]) for name in names if name in event["details"]) or "-"


def _short(name: str) -> str:
    kind, _, id_ = name.partition("/")
    return f"{kind}/{id_[:16]}…" if len(id_) > 40 else name


def _size(event: Told) -> str:
    size = event["details"].get("bytes")
    return f"{size / 1e6:,.1f}" if isinstance(size, int) else "-"
