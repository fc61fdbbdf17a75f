"""Jobs run end to end: what the record says is what happened."""

import json
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lakeward.jobs.bundle.bundle import load
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Attempt, Run
from lakeward.jobs.record.states import Code, LifeCycle, Result
from lakeward.jobs.runner.order import Order, order_of
from lakeward.jobs.runner.runner import Runner
from lakeward.jobs.tables import JOB_RUNS
from lakeward.workspace.errors import EventNotRecorded, ParameterError
from lakeward.workspace.events import use_sink
from lakeward.workspace.lakehouse import query
from running import after, order, states

Write = Callable[..., dict[str, Any]]
Go = Callable[..., Run]
LIMIT = "r.setrlimit(r.RLIMIT_AS, (2**32, 2**32))"


def last(record: Record, run: Run) -> Attempt:
    return record.attempts(run.run_id)[-1]


def test_notebooks_run_in_their_order_and_hand_values_on(record: Record, notebook: Write, run: Go) -> None:
    ended = run(
        notebook("first", "n = 1", "dbutils.jobs.taskValues.set('double', 2 * int(n))", given={"n": "2"}),
        notebook(
            "second",
            "double = ''",
            "assert dbutils.jobs.taskValues.get('first', 'double') == 6\nassert double == '6'",
            given={"double": "{{tasks.first.values.double}}"},
            depends_on=after("first"),
        ),
        parameters=[{"name": "n", "default": "3"}],  # beats the task's own
    )
    assert ended.state.result is Result.SUCCESS
    assert states(record, ended) == {"first": "SUCCESS", "second": "SUCCESS"}
    first, second = record.attempts(ended.run_id)
    assert (first.task, first.number, first.exit_code) == ("first", 0, 0)
    assert (first.folder / "notebook.ipynb").exists()
    assert (first.folder / "notebook.html").exists()
    assert (first.ended or 0) <= second.started
    assert record.values(ended.run_id)[("first", None)] == {"double": 6}
    assert (ended.folder / "run.json").exists()


def test_a_failing_cell_is_told_and_ends_the_tasks_after_it(record: Record, notebook: Write, run: Go) -> None:
    bad = notebook("bad", "", "x = 1", "print('on the way')\nx / 0  # here")
    ended = run(bad, {**bad, "task_key": "next", "depends_on": after("bad")})
    assert (ended.state.life_cycle, ended.state.result) == (LifeCycle.TERMINATED, Result.FAILED)
    assert states(record, ended) == {"bad": "FAILED", "next": "UPSTREAM_FAILED"}
    failure = last(record, ended).failure
    assert failure is not None
    assert (failure.cell, failure.error, failure.source) == (3, "ZeroDivisionError", "x / 0  # here")
    assert "withheld" in failure.message


def test_the_line_that_failed_is_of_the_cell_that_ran(record: Record, notebook: Write, run: Go) -> None:
    other = "def f():\n    x = 1\n    y = 2\n    return 1/0"
    ended = run(notebook("it", "", other, "a = 1\ndef g(): return f()\nb = g()\nc = 3"))
    failure = last(record, ended).failure
    assert failure is not None
    assert (failure.cell, failure.source) == (3, "def g(): return f()")


@pytest.mark.parametrize(
    ("text", "result", "code", "exit_code"),
    [
        ("", "SUCCESS", Code.SUCCESS, 0),
        ("import sys; sys.exit(0)", "SUCCESS", Code.SUCCESS, 0),
        ("import sys; sys.exit(3)", "FAILED", Code.RUN_EXECUTION_ERROR, 3),
        ("raise ValueError('SMITH^JOHN')", "FAILED", Code.RUN_EXECUTION_ERROR, 1),
        ("import os; os._exit(0)", "FAILED", Code.DRIVER_ERROR, 0),
        ("import os; os._exit(7)", "FAILED", Code.DRIVER_ERROR, 7),
        ("import os; os.kill(os.getpid(), 9)", "FAILED", Code.DRIVER_ERROR, -9),
        ("import os; os.abort()", "FAILED", Code.DRIVER_ERROR, -6),
        ("import os; os.kill(os.getpid(), 36)", "FAILED", Code.DRIVER_ERROR, -36),
    ],
)
def test_a_program_ends_as_its_process_did(
    text: str, result: str, code: Code, exit_code: int, record: Record, program: Write, run: Go
) -> None:
    ended = run(program("it", text))
    assert states(record, ended) == {"it": result}
    [task] = record.tasks(ended.run_id)
    assert (task.state.code, last(record, ended).exit_code) == (code, exit_code)
    assert "SMITH" not in "".join(path.read_text() for path in ended.folder.rglob("*.[tj]*") if path.is_file())


