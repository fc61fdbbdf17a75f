"""Lock-outs, passed on to whoever watches (21 CFR 11.300(d)): a job asks for those that nobody was told of yet."""

from collections.abc import Mapping
from typing import Any

from lakeward.governance.people.register import events
from lakeward.workspace.events import Event, record

LOCKED = "governance.user.locked"
PASSED_ON = "governance.user.lockouts_passed_on"


def lockouts() -> list[dict[str, Any]]:
    """Return who was locked out after too many failures, and when, oldest first; `sequence` is the event's number."""
    return [{"sequence": it["sequence"], "at": it["recorded"], "user": it["object"]} for it in events(LOCKED)]


def pass_on() -> list[dict[str, Any]]:
    """Return the lock-outs that were not passed on yet, and record that they are now."""
    before = max((until(it) for it in events(PASSED_ON)), default=-1)
    new = [it for it in lockouts() if it["sequence"] > before]
    if new:
        details: Any = {"until": new[-1]["sequence"], "count": len(new)}
        record(Event(type=PASSED_ON, object="lockouts", details=details))
    return new


def until(event: Mapping[str, Any]) -> int:
    """Return up to which event an event tells that lock-outs were passed on; none can tell of what came after it."""
    told = event["details"].get("until")
    return min(told, int(event["sequence"]) - 1) if type(told) is int else -1
