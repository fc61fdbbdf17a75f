"""Runs that have ended can be asked about with SQL: each once, repairs beside them."""

import sqlite3
from contextlib import closing

import pytest

from lakeward.jobs.archive import publish as publishing
from lakeward.jobs.archive.publish import publish
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Failure, State
from lakeward.jobs.record.states import Code, LifeCycle, Result, Started
from lakeward.jobs.tables import JOB_RUNS, TASK_RUNS
from lakeward.workspace.lakehouse import query

DONE = State(LifeCycle.TERMINATED, Result.SUCCESS, Code.SUCCESS)
FAILED = State(LifeCycle.TERMINATED, Result.FAILED, Code.RUN_EXECUTION_ERROR)
RUNNING = State(LifeCycle.RUNNING)


@pytest.fixture
def record(home: object) -> Record:
    return Record()


def _run(record: Record) -> int:
    origin = {"target": "dev", "started_by": Started.ONE_TIME, "user": "u", "provenance": {"git_dirty": False}}
    run = record.add_run("imaging", {"name": "Imaging"}, {"source": "samples"}, **origin).run_id
    record.set_run(run, RUNNING, started=1_000)
    return run


def test_each_ended_run_is_published_once(record: Record) -> None:
    run, going_on = _run(record), _run(record)
    tables = {"reads": {"imaging.images": 1}, "writes": {"imaging.images": 3}}
    record.set_attempt(run, "ingest", None, 0, DONE, repair=0, started=1_500, ended=3_500, **tables)
    record.set_run(run, DONE, ended=4_000)
    assert publish(record) == 1
    assert publish(record) == 0
    (row,) = query(f"SELECT * FROM {JOB_RUNS.name}", JOB_RUNS).to_pylist()
    assert (row["run_id"], row["result"], row["seconds"], row["git_dirty"]) == (run, "SUCCESS", 3.0, False)
    assert row["parameters"] == [("source", "samples")]
    (task,) = query(f"SELECT * FROM {TASK_RUNS.name}", TASK_RUNS).to_pylist()
    assert (task["task"], task["seconds"], task["writes"]) == ("ingest", 2.0, [("imaging.images", 3)])
    record.set_run(going_on, DONE, ended=5_000)
    assert publish(record) == 1


def test_the_table_is_read_only_if_it_may_have_the_run_already(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _run(record)
    record.set_run(first, DONE, ended=4_000)
    publish(record)
    # Cut off after the row was written; and a record from before it had this table.
    record.set_published([(first, 0)], whole=False)
    assert publish(record) == 0
    with closing(sqlite3.connect(record.folder / "record.sqlite")) as connection, connection:
        connection.execute("DELETE FROM published")
    assert publish(record) == 0
    monkeypatch.setattr(publishing, "query", lambda *_: pytest.fail("the table was read"))
    record.set_run(_run(record), DONE, ended=5_000)
    assert publish(record) == 1
    assert len(query(f"SELECT run_id FROM {JOB_RUNS.name}", JOB_RUNS).to_pylist()) == 2


def test_a_repair_stands_beside_what_it_repaired(record: Record) -> None:
    run = _run(record)
    failure = Failure("ValueError", "its text is withheld")
    record.set_attempt(run, "ingest", None, 0, FAILED, repair=0, started=1_500, ended=2_000, failure=failure)
    record.set_run(run, FAILED, ended=2_000)
    publish(record)
    record.set_attempt(run, "ingest", None, 1, DONE, repair=1, started=5_000, ended=6_000)
    record.set_run(run, DONE, ended=6_000, repairs=1)
    assert publish(record) == 1
    runs = query(f"SELECT repairs, result FROM {JOB_RUNS.name} ORDER BY repairs", JOB_RUNS).to_pylist()
    assert runs == [{"repairs": 0, "result": "FAILED"}, {"repairs": 1, "result": "SUCCESS"}]
    tasks = query(f"SELECT attempt, error FROM {TASK_RUNS.name} ORDER BY attempt", TASK_RUNS).to_pylist()
    assert tasks == [{"attempt": 0, "error": "ValueError"}, {"attempt": 1, "error": None}]
