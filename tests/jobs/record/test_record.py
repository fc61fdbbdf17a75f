"""The record of runs: many processes at once, and order."""

import subprocess
import sys
from pathlib import Path

import pytest

from lakeward.jobs.record.record import NoSuchRun, Record, Turn
from lakeward.jobs.record.rows import State
from lakeward.jobs.record.states import LifeCycle, Result, Started

PENDING = State(LifeCycle.PENDING)


def add(record: Record, job: str = "j", turn: Turn | None = None, **settings: object) -> int:
    told = {"name": "J", **settings}
    run = record.add_run(job, told, {}, target="dev", started_by=Started.ONE_TIME, user="u", provenance={}, turn=turn)
    return run.run_id


@pytest.fixture
def record(home: Path) -> Record:
    return Record()


def test_tasks_come_in_the_jobs_order_and_iterations_after_their_loop(record: Record) -> None:
    number = add(record, tasks=[{"task_key": key} for key in ("z", "m", "a")])
    for task, iteration in [("a", None), ("m", 1), ("m", 0), ("m", None), ("z", None)]:
        record.set_task(number, task, iteration, PENDING)
    found = [(row.task, row.iteration) for row in record.tasks(number)]
    assert found == [("z", None), ("m", None), ("m", 0), ("m", 1), ("a", None)]


def test_one_task_and_its_tries_are_found_without_the_others(record: Record) -> None:
    number = add(record, tasks=[{"task_key": "m"}])
    for iteration in (None, 0, 1):
        record.set_task(number, "m", iteration, PENDING)
        assert record.task(number, "m", iteration) in record.tasks(number)
    assert record.task(number, "m", 2) is None
    for tried in range(3):
        record.set_attempt(number, "m", 1, tried, PENDING, repair=0, started=1)
    assert [record.tries(number, "m", iteration) for iteration in (None, 0, 1)] == [0, 0, 3]


def test_runs_come_newest_first_page_by_page(record: Record) -> None:
    numbers = [add(record, "a" if number % 2 else "b") for number in range(6)]
    assert [run.run_id for run in record.runs(limit=2)] == numbers[:-3:-1]
    assert [run.run_id for run in record.runs(limit=2, before=numbers[2])] == [numbers[1], numbers[0]]
    assert {run.job for run in record.runs("a")} == {"a"}
    record.set_run(numbers[0], State(LifeCycle.TERMINATED, Result.SUCCESS), ended=1)
    assert [run.run_id for run in record.runs(going_on=True)] == numbers[:0:-1]
    with pytest.raises(NoSuchRun, match="no run 99"):
        record.run(99)


def test_of_many_processes_at_once_no_more_get_a_turn_than_may(record: Record) -> None:
    program = (
        "from lakeward.jobs.record.record import *\n"
        "from lakeward.jobs.record.states import Started\n"
        "for _ in range(5): print(Record().add_run('j', {'name': 'J'}, {}, target='', started_by=Started.ONE_TIME,"
        " user='', provenance={}, turn=Turn(3, True)).state)"
    )
    going_on = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [word for each in going_on for word in each.communicate()[0].split()]
    assert sorted(said) == ["PENDING"] * 3 + ["QUEUED"] * 17
    assert [run.run_id for run in record.runs(limit=-1)] == list(range(20, 0, -1))


def test_the_first_in_the_queue_is_the_next(record: Record) -> None:
    first, second, third = (add(record, turn=Turn(1, True)) for _ in range(3))
    assert not record.take_turn(second, "j", 1)
    record.set_run(first, State(LifeCycle.TERMINATED, Result.SUCCESS), ended=1)
    assert not record.take_turn(third, "j", 1)
    assert record.take_turn(second, "j", 1)
    assert not record.take_turn(third, "j", 1)