@pytest.mark.parametrize(
    ("cell", "result", "error", "exit_code"),
    [
        ("import sys; sys.exit(0)", "SUCCESS", None, 0),
        ("import sys; sys.exit(3)", "FAILED", "SystemExit", 3),
        ("import os; os._exit(5)", "FAILED", "", 5),
        (f"import resource as r; {LIMIT}; b = bytearray(2**33)", "FAILED", "MemoryError", 1),
        ("import os; os.kill(os.getpid(), 9)", "FAILED", "", -9),
    ],
)
def test_a_notebook_ends_as_its_kernel_did(
    cell: str, result: str, error: str | None, exit_code: int, record: Record, notebook: Write, run: Go
) -> None:
    ended = run(notebook("it", "", cell))
    assert states(record, ended) == {"it": result}
    attempt = last(record, ended)
    assert ((attempt.failure and attempt.failure.error), attempt.exit_code) == (error, exit_code)


def test_conditions_choose_a_branch(record: Record, program: Write, run: Go) -> None:
    choice = {"left": "{{job.parameters.n}}", "op": "GREATER_THAN", "right": "5"}
    ended = run(
        {"task_key": "big", "condition_task": choice},
        program("yes", depends_on=after("big", outcome="true")),
        program("no", depends_on=after("big", outcome="false")),
        program("after_yes", depends_on=after("yes")),
        program("always", depends_on=after("after_yes", "no"), run_if="ALL_DONE"),
        parameters=[{"name": "n", "default": "3"}],
        given={"n": "4"},
    )
    assert ended.parameters == {"n": "4"}
    assert states(record, ended) == {
        "big": "SUCCESS",
        "yes": "EXCLUDED",
        "no": "SUCCESS",
        "after_yes": "EXCLUDED",
        "always": "SUCCESS",
    }
    assert {row.task: row.value for row in record.tasks(ended.run_id)}["big"] == "false"


def test_a_loop_runs_for_each_input_and_tells_what_failed(record: Record, program: Write, run: Go) -> None:
    text = "import sys; assert sys.argv[1:] in (['a', 'x'], ['b', 'x'])"
    inner = program("inner", text, "{{input.name}}", "{{job.parameters.p}}")
    inputs = '[{"name": "a"}, {"name": "c"}, {"name": "b"}]'
    ended = run(
        {"task_key": "each", "for_each_task": {"inputs": inputs, "task": inner, "concurrency": 3}},
        parameters=[{"name": "p", "default": "x"}],
    )
    assert states(record, ended) == {"each": "FAILED", "each.0": "SUCCESS", "each.1": "FAILED", "each.2": "SUCCESS"}
    assert record.tasks(ended.run_id)[0].state.message == "1 of 3 iterations were not successful."


def test_a_task_knows_which_try_it_is(record: Record, program: Write, run: Go) -> None:
    text = "import sys; print(sys.argv[1]); sys.exit(1)"
    ended = run(program("it", text, "{{task.execution_count}}", max_retries=2))
    assert [(each.folder / "log.txt").read_text()[0] for each in record.attempts(ended.run_id)] == ["1", "2", "3"]


