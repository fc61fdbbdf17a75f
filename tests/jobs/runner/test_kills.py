"""Runners that are killed, told to end, or asked to cancel: the record stays true, and nothing runs on."""

import random
import signal
import time
from pathlib import Path

import pytest

from killing import Victim, alive
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.states import LifeCycle
from lakeward.jobs.runner.cancel import AlreadyEnded, cancel
from lakeward.jobs.runner.launch import launch, launch_repair
from lakeward.jobs.runner.truth import reconcile

MOMENTS = 5


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


def wait_until(happened: object, longest_s: float = 30) -> None:
    end = time.monotonic() + longest_s
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)
