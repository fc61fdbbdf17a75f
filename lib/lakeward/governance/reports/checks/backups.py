"""Checks of backups: whether they are made, and whether they would bring anything back."""

from datetime import date
from itertools import zip_longest

from lakeward.governance.backups.known import CREATED, FAILED, without
from lakeward.governance.backups.verify import VERIFIED
from lakeward.governance.reports.checks.check import Seen, check, nothing, seen
from lakeward.governance.reports.stores import Stores, Told


@check("A backup was made on each day, from the first backup of all on.")
def backups_daily(stores: Stores) -> Seen:
    """Look for days of the period, up to yesterday, with no backup, as `lakeward backup verify` does."""
    ever = stores.ever(CREATED)
    if not ever:
        return nothing("No backup was ever made.")
    since = _day(ever[0])
    days = [day for day in stores.period.days(stores.now) if day >= since]
    if not days:
        return nothing("No day is over since the first backup.")
    told = stores.of(CREATED, VERIFIED, FAILED)
    made = {_day(it) for it, after in zip_longest(told, told[1:]) if it["type"] == CREATED and not _broke(after)}
    missing = without(days, made, since)
    counted = f"{len(days) - len(missing)} of {len(days)} days have a backup"
    detail = f"{counted}; the first of all was made on {since}"
    gone = [day.isoformat() for day in missing]
    return seen(not missing, detail, days=len(days), since=since.isoformat(), missing=gone)


def _day(event: Told) -> date:
    return date.fromisoformat(event["recorded"][:10])


def _broke(after: Told | None) -> bool:
    """Whether what comes after the event of a backup, which is recorded before it is done, says that it failed."""
    return after is not None and after["type"] == FAILED and after["object"] == "backup"


@check("Backups were verified by restoring them in the period, and the last verification found nothing wrong.")
def backups_verified(stores: Stores) -> Seen:
    """Look at the period's verifications and failures."""
    if not stores.ever(CREATED, VERIFIED, FAILED):
        return nothing("No backup was ever made.")
    tried = stores.of(VERIFIED, FAILED)
    good = [it["sequence"] for it in tried if it["type"] == VERIFIED and it["outcome"] == "success"]
    bad = [it["sequence"] for it in tried if it["sequence"] not in good]
    holds = bool(good) and max(good) > max(bad, default=-1)
    return seen(holds, f"{len(good)} verified, {len(bad)} failed", verified=good, failed=bad)
