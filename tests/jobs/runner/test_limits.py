"""How many runs of a job go on at once, loops, jobs within jobs, and disabled tasks."""

import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakeward.jobs.bundle.bundle import load
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.record.states import Code, LifeCycle, Started
from lakeward.jobs.runner.cancel import cancel
from lakeward.jobs.runner.order import order_of
from lakeward.jobs.runner.runner import NotRepairable, Runner
from running import after, order, states

Write = Callable[..., dict[str, Any]]
Go = Callable[..., Run]


def test_a_run_beyond_the_limit_is_skipped(record: Record, program: Write) -> None:
    job = order(program("it"), queue={"enabled": False})
    first, second = Runner(record, job), Runner(record, job)
    begun, beyond = first.start({}), second.start({})
    assert (beyond.state.life_cycle, beyond.state.code) == (LifeCycle.SKIPPED, Code.MAX_CONCURRENT_RUNS_EXCEEDED)
    assert str(second.run(beyond).state) == "MAXIMUM_CONCURRENT_RUNS_REACHED"
    assert record.tasks(beyond.run_id) == []
    assert str(first.run(begun).state) == "SUCCESS"
    with pytest.raises(NotRepairable):
        Runner(record, job).start_repair(beyond.run_id, {})


def test_with_a_queue_it_waits_for_its_turn(record: Record, program: Write) -> None:
    job = order(program("it", "import time; time.sleep(0.3)"), queue={"enabled": True})
    runners = [Runner(record, job) for _ in range(3)]
    runs = [runner.start({}) for runner in runners]
    assert [str(run.state) for run in runs] == ["PENDING", "QUEUED", "QUEUED"]
    going_on = [threading.Thread(target=runner.run, args=[run]) for runner, run in zip(runners, runs, strict=True)]
    for each in reversed(going_on):
        each.start()
    for each in going_on:
        each.join()
    ended = sorted(record.runs(), key=lambda run: run.run_id)
    assert [str(run.state) for run in ended] == ["SUCCESS"] * 3
    assert all((one.ended or 0) <= (after_it.started or 0) for one, after_it in pairwise(ended))


def test_as_many_as_may_go_on_at_once(record: Record, program: Write) -> None:
    job = order(program("it"), queue={"enabled": True}, max_concurrent_runs=2)
    runners = [Runner(record, job) for _ in range(3)]
    assert [str(runner.start({}).state) for runner in runners] == ["PENDING", "PENDING", "QUEUED"]


def test_what_waits_can_be_canceled(record: Record, program: Write) -> None:
    job = order(program("it"), queue={"enabled": True})
    first, second = Runner(record, job), Runner(record, job)
    first.start({})
    waiting = second.start({})
    cancel(record, waiting.run_id, wait_s=0)
    assert str(second.run(waiting).state) == "CANCELED"
    assert record.attempts(waiting.run_id) == []


