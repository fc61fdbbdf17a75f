"""Checks of the audit trail: whether it is whole, was ever silent, is kept, guarded, and looked at."""

from datetime import date, datetime

from lakeward.governance.reports.checks.check import Seen, check, many, nothing, seen
from lakeward.governance.reports.stores import ALLOWED_SILENCE, Stores
from lakeward.governance.trail.anchors import ANCHORED
from lakeward.governance.trail.keeping import RETIRED, YEARS, floor
from lakeward.governance.trail.trail import OPENED
from lakeward.workspace.settings import settings

_NO_TRAIL = "No event was ever recorded."
_SAID = ("actor", "type", "recorded", "outcome", "host", "object")
_REVIEWED = "governance.audit.reviewed"


@check("Every entry of the audit trail, its chain, its tree and its signed heads are as they were signed.")
def audit_intact(stores: Stores) -> Seen:
    """Verify the whole trail, also against the heads that were anchored elsewhere."""
    done = stores.verification
    if done is None:
        return nothing(_NO_TRAIL)
    findings = [f"{it.fault} at event {it.sequence}: {it.detail}" for it in done.findings]
    detail = f"{many(done.events, 'event')}, {many(done.anchors, 'anchored head')}, {many(len(findings), 'finding')}"
    return seen(not findings, detail, events=done.events, head=done.head, keys=stores.keys, findings=findings)


@check("At no time was the audit trail silent for more than an hour; heartbeats count.")
def audit_continuous(stores: Stores) -> Seen:
    """Look for gaps between the period's events."""
    if stores.gaps is None:
        return nothing(_NO_TRAIL)
    found = [{"since": _second(it.since), "until": _second(it.until), "after_event": it.after} for it in stores.gaps]
    longest = max((it.until - it.since for it in stores.gaps), default=ALLOWED_SILENCE)
    detail = many(len(found), "gap") + (
        f", the longest of {longest.total_seconds() / 3600:,.1f} hours" if found else ""
    )
    return seen(not found, detail, allowed_minutes=60, gaps=found, until=_second(stores.until))


@check("Signed heads of the trail are kept outside of it: all that were, are, and one was added in the period.")
def audit_anchored(stores: Stores) -> Seen:
    """Compare what was anchored with what is left of it."""
    placed = stores.ever(ANCHORED)
    done = stores.verification
    if not placed or done is None:
        return nothing("No head was ever anchored outside the lakehouse.")
    lost = sorted(it.detail for it in done.findings if "no head is left" in it.detail)
    now = len(stores.of(ANCHORED))
    places = many(len({it["object"] for it in placed}), "place")
    detail = f"{many(done.anchors, 'head')}, {now} new, in {places}, of which {len(lost)} lost"
    return seen(bool(now) and not lost, detail, anchored=[it["sequence"] for it in placed], new=now, lost=lost)


@check("The audit trail was looked at in the period, by somebody who was added here; a job's own account is nobody.")
def audit_reviewed(stores: Stores) -> Seen:
    """Look for recorded reviews by people."""
    if not stores.per_day:
        return nothing("No event was recorded in the period.")
    people = {one.user for one in stores.people.store.people()} if stores.has_people else set()
    found = [it for it in stores.of(_REVIEWED) if it["outcome"] == "success" and it["actor"] in people]
    by = sorted({it["actor"] for it in found})
    return seen(
        bool(found),
        f"{many(len(found), 'review')} by {many(len(by), 'person', 'people')}",
        events=_numbers(found),
        by=by,
    )


@check("The audit trail was gone through on each day, by a person or by the daily job, from its first day on.")
def audit_reviewed_daily(stores: Stores) -> Seen:
    """Look for days of the period, up to yesterday, with no review."""
    if not stores.per_day:
        return nothing("No event was recorded in the period.")
    first = stores.ever(OPENED)
    since = _day(first[0]["recorded"][:10]) if first else stores.period.first
    days = [day for day in stores.period.days(stores.now) if day >= since]
    if not days:
        return nothing("No day is over since the first event.")
    reviewed = {it["recorded"][:10] for it in stores.of(_REVIEWED) if it["outcome"] == "success"}
    missing = [day.isoformat() for day in days if day.isoformat() not in reviewed]
    detail = f"{len(days) - len(missing)} of {many(len(days), 'day')}; the first event was on {since}"
    return seen(not missing, detail, since=since.isoformat(), missing=missing)


@check(f"No event was deleted before {YEARS} years had passed.")
def audit_kept(stores: Stores) -> Seen:
    """Compare each deletion that the trail tells of with the time of keeping."""
    if stores.verification is None:
        return nothing(_NO_TRAIL)
    done = stores.ever(RETIRED)
    early = [it["sequence"] for it in done if _day(it["details"].get("day")) > floor(_day(it["recorded"][:10]))]
    unsaid = [it.sequence for it in stores.verification.findings if it.fault in ("deletion", "truncation")]
    detail = f"{many(len(done), 'deletion')}, {len(early)} of them too early, and {len(unsaid)} that no event tells of"
    return seen(not early and not unsaid, detail, deletions=_numbers(done), too_early=early, unsaid=unsaid)


@check("Each event says who, what, when, with which outcome, where, and to what; those in bulk are not looked at.")
def audit_detailed(stores: Stores) -> Seen:
    """Look for the period's events that leave one of these out."""
    if not stores.events:
        return nothing("No event was recorded in the period.")
    short = [it["sequence"] for it in stores.events if not all(it[name] for name in _SAID)]
    detail = f"{many(len(stores.events), 'event')}, {len(short)} of them with something left out"
    return seen(not short, detail, fields=list(_SAID), events=len(stores.events), short=short)


@check("The folders of the trail, of people and approvals, and of what came in, are open to their owner alone.")
def stores_private(stores: Stores) -> Seen:
    """Look at the modes of the folders, which shut all that is in them."""
    modes = {folder.name: folder.stat().st_mode & 0o777 for folder in stores.folders if folder.exists()}
    if not modes:
        return nothing("There are no such folders.")
    open_ = sorted(name for name, mode in modes.items() if mode & 0o077)
    if settings().audit_store and not open_:
        return nothing("The trail is in a database, and who may read that can't be seen from here.")
    texts = {name: f"{mode:o}" for name, mode in modes.items()}
    return seen(not open_, f"{many(len(modes), 'folder')}, {len(open_)} open to others", modes=texts, open=open_)


def _numbers(events: list[dict[str, object]]) -> list[object]:
    return [event["sequence"] for event in events]


def _second(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _day(text: object) -> date:
    return date.fromisoformat(str(text)) if text else date.max
