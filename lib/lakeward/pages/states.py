"""How states look: a few kinds, each with an icon and a color, so that color never tells alone."""

from lakeward.jobs.record.rows import State
from lakeward.jobs.record.states import LifeCycle, Result

_RESULTS = {
    Result.SUCCESS: "ok",
    Result.SUCCESS_WITH_FAILURES: "partly",
    Result.FAILED: "failed",
    Result.TIMEDOUT: "timedout",
    Result.CANCELED: "canceled",
    Result.UPSTREAM_CANCELED: "canceled",
    Result.UPSTREAM_FAILED: "upstream",
}
_GOING_ON = {
    LifeCycle.RUNNING: "running",
    LifeCycle.TERMINATING: "running",
    LifeCycle.INTERNAL_ERROR: "failed",
    LifeCycle.SKIPPED: "skipped",
}
_WORDS = {
    "SUCCESS": "Succeeded",
    "SUCCESS_WITH_FAILURES": "Succeeded with failures",
    "TIMEDOUT": "Timed out",
    "MAXIMUM_CONCURRENT_RUNS_REACHED": "Skipped: as many ran as may",
}


def kind(state: State | None) -> str:
    """Return the kind of a state, which is the name of its icon and of its class in the style sheet."""
    if state is None:
        return "waiting"
    if state.result:
        return _RESULTS.get(state.result, "skipped")
    return _GOING_ON.get(state.life_cycle, "waiting")


def word(state: State | None) -> str:
    """Return the state as a person reads it."""
    name = str(state or LifeCycle.BLOCKED)
    return _WORDS.get(name, name.replace("_", " ").capitalize())
