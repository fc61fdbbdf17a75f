"""What is kept of a run: its summary and pages; how two runs differ; what goes when it is old."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lakeward.jobs.archive.diff import code_difference, differences
from lakeward.jobs.archive.finish import finish_attempt, finish_run, remove_old
from lakeward.jobs.archive.provenance import installed, provenance
from lakeward.jobs.record.record import Record, now
from lakeward.jobs.record.rows import State
from lakeward.jobs.record.states import Code, LifeCycle, Result, Started
from lakeward.workspace.settings import settings

DONE = State(LifeCycle.TERMINATED, Result.SUCCESS, Code.SUCCESS)
Add = Callable[..., int]


@pytest.fixture
def record(home: Path) -> Record:
    return Record()


@pytest.fixture
def add(record: Record) -> Add:
    def add(parameters: dict[str, str], source: str = "1 + 1", writes: int = 3, ended: int = 0) -> int:
        words = {"name": "Imaging", "tasks": [{"task_key": "ingest"}]}
        origin = {"target": "dev", "started_by": Started.ONE_TIME, "user": "u", "provenance": {"git_commit": "c"}}
        run = record.add_run("imaging", words, parameters, **origin).run_id
        tables = {"reads": {"imaging.images": 2}, "writes": {"imaging.images": writes}}
        record.set_attempt(run, "ingest", None, 0, DONE, repair=0, started=1, ended=2, **tables)
        record.set_task(run, "ingest", None, DONE, started=1, ended=2, attempts=1)
        record.set_values(run, "ingest", None, {"stored": writes * 10})
        record.set_run(run, DONE, started=1, ended=ended or now())
        folder = record.attempt_folder(run, "ingest", None, 0)
        folder.mkdir(parents=True)
        nbformat.write(new_notebook(cells=[new_code_cell(source)]), folder / "notebook.ipynb")
        return run

    return add


def test_the_summary_holds_the_run_whole(record: Record, add: Add) -> None:
    run = add({"source": "samples"})
    told = json.loads(finish_run(record, run).read_text())
    assert (told["run_id"], told["result"], told["parameters"]) == (run, "SUCCESS", {"source": "samples"})
    assert told["provenance"] == {"git_commit": "c"}
    assert told["tasks"][0]["values"] == {"stored": 30}
    assert told["attempts"][0]["writes"] == {"imaging.images": 3}
    assert told["folder"] == f"jobs/runs/{run}", "archives can be moved"
    assert [path.name for path in (record.folder / "runs" / str(run)).glob("*.json")] == ["run.json"]


def test_the_page_shows_code_and_loads_nothing(record: Record, add: Add) -> None:
    folder = record.attempt_folder(add({}, source="answer = 42"), "ingest", None, 0)
    finish_attempt(folder)
    page = (folder / "notebook.html").read_text()
    assert "answer" in page
    assert not any(f'{kind}="http' in page for kind in ("src", "href"))


def test_an_attempt_that_was_no_notebook_has_no_page(tmp_path: Path) -> None:
    finish_attempt(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_tells_what_differs_and_nothing_else(record: Record, add: Add) -> None:
    first, same, other = (
        add({"a": "1", "b": "x"}),
        add({"a": "1", "b": "x"}),
        add({"a": "2", "b": "x"}, "2 + 2", writes=4),
    )
    assert differences(record, first, same) == {}
    assert differences(record, first, other) == {
        "parameters": {"a": ("1", "2")},
        "tables written": {"imaging.images": (3, 4)},
        "values": {"ingest.stored": (30, 40)},
    }
    assert code_difference(record, first, same) == []
    assert {"-1 + 1", "+2 + 2"} <= set(code_difference(record, first, other))


def test_old_archives_go_and_their_rows_stay(record: Record, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    old, fresh = add({}, ended=1_000), add({})
    folder = record.folder / "runs" / str(old)
    os.utime(folder, (1, 1))
    assert remove_old(record) == [], "all are kept unless the setting says otherwise"
    monkeypatch.setenv("LAKEWARD_ARCHIVE_DAYS", "30")
    settings.cache_clear()
    assert remove_old(record) == [old]
    assert not folder.exists()
    assert record.run(old).state == DONE
    assert (record.folder / "runs" / str(fresh)).exists()


def test_provenance_names_the_commit_and_what_was_changed_since(tmp_path: Path) -> None:
    def git(*command: str) -> str:
        told = subprocess.run(["git", "-C", tmp_path, *command], capture_output=True, text=True, check=True)
        return told.stdout.strip()

    assert provenance(tmp_path)["git_commit"] is None
    git("init", "-q")
    git("-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-m", "first")
    assert provenance(tmp_path)["git_commit"] == git("rev-parse", "HEAD")
    assert provenance(tmp_path)["git_dirty"] is False
    (tmp_path / "new").touch()
    assert provenance(tmp_path)["git_dirty"] is True
    assert provenance(tmp_path)["environment"] == installed()
