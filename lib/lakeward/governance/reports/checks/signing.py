"""Checks of electronic signatures, and of what may only happen after them."""

from datetime import datetime, timedelta
from typing import Any

from lakeward.governance.people.errors import SignatureInvalid
from lakeward.governance.people.signatures import Signature, verify
from lakeward.governance.reports.checks.check import Seen, check, many, nothing, seen
from lakeward.governance.reports.stores import Stores, Told

SIGNED, CAME_IN = "governance.signature.made", "governance.login.succeeded"
APPROVED, PROMOTED = "governance.approval.approved", "training.model.promoted"
_AT_ONCE = timedelta(minutes=5)


@check("Each signature that the trail tells of is kept, is its signer's own, and is bound to its record.")
def signatures_valid(stores: Stores) -> Seen:
    """Verify the signatures that were ever made, with the keys that their signers had."""
    told = stores.ever(SIGNED)
    if not told or not stores.has_people:
        return nothing("Nothing was ever signed.")
    bad, good = list[dict[str, Any]](), 0
    for record in sorted({event["object"] for event in told}):
        wanted = [event for event in told if event["object"] == record]
        notes = stores.people.store.notes(*record.split("/", 1))
        valid = [it for note in notes if (it := _verified(note))]
        lost = [it["sequence"] for it in wanted if not any(_is_of(signature, it) for signature in valid)]
        good += len(valid)
        if lost or len(valid) < len(notes):
            bad.append({"record": record, "invalid": len(notes) - len(valid), "not_kept": lost})
    detail = (
        f"{many(len(told), 'signature')} told of, {good} valid ones kept, {many(len(bad), 'record')} where they differ"
    )
    return seen(not bad, detail, told=[it["sequence"] for it in told], valid=good, wrong=bad)


@check("Who signed had come in with both components, identity and password, right before.")
def signatures_by_login(stores: Stores) -> Seen:
    """Look for the login that goes before each of the period's signatures."""
    signed = stores.of(SIGNED)
    if not signed:
        return nothing("Nothing was signed in the period.")
    logins = stores.of(CAME_IN)
    without = [event["sequence"] for event in signed if not any(_right_before(login, event) for login in logins)]
    detail = f"{many(len(signed), 'signature')}, {len(without)} with no login of the signer right before"
    return seen(not without, detail, signatures=[it["sequence"] for it in signed], without=without)


@check("No model version was promoted without an approved request for it.")
def promotions_approved(stores: Stores) -> Seen:
    """Compare the period's promotions with the approvals before them."""
    promoted = stores.of(PROMOTED)
    if not promoted:
        return nothing("No model version was promoted in the period.")
    approved = stores.ever(APPROVED)
    without = [it["sequence"] for it in promoted if not any(_approves(one, it) for one in approved)]
    detail = f"{many(len(promoted), 'promotion')}, {len(without)} without an approval"
    return seen(not without, detail, promotions=[it["sequence"] for it in promoted], without=without)


@check("Nobody approved a request that they had drafted or submitted.")
def approvers_others(stores: Stores) -> Seen:
    """Compare who approved with who made each request."""
    approved = stores.of(APPROVED)
    if not approved:
        return nothing("Nothing was approved in the period.")
    made = stores.ever("governance.approval.drafted", "governance.approval.submitted")
    makers = {(it["object"], it["details"].get("request"), it["actor"]) for it in made}
    own = [it["sequence"] for it in approved if (it["object"], it["details"].get("request"), it["actor"]) in makers]
    detail = f"{many(len(approved), 'approval')}, {len(own)} of one's own request"
    return seen(not own, detail, approvals=[it["sequence"] for it in approved], own=own)


@check("No name of a model version was changed around the approvals, in the model registry itself.")
def registry_untouched(stores: Stores) -> Seen:
    """Look for changes that were found in the registry and that no promotion had made."""
    changes = [it for it in stores.of("training.model.") if it["type"] != "training.model.alias_changed_outside"]
    outside = stores.of("training.model.alias_changed_outside")
    if not changes and not outside:
        return nothing("Nothing happened to models in the period.")
    detail = f"{many(len(changes), 'change')} by Lakeward, {len(outside)} from outside"
    return seen(not outside, detail, changes=len(changes), outside=[it["sequence"] for it in outside])


def _verified(note: str) -> Signature | None:
    try:
        return verify(note)
    except SignatureInvalid:
        return None


def _is_of(signature: Signature, event: Told) -> bool:
    said = str(signature.signed), signature.signed.sha256, signature.signer
    return said == (event["object"], event["details"].get("sha256"), event["actor"])


def _right_before(login: Told, event: Told) -> bool:
    passed: timedelta = datetime.fromisoformat(event["recorded"]) - datetime.fromisoformat(login["recorded"])
    before = login["sequence"] < event["sequence"] and timedelta() <= passed <= _AT_ONCE
    return bool(before and login["object"] == event["actor"])


def _approves(approval: Told, promotion: Told) -> bool:
    same = approval["object"] == promotion["object"]
    asked = approval["details"].get("request") == promotion["details"].get("request")
    return bool(same and asked and approval["sequence"] < promotion["sequence"])
