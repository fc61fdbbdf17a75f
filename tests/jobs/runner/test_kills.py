"""Runners that are killed, told to end, or asked to cancel: the record stays true, and nothing runs on."""

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from killing import Victim, alive
from lakeward.jobs.bundle.bundle import load
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.states import LifeCycle
from lakeward.jobs.runner import tasks
from lakeward.jobs.runner.cancel import AlreadyEnded, cancel
from lakeward.jobs.runner.launch import launch, launch_repair
from lakeward.jobs.runner.order import order_of
from lakeward.jobs.runner.runner import Runner
from lakeward.jobs.runner.truth import reconcile
from running import states

MOMENTS = 5
BEGAN = "import pathlib; pathlib.Path(__file__).with_name('began').touch()"


@pytest.fixture
def victim(home: Path, tmp_path: Path) -> Victim:
    return Victim(tmp_path / "bundle")


def test_a_killed_runner_leaves_the_truth_and_repair_completes_the_run(victim: Victim, tmp_path: Path) -> None:
    takes = victim.whole(tmp_path / "whole")
    found = [
        victim.kill(random.uniform(takes * part / MOMENTS, takes * (part + 1) / MOMENTS)) for part in range(MOMENTS)
    ]
    assert [each for each in found if each.lies] == []
    assert {each.repaired for each in found} <= {"SUCCESS", "not needed"}
    assert any(each.repaired == "SUCCESS" for each in found)


def test_a_runner_that_is_told_to_end_cancels_its_run(victim: Victim, record: Record, tmp_path: Path) -> None:
    runner = victim.start(tmp_path / "marks")
    wait_until(lambda: any((tmp_path / "marks").glob("first.began")))
    runner.send_signal(signal.SIGTERM)
    assert runner.wait() == 12
    [run] = record.runs()
    assert (run.state.life_cycle, str(run.state)) == (LifeCycle.TERMINATED, "CANCELED")
    assert {str(row.state) for row in record.tasks(run.run_id)} == {"CANCELED"}
    assert alive() == []


def test_another_process_cancels_a_run_and_repair_completes_it(victim: Victim, record: Record, tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    number = launch(victim.root, None, "victim", {"marks": str(tmp_path / "marks")})
    wait_until(lambda: any((tmp_path / "marks").glob("first.began")))
    ended = cancel(record, number)
    assert (str(ended.state), ended.state.message.split()[0]) == ("CANCELED", "Canceled")
    with pytest.raises(AlreadyEnded, match="CANCELED"):
        cancel(record, number)
    assert launch_repair(number) == number
    wait_until(lambda: record.run(number).ended is not None)
    assert str(record.run(number).state) == "SUCCESS"
    assert reconcile(record) == []


def test_a_runner_that_is_killed_while_it_stops_leaves_a_canceled_run(record: Record, tmp_path: Path) -> None:
    job = "{name: Stay, tasks: [{task_key: it, spark_python_task: {python_file: stay.py}}]}"
    (tmp_path / "databricks.yml").write_text(f"bundle: {{name: small}}\nresources: {{jobs: {{stay: {job}}}}}")
    (tmp_path / "stay.py").write_text(
        f"import signal, time\nsignal.signal(15, signal.SIG_IGN)\n{BEGAN}\ntime.sleep(60)"
    )
    command = [sys.executable, "-m", "lakeward", "jobs", "run", "stay", f"--bundle={tmp_path}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as runner:
        wait_until((tmp_path / "began").exists)
        runner.send_signal(signal.SIGTERM)
        wait_until(lambda: record.run(1).state.life_cycle is LifeCycle.TERMINATING)
        runner.kill()
    wait_until(lambda: reconcile(record) == [1])
    assert (str(record.run(1).state), states(record, record.run(1))) == ("CANCELED", {"it": "CANCELED"})


def test_a_run_within_another_has_the_time_to_end_itself(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "GRACE_S", 1.0)
    inner = {"task_key": "inner", "spark_python_task": {"python_file": "tidy.py"}}
    call = {"task_key": "call", "run_job_task": {"job_id": "${resources.jobs.called.id}"}}
    jobs = {"caller": {"name": "Caller", "tasks": [call]}, "called": {"name": "Called", "tasks": [inner]}}
    (tmp_path / "databricks.yml").write_text(yaml.safe_dump({"bundle": {"name": "two"}, "resources": {"jobs": jobs}}))
    tidy = "try: time.sleep(60)\nexcept KeyboardInterrupt:\n    time.sleep(2)\n    print('tidied up')\n    raise"
    (tmp_path / "tidy.py").write_text(f"import time\n{BEGAN}\n{tidy}")
    runner = Runner(record, order_of(load(tmp_path), "caller", {}))
    stopping = threading.Thread(target=lambda: (wait_until((tmp_path / "began").exists), runner.cancel()))
    stopping.start()
    runner.run(runner.start({}))
    stopping.join()
    called, caller = record.runs()
    assert (str(called.state), str(caller.state)) == ("CANCELED", "CANCELED")
    assert "tidied up" in (record.attempts(called.run_id)[0].folder / "log.txt").read_text()


def wait_until(happened: object, longest_s: float = 30) -> None:
    end = time.monotonic() + longest_s
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)
