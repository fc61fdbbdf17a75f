"""Checks of backups: whether they are made, and whether they would bring anything back."""

from lakeward.governance.reports.checks.check import Seen, check, nothing, seen
from lakeward.governance.reports.stores import Stores

_KIND = "governance.backup."


@check("A backup was made on each day.")
def backups_daily(stores: Stores) -> Seen:
    """Look for days of the period, up to yesterday, with no backup."""
    if not stores.ever(f"{_KIND}created"):
        return nothing("No backup was ever made.")
    made = {it["recorded"][:10] for it in stores.of(f"{_KIND}created") if it["outcome"] == "success"}
    days = [day.isoformat() for day in stores.period.days(stores.now)]
    missing = [day for day in days if day not in made]
    detail = f"{len(days) - len(missing)} of {len(days)} days have a backup"
    return seen(not missing, detail, days=len(days), missing=missing)


@check("Backups were verified by restoring them in the period, and the last verification found nothing wrong.")
def backups_verified(stores: Stores) -> Seen:
    """Look at the period's verifications and failures."""
    if not stores.ever(f"{_KIND}created", f"{_KIND}verified", f"{_KIND}failed"):
        return nothing("No backup was ever made.")
    tried = stores.of(f"{_KIND}verified", f"{_KIND}failed")
    good = [it["sequence"] for it in tried if it["type"].endswith("verified") and it["outcome"] == "success"]
    bad = [it["sequence"] for it in tried if it["sequence"] not in good]
    holds = bool(good) and max(good) > max(bad, default=-1)
    return seen(holds, f"{len(good)} verified, {len(bad)} failed", verified=good, failed=bad)
