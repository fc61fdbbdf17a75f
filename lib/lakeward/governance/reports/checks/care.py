"""Checks of patient data in hand: what came in, what was set aside, looked up, and taken out."""

from datetime import timedelta

from lakeward.governance.reports.checks.check import Seen, check, many, nothing, seen
from lakeward.governance.reports.stores import Stores

OPEN_DAYS = 30


@check("All that came in was stored or set aside: found = known + stored + quarantined in each run that succeeded.")
def inputs_accounted(stores: Stores) -> Seen:
    """Add up the runs that the period began."""
    names = ("run_id", "state", "found", "known", "stored", "quarantined")
    runs = stores.rows("imaging.runs", names, f"state = 'SUCCESS' AND {_within(stores, 'started_at')}")
    if not runs:
        return nothing("Nothing was ingested in the period.")
    lost = [it["run_id"] for it in runs if it["found"] != it["known"] + it["stored"] + it["quarantined"]]
    found, aside = sum(it["found"] for it in runs), sum(it["quarantined"] for it in runs)
    sums = f"{many(found, 'file')}, {aside:,} set aside"
    detail = f"{many(len(runs), 'run')}, {sums}, {many(len(lost), 'run')} that don't add up"
    return seen(not lost, detail, runs=runs, wrong=lost)


@check(f"Nothing has been set aside for more than {OPEN_DAYS} days with nobody's decision.")
def quarantine_attended(stores: Stores) -> Seen:
    """Look for the oldest open entries of the quarantine."""
    found = stores.rows("imaging.quarantine", ("quarantined_at", "reason"), "status = 'open'")
    if found is None:
        return nothing("Nothing was ever ingested.")
    limit = stores.now - timedelta(days=OPEN_DAYS)
    old = [it for it in found if it["quarantined_at"].timestamp() < limit.timestamp()]
    counts: dict[str, int] = {}
    for entry in found:
        counts[entry["reason"]] = counts.get(entry["reason"], 0) + 1
    oldest = min((it["quarantined_at"].date().isoformat() for it in found), default="")
    return seen(
        not old, f"{len(found)} open, {len(old)} of them too long", open=counts, too_long=len(old), oldest=oldest
    )


@check("Images were drawn at random in the period, people looked at all of these, and saw nobody's identity in them.")
def masking_looked_at(stores: Stores) -> Seen:
    """Look at the verdicts on the images that were drawn."""
    where = _within(stores, "sampled_at")
    drawn = stores.rows("imaging.reviews", ("sample", "population", "verdict", "reviewer"), where)
    if not drawn:
        return nothing("No image was drawn to be looked at in the period.")
    waiting = sum(it["verdict"] is None for it in drawn)
    bad = sum(it["verdict"] not in (None, "clean") for it in drawn)
    samples = {it["sample"]: it["population"] for it in drawn}
    by = sorted({it["reviewer"] for it in drawn if it["reviewer"]})
    detail = f"{many(len(drawn), 'image')} drawn, {len(drawn) - waiting} looked at, identity seen in {bad}"
    return seen(not waiting and not bad, detail, samples=samples, drawn=len(drawn), waiting=waiting, seen=bad, by=by)


@check("Whoever looked up what a pseudonym stands for had said why.")
def lookups_reasoned(stores: Stores) -> Seen:
    """Look for reasons with the period's look-ups; one that was erased by a request counts as given."""
    found = stores.of("imaging.crosswalk.looked_up")
    if not found:
        return nothing("Nobody looked a pseudonym up in the period.")
    silent = [it["sequence"] for it in found if not it["reason"] and not it["erased"]]
    by = many(len({it["actor"] for it in found}), "person", "people")
    detail = f"{many(len(found), 'look-up')} by {by}, {len(silent)} with no reason"
    return seen(not silent, detail, lookups=[it["sequence"] for it in found], silent=silent)


@check("Each withdrawal of a patient's data has its reason, was carried out, and the patient is refused from then on.")
def erasures_done(stores: Stores) -> Seen:
    """Compare the period's withdrawals with the patients who are refused, and look for work that was left undone."""
    found = stores.of("imaging.patient.withdrawn")
    if not found:
        return nothing("No patient was withdrawn in the period.")
    refused = {row["withdrawn"] for row in stores.rows("intake.withdrawn", ("withdrawn",)) or ()}
    undone = [it["sequence"] for it in found if it["object"] not in refused or not (it["reason"] or it["erased"])]
    plans = stores.unfinished_withdrawals
    detail = f"{many(len(found), 'withdrawal')}, {len(undone)} not done or with no reason, {plans} interrupted"
    numbers = [it["sequence"] for it in found]
    return seen(not undone and not plans, detail, withdrawals=numbers, undone=undone, interrupted=plans)


def _within(stores: Stores, column: str) -> str:
    begin, end = (f"'{at:%Y-%m-%dT%H:%M:%SZ}'" for at in (stores.period.begin, stores.period.end))
    return f"{column} >= {begin} AND {column} < {end}"
