"""Checks of electronic signatures, and of what may only happen after them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lakeward.governance.reports.checks.check import Seen, check, many, nothing, seen
from lakeward.governance.reports.stores import Stores, Told, of_signature

SIGNED, CAME_IN = "governance.signature.made", "governance.login.succeeded"
APPROVED, REVIEWED_AFTER = "governance.approval.approved", "governance.approval.reviewed_after"
EMERGENCY, PROMOTED = "governance.approval.emergency", "training.model.promoted"
_MONTH = timedelta(days=31)
_AT_ONCE = timedelta(minutes=5)


@check("Each signature that the trail tells of is kept, is its signer's own, and is bound to its record.")
def signatures_valid(stores: Stores) -> Seen:
    """Verify all signatures with the keys that the trail tells of, and look for those that are not kept."""
    told = stores.ever(SIGNED)
    if stores.register is None or not (told or stores.register.signatures):
        return nothing("Nothing was ever signed.")
    wrong = [f"{it.what}: {it.detail}" for it in stores.register.findings if of_signature(it)]
    kept = many(stores.register.signatures, "signature")
    detail = f"{kept} kept, {len(told)} told of, {many(len(wrong), 'fault')}"
    return seen(not wrong, detail, kept=stores.register.signatures, told=_numbers(told), faults=wrong)


@check("Who signed had come in with both components, identity and password, right before.")
def signatures_by_login(stores: Stores) -> Seen:
    """Look for the login that goes before each of the period's signatures."""
    signed = stores.of(SIGNED)
    if not signed:
        return nothing("Nothing was signed in the period.")
    logins = stores.of(CAME_IN)
    without = [event["sequence"] for event in signed if not any(_right_before(login, event) for login in logins)]
    detail = f"{many(len(signed), 'signature')}, {len(without)} with no login of the signer right before"
    return seen(not without, detail, signatures=_numbers(signed), without=without)


@check("Whoever signed had been confirmed before, by somebody else than who had given them their way in.")
def signers_confirmed(stores: Stores) -> Seen:
    """Look at what the trail tells of each signer at that time: so nobody can sign as another with no accomplice."""
    signed = stores.of(SIGNED)
    if not signed:
        return nothing("Nothing was signed in the period.")
    alone = [it["sequence"] for it in signed if not (then := stores.then(it)) or then.facts["confirmed"] is None]
    detail = f"{many(len(signed), 'signature')}, {len(alone)} by somebody whom nobody had confirmed"
    return seen(not alone, detail, signatures=_numbers(signed), not_confirmed=alone)


@check("No model version was promoted without an approved request for it, or a recorded emergency.")
def promotions_approved(stores: Stores) -> Seen:
    """Compare the period's promotions with the approvals before them."""
    promoted = _done(stores.of(PROMOTED, "training.model.rolled_back"))
    if not promoted:
        return nothing("No model version was promoted in the period.")
    approved = [*_approvals(stores.ever(APPROVED, REVIEWED_AFTER)), *_done(stores.ever(EMERGENCY))]
    without = [it["sequence"] for it in promoted if not any(_approves(one, it) for one in approved)]
    detail = f"{many(len(promoted), 'promotion')}, {len(without)} without an approval"
    return seen(not without, detail, promotions=_numbers(promoted), without=without)


@check("Nobody approved a request that they had drafted, or a model version that they had made.")
def approvers_others(stores: Stores) -> Seen:
    """Compare who approved with who made each request, and the version that it is about."""
    approved = _approvals(stores.of(APPROVED, REVIEWED_AFTER))
    if not approved:
        return nothing("Nothing was approved in the period.")
    makers = dict[Any, set[str]]()
    for event in stores.ever("governance.approval.drafted", "governance.approval.submitted"):
        makers.setdefault(_request(event), set()).update({event["actor"], *event["details"].get("authors", ())})
    own = [it["sequence"] for it in approved if _approvers(it) & makers.get(_request(it), set())]
    detail = f"{many(len(approved), 'approval')}, {len(own)} of one's own request or model"
    return seen(not own, detail, approvals=_numbers(approved), own=own)


@check("Each model version that was used in an emergency was reviewed afterwards, in time.")
def emergencies_reviewed(stores: Stores) -> Seen:
    """Look for the review after each emergency of the period and the month before it."""
    found = _done(stores.since(stores.period.first - _MONTH, EMERGENCY))
    if not found and not stores.of(APPROVED, PROMOTED):
        return nothing("Nothing was approved or promoted in the period.")
    reviews = _done(stores.ever(REVIEWED_AFTER))
    late = [it["sequence"] for it in found if _overdue(it, reviews, stores.now)]
    reviewed = {_request(it) for it in reviews}
    waits = [it for it in found if it["sequence"] not in late and _request(it) not in reviewed]
    detail = f"{many(len(found), 'emergency', 'emergencies')}, {len(late)} not reviewed in time"
    if waits:
        detail += f"; {many(len(waits), 'waits', 'wait')}, due {min(map(_due, waits)):%Y-%m-%d %H:%M} UTC"
    return seen(not late, detail, emergencies=_numbers(found), late=late, waits=_numbers(waits))


@check("No name of a model version was changed around the approvals, in the model registry itself.")
def registry_untouched(stores: Stores) -> Seen:
    """Look for changes that were found in the registry and that no promotion had made."""
    changes = [it for it in stores.of("training.model.") if it["type"] != "training.model.alias_changed_outside"]
    outside = stores.of("training.model.alias_changed_outside")
    if not changes and not outside:
        return nothing("Nothing happened to models in the period.")
    detail = f"{many(len(changes), 'change')} by Lakeward, {len(outside)} from outside"
    return seen(not outside, detail, changes=len(changes), outside=_numbers(outside))


def _right_before(login: Told, event: Told) -> bool:
    passed: timedelta = datetime.fromisoformat(event["recorded"]) - datetime.fromisoformat(login["recorded"])
    before = login["sequence"] < event["sequence"] and timedelta() <= passed <= _AT_ONCE
    return bool(before and login["object"] == event["actor"])


def _done(events: list[Told]) -> list[Told]:
    """Those of what was done, not only tried."""
    return [event for event in events if event["outcome"] == "success"]


def _approvals(events: list[Told]) -> list[Told]:
    """Those of what was approved; a review after an emergency may have rejected it."""
    return [it for it in _done(events) if it["type"] == APPROVED or it["details"].get("decision") == "approved"]


def _approves(approval: Told, promotion: Told) -> bool:
    return bool(_request(approval) == _request(promotion) and approval["sequence"] < promotion["sequence"])


def _request(event: Told) -> tuple[str, Any]:
    return event["object"], event["details"].get("request")


def _approvers(event: Told) -> set[str]:
    return {event["actor"], *event["details"].get("approvers", ())}


def _overdue(emergency: Told, reviews: list[Told], now: datetime) -> bool:
    due = min(now, _due(emergency))
    done = [datetime.fromisoformat(it["recorded"]) for it in reviews if _request(it) == _request(emergency)]
    return due < now and not any(at <= due for at in done)


def _due(emergency: Told) -> datetime:
    return datetime.fromtimestamp(emergency["details"].get("due", 0), UTC)


def _numbers(events: list[Told]) -> list[int]:
    return [event["sequence"] for event in events]
