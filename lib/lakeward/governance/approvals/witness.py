"""What the audit trail tells of policy and requests: it is believed, not a file that anybody may change."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from lakeward.governance.approvals.errors import Voided
from lakeward.governance.approvals.machine import State
from lakeward.governance.approvals.requests import Request
from lakeward.governance.people.register import events as _events

_POLICY = re.compile(r"policy/([0-9a-f]{64})")
CHANGED = "governance.policy.changed"
DRAFTED = "governance.approval.drafted"
DECIDED = ("governance.approval.approved", "governance.approval.reviewed_after")
EMERGENCY = "governance.approval.emergency"
SUBMITTED = "governance.approval.submitted"
REGISTERED = "training.model.registered"
ENDING = (
    *(f"governance.approval.{what}" for what in ("withdrawn", "rejected", "expired", "voided", "reviewed_after")),
    "training.model.retired",
)
"""What ends a request; the review after an emergency does, if it decides so."""


def changes() -> list[tuple[int, str]]:
    """Return the events that tell of a policy put in force, oldest first: number, and SHA-256 of the policy."""
    told = [(it["sequence"], _POLICY.fullmatch(it["object"])) for it in _events(CHANGED) if it["outcome"] == "success"]
    return [(number, found[1]) for number, found in told if found]


def told(request: Request) -> dict[str, Any]:
    """Return what is recorded of a request when it is drafted, and does not change."""
    return {
        "request": request.id,
        "risk": request.risk.value,
        "digest": request.digest,
        "policy": request.policy.sha256,
        "authors": sorted(request.authors),
    }


def confirm(request: Request) -> int:
    """Make sure that a request is about what it was about when it was drafted, and return that event's number.

    Raises
    ------
    Voided
        If the trail tells otherwise, of when it must be decided, too, or does not know it.
    """
    drafted = _events(DRAFTED, object_=request.object)
    found = [int(it["sequence"]) for it in drafted if told(request).items() <= it["details"].items()]
    timing = EMERGENCY if request.state is State.EMERGENCY and emergency(request) else SUBMITTED
    timed = [it["details"].get("due") for it in _events(timing, object_=request.object) if _is_of(it, request)]
    if not found or (request.waits and request.due not in timed):
        what = f"The request {request.id} about {request.model} {request.version}"
        when = "submitted" if found else "drafted"
        raise Voided(f"{what} is not as the audit trail tells that it was {when}. Restore the store from a backup.")
    return found[0]


def decided(request: Request) -> bool:
    """Whether it was recorded that a request was approved as it is now."""
    wanted = {"decision": "approved", "sha256": request.signed.sha256}.items()
    found = _events(*DECIDED, object_=request.object)
    return any(_is_of(it, request) and wanted <= it["details"].items() for it in found)


def risks(model: str) -> set[str]:
    """Return at which risks versions of a model were approved, or used in an emergency."""
    used = [it for it in _events(*DECIDED, EMERGENCY) if it["object"].rpartition("/")[0] == f"model/{model}"]
    good = [it for it in used if it["outcome"] == "success" and it["details"].get("decision") != "rejected"]
    return {str(it["details"].get("risk")) for it in good}


def ended(request: Request) -> str:
    """Return what was recorded that has ended a request, empty if nothing was."""
    found = [it for it in _events(*ENDING, object_=request.object) if _is_of(it, request)]
    ends = [it["type"].rpartition(".")[2] for it in found if it["details"].get("decision") != "approved"]
    return ends[-1] if ends else ""


def emergency(request: Request) -> str | None:
    """Return the SHA-256 of the record that was signed in an emergency, None if none is recorded."""
    found = [it["details"]["sha256"] for it in _events(EMERGENCY, object_=request.object) if _is_of(it, request)]
    return found[-1] if found else None


def registrars(model: str, run: str | None, source: str | None) -> set[str]:
    """Return who has registered a version of a model, by its run or by the logged model in whose folder its files are.

    MLflow's number of the version is not known yet when that is recorded.
    """
    found = [it for it in _events(REGISTERED, object_=f"model/{model}") if it["outcome"] == "success"]
    folders = PurePath(source or "").parts
    return {
        it["actor"]
        for it in found
        if it["details"].get("logged_model") in folders or (run is not None and it["details"].get("run") == run)
    }


def events(model: str) -> list[dict[str, Any]]:
    """Return what was approved, signed and promoted of a model, oldest first."""
    about = (f"model/{model}", f"model/{model}/")
    found = _events("approval", "signature", "promotion")
    return [it for it in found if it["object"] == about[0] or it["object"].startswith(about[1])]


def _is_of(event: Mapping[str, Any], request: Request) -> bool:
    """Whether an event tells of something that was done to a request, not only tried."""
    return (event["outcome"], event["details"].get("request")) == ("success", request.id)
