"""Whether a task runs, and what a run's result is, as Databricks documents it.

Source: Databricks documentation, Configure task dependencies; Disabled tasks in Lakeflow Jobs; Add branching logic to a
job with the If/else task; Jobs API reference, RunIf and ConditionTask.op.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from lakeward.jobs.bundle.job import BaseTask, ConditionTask, Job
from lakeward.jobs.record.rows import State
from lakeward.jobs.record.states import Code, LifeCycle, Result
from lakeward.workspace.errors import LakewardError

SUCCESS = State(LifeCycle.TERMINATED, Result.SUCCESS, Code.SUCCESS)
DISABLED = State(LifeCycle.SKIPPED, Result.DISABLED, Code.DISABLED)
_EXCLUDED = State(LifeCycle.SKIPPED, Result.EXCLUDED, Code.SKIPPED)

_SUCCEEDED = {Result.SUCCESS, Result.SUCCESS_WITH_FAILURES}
_CANCELED = {Result.CANCELED, Result.UPSTREAM_CANCELED}
_FAILED = {Result.FAILED, Result.TIMEDOUT, Result.UPSTREAM_FAILED, Result.MAXIMUM_CONCURRENT_RUNS_REACHED}


class IllComparison(LakewardError):
    """A condition compares what can't be compared."""


class Before(Enum):
    """What a task sees of one that it depends on."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXCLUDED = "excluded"
    OTHER_BRANCH = "other branch"
    """It is a condition, and its outcome is the one that was not asked for."""
    DISABLED = "disabled"


@dataclass(frozen=True)
class Ended:
    """How a task ended, with the outcome if it is a condition."""

    state: State
    outcome: str | None = None

    def seen(self, asked: str | None) -> Before:
        """Return what a task sees that asks for this outcome, or for none."""
        result = self.state.result
        if result in _SUCCEEDED:
            return Before.SUCCEEDED if asked in (None, self.outcome) else Before.OTHER_BRANCH
        if result in _CANCELED:
            return Before.CANCELED
        if result is Result.EXCLUDED:
            return Before.EXCLUDED
        return Before.DISABLED if result is Result.DISABLED else Before.FAILED


def decide(task: BaseTask, ended: Mapping[str, Ended]) -> State | None:
    """Return None if a task is to run, else the state that it has without running.

    Parameters
    ----------
    ended : mapping
        The tasks that it depends on, each of which has ended.
    """
    if task.disabled:
        return DISABLED
    before = [ended[dependency.task_key].seen(dependency.outcome) for dependency in task.depends_on]
    # Excluded tasks count as successful, but where there are no others, there is nothing to go on from.
    if before and all(each in (Before.EXCLUDED, Before.OTHER_BRANCH) for each in before):
        return _EXCLUDED
    return _RULES[task.run_if](before) if before else None


def _all_success(before: list[Before]) -> State | None:
    if Before.DISABLED in before:
        return DISABLED
    if blocked := _blocked(before):
        return blocked
    return _EXCLUDED if Before.OTHER_BRANCH in before else None


def _at_least_one_success(before: list[Before]) -> State | None:
    if Before.SUCCEEDED in before or Before.EXCLUDED in before:
        return None
    return _blocked(before) or _nothing(before)


def _none_failed(before: list[Before]) -> State | None:
    if set(before) == {Before.DISABLED}:
        return DISABLED
    return _blocked(before)


def _all_done(before: list[Before]) -> State | None:
    return None


def _at_least_one_failed(before: list[Before]) -> State | None:
    # A canceled task counts: what handles failures also tidies up after a task that a person has stopped.
    return None if _blocked(before) else _nothing(before)


def _all_failed(before: list[Before]) -> State | None:
    return None if set(before) <= {Before.FAILED, Before.CANCELED} else _nothing(before)


def _blocked(before: list[Before]) -> State | None:
    if Before.FAILED in before:
        return State(LifeCycle.SKIPPED, Result.UPSTREAM_FAILED, Code.SKIPPED)
    if Before.CANCELED in before:
        return State(LifeCycle.SKIPPED, Result.UPSTREAM_CANCELED, Code.SKIPPED)
    return None


def _nothing(before: list[Before]) -> State:
    return DISABLED if Before.DISABLED in before else _EXCLUDED


_RULES: dict[str, Callable[[list[Before]], State | None]] = {
    "ALL_SUCCESS": _all_success,
    "AT_LEAST_ONE_SUCCESS": _at_least_one_success,
    "NONE_FAILED": _none_failed,
    "ALL_DONE": _all_done,
    "AT_LEAST_ONE_FAILED": _at_least_one_failed,
    "ALL_FAILED": _all_failed,
}


def result_of(job: Job, states: Mapping[str, State]) -> State:
    """Return how a run ended: as its last tasks did, those that no other depends on."""
    needed = {dependency.task_key for task in job.tasks for dependency in task.depends_on}
    leaves = [states[task.task_key].result for task in job.tasks if task.task_key not in needed]
    bad = [key for key, state in states.items() if state.result in _FAILED | _CANCELED]
    message = f"Not successful: {_few(bad)}." if bad else ""
    if _FAILED.intersection(leaves):
        return State(LifeCycle.TERMINATED, Result.FAILED, Code.RUN_EXECUTION_ERROR, message)
    if _CANCELED.intersection(leaves):
        return State(LifeCycle.TERMINATED, Result.CANCELED, Code.USER_CANCELED, message)
    if bad:
        return State(LifeCycle.TERMINATED, Result.SUCCESS_WITH_FAILURES, Code.SUCCESS_WITH_FAILURES, message)
    return SUCCESS


def _few(names: Iterable[str], most: int = 5) -> str:
    shown = list(names)
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def holds(condition: ConditionTask, left: str, right: str) -> bool:
    """Compare two operands: as text for EQUAL_TO and NOT_EQUAL (``12.0`` is not ``12``), else as numbers.

    Raises
    ------
    IllComparison
        If an operand is to be a number and is none.
    """
    if condition.op in ("EQUAL_TO", "NOT_EQUAL"):
        return (left == right) is (condition.op == "EQUAL_TO")
    compare = {
        "GREATER_THAN": operator.gt,
        "GREATER_THAN_OR_EQUAL": operator.ge,
        "LESS_THAN": operator.lt,
        "LESS_THAN_OR_EQUAL": operator.le,
    }[condition.op]
    try:
        return bool(compare(float(left), float(right)))
    except ValueError:
        raise IllComparison(f"{condition.op} compares numbers, and an operand is none.") from None
