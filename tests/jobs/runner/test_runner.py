"""Jobs run end to end: what the record says is what happened."""

from collections.abc import Callable
from typing import Any

from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.record.states import LifeCycle, Result

Write = Callable[..., str]
Go = Callable[..., Run]


def after(*keys: str, **outcome: str) -> list[dict[str, Any]]:
    return [{"task_key": key, **outcome} for key in keys]


def states(record: Record, run: Run) -> dict[str, str]:
    return {
        f"{row.task}.{row.iteration}" if row.iteration is not None else row.task: str(row.state)
        for row in record.tasks(run.run_id)
    }


def test_tasks_run_in_their_order_and_hand_values_on(record: Record, notebook: Write, run: Go) -> None:
    first = notebook("first", "n = 1", "dbutils.jobs.taskValues.set('double', 2 * int(n))")
    second = notebook(
        "second", "double = ''", "assert dbutils.jobs.taskValues.get('first', 'double') == 6\nassert double == '6'"
    )
    ended = run(
        {"task_key": "first", "notebook_task": {"notebook_path": first, "base_parameters": {"n": "2"}}},
        {
            "task_key": "second",
            "depends_on": after("first"),
            "notebook_task": {
                "notebook_path": second,
                "base_parameters": {"double": "{{tasks.first.values.double}}"},
            },
        },
        parameters=[{"name": "n", "default": "3"}],
    )
    assert ended.state.result is Result.SUCCESS
    assert states(record, ended) == {"first": "SUCCESS", "second": "SUCCESS"}
    tries = record.attempts(ended.run_id)
    assert [(t.task, t.number, t.exit_code) for t in tries] == [("first", 0, 0), ("second", 0, 0)]
    assert all((t.folder / "notebook.ipynb").exists() for t in tries)
    assert tries[0].ended <= tries[1].started  # type: ignore[operator]
    assert record.values(ended.run_id)[("first", None)] == {"double": 6}


def test_a_failing_task_ends_those_after_it(record: Record, notebook: Write, run: Go) -> None:
    bad = notebook("bad", "", "x = 1", "print('on the way')\nx / 0  # here")
    ended = run(
        {"task_key": "bad", "notebook_task": {"notebook_path": bad}},
        {"task_key": "next", "depends_on": after("bad"), "notebook_task": {"notebook_path": bad}},
    )
    assert (ended.state.life_cycle, ended.state.result) == (LifeCycle.TERMINATED, Result.FAILED)
    assert states(record, ended) == {"bad": "FAILED", "next": "UPSTREAM_FAILED"}
    [attempt] = record.attempts(ended.run_id)
    failure = attempt.failure
    assert failure is not None
    assert (failure.cell, failure.error, failure.source) == (3, "ZeroDivisionError", "x / 0  # here")
    assert "withheld" in failure.message
