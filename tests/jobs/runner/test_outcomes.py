"""When a task runs, and how a run ends, as Databricks documents it."""

from itertools import product

import pytest

from lakeward.jobs.bundle.job import BaseTask, ConditionTask, Job
from lakeward.jobs.record.rows import State
from lakeward.jobs.record.states import LifeCycle, Result
from lakeward.jobs.runner.outcomes import Ended, IllComparison, decide, holds, result_of


def ended(result: str, outcome: str | None = None) -> Ended:
    return Ended(State(LifeCycle.TERMINATED, Result(result)), outcome)


def decided(run_if: str, *before: str, **task: object) -> str:
    """What becomes of a task after others that ended so."""
    keys = [f"t{number}" for number in range(len(before))]
    kind = {"task_key": "it", "condition_task": {"left": "1", "op": "EQUAL_TO", "right": "1"}}
    declared = BaseTask.model_validate(
        {**kind, "run_if": run_if, "depends_on": [{"task_key": key} for key in keys], **task}
    )
    state = decide(declared, {key: ended(result) for key, result in zip(keys, before, strict=True)})
    return "runs" if state is None else str(state.result)


S, F, X, D, C = "SUCCESS", "FAILED", "EXCLUDED", "DISABLED", "CANCELED"
UF, UC, T = "UPSTREAM_FAILED", "UPSTREAM_CANCELED", "TIMEDOUT"


@pytest.mark.parametrize(
    ("run_if", "before", "expected"),
    [
        ("ALL_SUCCESS", (S, S), "runs"),
        ("ALL_SUCCESS", (S, F), UF),
        ("ALL_SUCCESS", (S, T), UF),
        ("ALL_SUCCESS", (S, UF), UF),
        ("ALL_SUCCESS", (S, C), UC),
        ("ALL_SUCCESS", (S, X), "runs"),  # excluded tasks count as successful
        ("ALL_SUCCESS", (S, "SUCCESS_WITH_FAILURES"), "runs"),
        ("AT_LEAST_ONE_SUCCESS", (F, S), "runs"),
        ("AT_LEAST_ONE_SUCCESS", (F, C), UF),
        ("AT_LEAST_ONE_SUCCESS", (C, UC), UC),
        ("NONE_FAILED", (S, X), "runs"),
        ("NONE_FAILED", (S, F), UF),
        ("NONE_FAILED", (S, UC), UC),
        ("ALL_DONE", (F, C), "runs"),
        ("AT_LEAST_ONE_FAILED", (S, F), "runs"),
        ("AT_LEAST_ONE_FAILED", (S, C), "runs"),  # what handles failures also runs after a canceled task
        ("AT_LEAST_ONE_FAILED", (S, S), X),
        ("ALL_FAILED", (F, UF), "runs"),
        ("ALL_FAILED", (S, F), X),
    ],
)
def test_run_if(run_if: str, before: tuple[str, ...], expected: str) -> None:
    assert decided(run_if, *before) == expected
    assert decided(run_if, *reversed(before)) == expected


ALL = ("ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED")


@pytest.mark.parametrize("run_if", ALL)
def test_where_all_before_are_excluded_so_is_the_task(run_if: str) -> None:
    assert decided(run_if, X, X) == X


@pytest.mark.parametrize(
    ("run_if", "before", "expected"),
    [
        ("ALL_SUCCESS", (D,), D),
        ("AT_LEAST_ONE_SUCCESS", (D, S), "runs"),
        ("AT_LEAST_ONE_SUCCESS", (D,), D),
        ("NONE_FAILED", (D, X), "runs"),
        ("NONE_FAILED", (D, D), D),
        ("ALL_DONE", (D,), "runs"),
        ("AT_LEAST_ONE_FAILED", (D, F), "runs"),
        ("AT_LEAST_ONE_FAILED", (D, S), D),
        ("ALL_FAILED", (D,), D),
    ],
)
def test_after_disabled_tasks(run_if: str, before: tuple[str, ...], expected: str) -> None:
    assert decided(run_if, *before) == expected


def test_a_disabled_task_never_runs() -> None:
    assert {decided(run_if, *before, disabled=True) for run_if, before in product(ALL, [(S,), (F,)])} == {D}


@pytest.mark.parametrize(
    ("asked", "run_if", "expected"),
    [("true", "ALL_SUCCESS", None), ("false", "ALL_SUCCESS", X), ("false", "ALL_DONE", X)],
)
def test_a_branch_that_is_not_taken_is_excluded(asked: str, run_if: str, expected: str | None) -> None:
    task = BaseTask.model_validate(
        {
            "task_key": "it",
            "run_if": run_if,
            "depends_on": [{"task_key": "choice", "outcome": asked}],
            "spark_python_task": {"python_file": "a.py"},
        }
    )
    state = decide(task, {"choice": ended(S, "true")})
    assert (state and str(state.result)) == expected


@pytest.mark.parametrize(
    ("op", "left", "right", "expected"),
    [
        ("EQUAL_TO", "12.0", "12", False),  # as text
        ("NOT_EQUAL", "12.0", "12", True),
        ("EQUAL_TO", "a", "a", True),
        ("GREATER_THAN_OR_EQUAL", "12.0", "12", True),  # as numbers
        ("GREATER_THAN", "9", "10", False),
        ("LESS_THAN", "9", "10", True),
        ("LESS_THAN_OR_EQUAL", "-1", "-1", True),
    ],
)
def test_conditions(op: str, left: str, right: str, expected: bool) -> None:
    assert holds(ConditionTask(left=left, op=op, right=right), left, right) is expected  # type: ignore[arg-type]


def test_text_is_neither_more_nor_less_than_a_number() -> None:
    with pytest.raises(IllComparison, match="numbers"):
        holds(ConditionTask(left="many", op="LESS_THAN", right="3"), "many", "3")


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(S, S, S), (F, S, "SUCCESS_WITH_FAILURES"), (F, X, "SUCCESS_WITH_FAILURES"), (S, F, F), (S, UF, F), (S, C, C)],
)
def test_a_run_ends_as_its_last_tasks_do(first: str, last: str, expected: str) -> None:
    kind = {"spark_python_task": {"python_file": "a.py"}}
    job = Job.model_validate(
        {
            "name": "a",
            "tasks": [
                {"task_key": "first", **kind},
                {"task_key": "last", "run_if": "ALL_DONE", "depends_on": [{"task_key": "first"}], **kind},
            ],
        }
    )
    states = {"first": ended(first).state, "last": ended(last).state}
    assert str(result_of(job, states)) == expected