def test_iterations_run_beside_each_other_but_no_more_than_asked_for(
    record: Record, program: Write, run: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakeward.workspace.settings import settings

    monkeypatch.setenv("LAKEWARD_PARALLEL_TASKS", "4")
    settings.cache_clear()
    inner = program("inner", "import time; time.sleep(0.5)", "{{input}}")
    run({"task_key": "each", "for_each_task": {"inputs": "[1, 2, 3, 4]", "task": inner, "concurrency": 2}})
    tries = record.attempts(1)
    at_once = [sum(a.started <= b.started < (a.ended or 0) for a in tries) for b in tries]
    assert max(at_once) == 2


def test_a_repair_runs_again_only_the_iterations_that_failed(record: Record, program: Write, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    inner = program("inner", f"import sys, os; sys.exit(sys.argv[1] == 'b' and not os.path.exists({str(mark)!r}))")
    inner["spark_python_task"]["parameters"] = ["{{input}}"]
    loop = {"task_key": "each", "for_each_task": {"inputs": '["a", "b"]', "task": inner}}
    job = order(program("before"), loop | {"depends_on": after("before")}, program("next", depends_on=after("each")))
    runner = Runner(record, job)
    ended = runner.run(runner.start({}))
    assert list(states(record, ended).items()) == [
        ("before", "SUCCESS"),
        ("each", "FAILED"),
        ("each.0", "SUCCESS"),
        ("each.1", "FAILED"),
        ("next", "UPSTREAM_FAILED"),
    ]
    mark.touch()
    again = Runner(record, job)
    repaired = again.run(again.start_repair(ended.run_id, {}))
    assert (str(repaired.state), repaired.repairs) == ("SUCCESS", 1)
    assert set(states(record, repaired).values()) == {"SUCCESS"}
    tries = [(each.task, each.iteration, each.number, each.repair) for each in record.attempts(ended.run_id)]
    loop_tries = [("each", 0, 0, 0), ("each", 1, 0, 0), ("each", 1, 1, 1)]
    assert tries == [("before", None, 0, 0), *loop_tries, ("next", None, 0, 1)]


def test_a_repair_with_fewer_inputs_leaves_no_iteration_of_before(record: Record, program: Write) -> None:
    inner = program("inner", "import sys; sys.exit(sys.argv[1] == 'c')", "{{input}}")
    loop = {"task_key": "each", "for_each_task": {"inputs": "{{job.parameters.inputs}}", "task": inner}}
    job = order(loop, parameters=[{"name": "inputs", "default": '["a", "c"]'}])
    runner, again = Runner(record, job), Runner(record, job)
    ended = runner.run(runner.start({}))
    assert states(record, ended) == {"each": "FAILED", "each.0": "SUCCESS", "each.1": "FAILED"}
    repaired = again.run(again.start_repair(ended.run_id, {"inputs": '["a"]'}))
    assert states(record, repaired) == {"each": "SUCCESS", "each.0": "SUCCESS"}


def test_a_disabled_task_does_not_run(record: Record, program: Write, run: Go) -> None:
    ended = run(program("off", disabled=True), program("on"), program("next", depends_on=after("off")))
    assert states(record, ended) == {"off": "DISABLED", "on": "SUCCESS", "next": "DISABLED"}
    assert str(ended.state) == "SUCCESS"


@pytest.mark.parametrize(("text", "result"), [("", "SUCCESS"), ("raise SystemExit(3)", "FAILED")])
def test_a_job_runs_another_job_and_ends_as_it_does(
    text: str, result: str, record: Record, program: Write, tmp_path: Path
) -> None:
    inner = program("inner", f"import sys; assert sys.argv[1:] == ['7']\n{text}", "{{job.parameters.n}}")
    call = {"job_id": "${resources.jobs.called.id}", "job_parameters": {"n": "{{job.parameters.m}}"}}
    jobs = {
        "caller": {
            "name": "Caller",
            "parameters": [{"name": "m", "default": "7"}],
            "tasks": [{"task_key": "call", "run_job_task": call}],
        },
        "called": {"name": "Called", "parameters": [{"name": "n", "default": ""}], "tasks": [inner]},
    }
    root = tmp_path / "jobs"
    root.mkdir()
    inner["spark_python_task"]["python_file"] = "../inner.py"
    (root / "databricks.yml").write_text(yaml.safe_dump({"bundle": {"name": "two"}, "resources": {"jobs": jobs}}))
    runner = Runner(record, order_of(load(root), "caller", {}))
    ended = runner.run(runner.start({}))
    assert states(record, ended) == {"call": result}
    called, caller = record.runs()
    assert (called.job, str(called.state), called.parameters) == ("called", result, {"n": "7"})
    assert (called.started_by, called.parent) == (Started.RUN_JOB_TASK, (caller.run_id, "call"))


def test_a_job_that_is_refused_within_another_is_told_with_the_reason(record: Record, tmp_path: Path) -> None:
    call = {"job_id": "${resources.jobs.called.id}", "job_parameters": {"times": "{{job.run_id}}000"}}
    smallest = Path(__file__).parents[3] / "notebooks" / "jobs" / "02_smallest.ipynb"
    inner = {"task_key": "inner", "notebook_task": {"notebook_path": str(smallest)}}
    called = {"name": "Called", "parameters": [{"name": "times", "default": "2"}], "tasks": [inner]}
    jobs = {"caller": {"name": "Caller", "tasks": [{"task_key": "call", "run_job_task": call}]}, "called": called}
    (tmp_path / "databricks.yml").write_text(yaml.safe_dump({"bundle": {"name": "two"}, "resources": {"jobs": jobs}}))
    runner = Runner(record, order_of(load(tmp_path), "caller", {}))
    ended = runner.run(runner.start({}))
    assert states(record, ended) == {"call": "FAILED"}
    [attempt] = record.attempts(ended.run_id)
    assert attempt.failure is not None
    assert (attempt.failure.error, attempt.exit_code) == ("BundleRefused", 2)
    assert "times: Input should be less than or equal to 10" in attempt.failure.message