def test_what_fails_is_tried_again(record: Record, program: Write, run: Go, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = f"from pathlib import Path; m = Path({str(mark)!r}); n = len(m.read_text()) if m.exists() else 0\n"
    text += "m.write_text('x' * (n + 1)); assert n == 2"
    ended = run(program("it", text, max_retries=3, min_retry_interval_millis=700))
    assert states(record, ended) == {"it": "SUCCESS"}
    tries = record.attempts(ended.run_id)
    assert [str(each.state) for each in tries] == ["FAILED", "FAILED", "SUCCESS"]
    assert all(second.started - first.started >= 700 for first, second in pairwise(tries))


@pytest.mark.parametrize(("again", "tries"), [(False, 1), (True, 2)])
def test_what_takes_too_long_is_ended(again: bool, tries: int, record: Record, program: Write, run: Go) -> None:
    begun = time.monotonic()
    ended = run(program("it", "import time; time.sleep(60)", timeout_seconds=1, max_retries=1, retry_on_timeout=again))
    assert states(record, ended) == {"it": "TIMEDOUT"}
    assert len(record.attempts(ended.run_id)) == tries
    assert time.monotonic() - begun < 60, "it was not waited for"


def test_a_run_that_takes_too_long_is_ended(record: Record, program: Write, run: Go) -> None:
    slow = program("slow", "import time; time.sleep(60)")
    ended = run(slow, program("next", depends_on=after("slow")), timeout_seconds=1)
    assert ended.state.result is Result.TIMEDOUT
    assert states(record, ended) == {"next": "CANCELED", "slow": "TIMEDOUT"}


def test_an_unknown_parameter_is_refused_and_nothing_is_noted(record: Record, program: Write, run: Go) -> None:
    with pytest.raises(ParameterError, match="no parameter m; it has n"):
        run(program("it"), given={"m": "1"}, parameters=[{"name": "n", "default": "3"}])
    assert record.runs() == []


def test_a_run_that_can_not_be_told_of_does_not_happen(record: Record, program: Write, run: Go) -> None:
    def broken(event: object) -> None:
        raise OSError

    before = use_sink(broken)
    try:
        with pytest.raises(EventNotRecorded):
            run(program("it"))
    finally:
        use_sink(before)
    assert record.runs() == []


def test_references_in_parameters_are_filled_in_once_and_a_repair_keeps_them(
    record: Record, program: Write, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    text = f"import sys, os; print(*sys.argv[1:]); sys.exit(not os.path.exists({str(mark)!r}))"
    began = {"name": "at", "default": "{{job.start_time.timestamp_ms}}"}
    job = order(
        program("it", text, "{{job.parameters.at}}", "{{job.parameters.n}}"),
        parameters=[began, {"name": "n", "default": "1"}],
    )
    runner = Runner(record, job)
    ended = runner.run(runner.start({"n": "{{job.name}} {{job.run_id}}"}))
    filled = {"at": str(ended.started), "n": f"A job {ended.run_id}"}
    assert ended.parameters == filled
    assert json.loads((ended.folder / "run.json").read_text())["parameters"] == filled
    mark.touch()
    again = Runner(record, job)
    assert again.run(again.start_repair(ended.run_id, {})).parameters == filled
    logs = [(attempt.folder / "log.txt").read_text().splitlines()[0] for attempt in record.attempts(ended.run_id)]
    assert logs == [f"{ended.started} A job {ended.run_id}"] * 2


def test_a_repair_is_of_the_job_and_the_code_as_they_are_now(record: Record, program: Write, tmp_path: Path) -> None:
    root = tmp_path / "jobs"
    root.mkdir()

    def written(word: str) -> Order:
        (root / "databricks.yml").write_text(
            f"bundle: {{name: b}}\nresources: {{jobs: {{a: {{name: A, description: {word}, tasks: "
            "[{task_key: it, spark_python_task: {python_file: ../it.py}}]}}}"
        )
        git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
        for command in (["init", "-q"], ["add", "jobs", "it.py"], ["commit", "-qm", word]):
            subprocess.run([*git, *command], check=True)
        return order_of(load(root), "a", {})

    program("it", "raise SystemExit(1)")
    runner = Runner(record, written("broken"))
    before = runner.run(runner.start({}))
    program("it")
    again = Runner(record, written("mended"))
    after = again.run(again.start_repair(before.run_id, {}))
    assert (before.settings["description"], after.settings["description"]) == ("broken", "mended")
    assert before.provenance["git_commit"] != after.provenance["git_commit"] is not None
    rows = query(f"SELECT repairs, git_commit FROM {JOB_RUNS.name} ORDER BY repairs", JOB_RUNS).to_pylist()
    assert [row["git_commit"] for row in rows] == [run.provenance["git_commit"] for run in (before, after)]


def test_a_try_that_is_refused_as_it_starts_has_ended(record: Record, run: Go, tmp_path: Path) -> None:
    ended = run({"task_key": "it", "notebook_task": {"notebook_path": str(tmp_path / "gone.ipynb")}})
    attempt = last(record, ended)
    assert (str(attempt.state), attempt.state.code) == ("FAILED", Code.INVALID_RUN_CONFIGURATION)
    assert attempt.ended is not None
    assert attempt.failure is not None
    assert attempt.failure.message.endswith("gone.ipynb can't be read: No such file or directory.")


def test_a_fault_of_the_runner_ends_its_task_and_the_others_go_on(
    record: Record, program: Write, run: Go, tmp_path: Path
) -> None:
    for key, iteration, file in (("it", None, "log.txt"), ("each", 0, "task.json")):
        (record.attempt_folder(1, key, iteration, 0) / file).mkdir(parents=True)
    mark = tmp_path / "went_on"
    it = program("it", f"import time; time.sleep(2); open({str(mark)!r}, 'w')")
    slow = program("slow", "import time; time.sleep(60)", timeout_seconds=5)
    ended = run(it, slow, {"task_key": "each", "for_each_task": {"inputs": "[1, 2]", "task": program("one")}})
    assert states(record, ended) == {
        "it": "FAILED",
        "slow": "TIMEDOUT",
        "each": "FAILED",
        "each.0": "FAILED",
        "each.1": "SUCCESS",
    }
    broken = [row for row in record.tasks(1) if row.state.life_cycle is LifeCycle.INTERNAL_ERROR]
    assert [(row.task, row.iteration) for row in broken] == [("it", None), ("each", 0)]
    assert broken[0].state.message.startswith("The runner failed: IsADirectoryError")
    assert all(attempt.ended for attempt in record.attempts(1))
    assert not mark.exists()


def test_a_value_that_was_not_set_fails_the_task_that_asks_for_it(record: Record, program: Write, run: Go) -> None:
    ended = run(program("a"), program("b", "", "{{tasks.a.values.k}}", depends_on=after("a")))
    assert states(record, ended) == {"a": "SUCCESS", "b": "FAILED"}
    assert "{{tasks.a.values.k}} stands for nothing" in record.tasks(ended.run_id)[1].state.message


def test_an_entry_point_of_a_package_runs(record: Record, run: Go) -> None:
    wheel = {"package_name": "papermill", "entry_point": "papermill", "parameters": ["--version"]}
    ended = run({"task_key": "it", "python_wheel_task": wheel})
    assert states(record, ended) == {"it": "SUCCESS"}
    assert (last(record, ended).folder / "log.txt").read_text().startswith(version("papermill"))


def test_no_more_tasks_run_at_once_than_the_setting_says(
    record: Record, program: Write, run: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakeward.workspace.settings import settings

    monkeypatch.setenv("LAKEWARD_PARALLEL_TASKS", "1")
    settings.cache_clear()
    run(*(program(f"t{number}", "import time; time.sleep(0.3)") for number in range(3)))
    tries = sorted(record.attempts(1), key=lambda each: each.started)
    assert all((first.ended or 0) <= second.started for first, second in pairwise(tries))


def test_a_task_knows_the_folder_whose_files_started_it(
    record: Record, program: Write, run: Go, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    tell = f"import pathlib, sys; pathlib.Path({str(said)!r}).write_text(sys.argv[1])"
    trigger = {"file_arrival": {"url": "file:///data/in"}}
    run(program("it", tell, "{{job.trigger.file_arrival.location}}"), trigger=trigger)
    assert said.read_text() == "file:///data/in"
