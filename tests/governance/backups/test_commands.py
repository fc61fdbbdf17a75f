"""The commands ``lakeward backup ...``, as a person calls them; the notebook and the job."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backed_up import Lakehouse
from lakeward.cli import main
from lakeward.governance.trail import keeping
from lakeward.governance.trail.sink import trail_here
from lakeward.jobs.bundle.bundle import load
from lakeward.workspace.events import Event, record
from lakeward.workspace.notebooks import execute
from lakeward.workspace.settings import settings

ROOT = Path(__file__).parents[3]
NOTEBOOK = ROOT / "notebooks" / "governance" / "04_backup_drill.ipynb"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`lakeward backup ...` in this process: exit code and what it printed."""

    def run_(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["lakeward", "backup", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out if "--json" in arguments else captured.out + captured.err

    return run_


def _told(run: Run, *arguments: object, code: int = 0) -> Any:
    ended, text = run(*arguments, "--json")
    assert ended == code, text
    return json.loads(text)


def test_a_backup_from_its_key_to_its_end(
    lakehouse: Lakehouse, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAKEWARD_BACKUP_KEY")
    monkeypatch.setenv("LAKEWARD_SECRETS_DIR", str(tmp_path / "secrets"))
    settings.cache_clear()
    (tmp_path / "secrets").mkdir()
    assert run("create")[0] == 2
    key = tmp_path / "secrets" / "backup_key"
    assert run("new-key", key)[0] == 0
    assert run("new-key", key)[0] == 2
    made = _told(run, "create")
    assert (made["tables"], made["databases"]) == (2, 3)
    [listed] = _told(run, "list")
    assert (listed["id"], listed["bytes"]) == (made["id"], made["bytes"])
    assert _told(run, "verify", "--last-7-days")["ok"]
    restored = _told(run, "restore", "newest", "--to", tmp_path / "back", "--only", "imaging.images")
    assert (restored["id"], restored["erasures_since"]) == (made["id"], 0)
    assert run("restore", "20200101T000000Z", "--to", tmp_path / "other")[0] == 2
    assert _told(run, "remove-old", "--apply") == {"backups": [], "chunks": 0, "removed": True}
    lakehouse.files("chunks")[0].unlink()
    told = _told(run, "verify", code=1)
    assert not told["ok"]
    assert "has lost the file" in str(told)


def test_a_backup_of_another_key_hides_no_other(
    lakehouse: Lakehouse, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _told(run, "create")
    monkeypatch.setenv("LAKEWARD_BACKUP_KEY", "a5" * 32)
    monkeypatch.setenv("LAKEWARD_BACKUP_KEY_BEFORE", "5a" * 32)
    _told(run, "create")
    monkeypatch.delenv("LAKEWARD_BACKUP_KEY_BEFORE")
    before, after = _told(run, "list", code=1)
    assert (before["id"], before["bytes"]) == (made["id"], None)
    assert "was made with the key" in before["fault"]
    assert (after["bytes"], after["fault"]) == (made["bytes"], "")


def test_what_was_erased_since_the_backup_is_counted(lakehouse: Lakehouse, run: Run, tmp_path: Path) -> None:
    event = Event(type="imaging.export.started", object="cohort-b", reason="Ann's", details={"for": "Ann"})
    record(event)
    _told(run, "create")
    keeping.erase(trail_here(), event.id, ["for"], "Request 17")
    record(Event(type="imaging.patient.withdrawn", object="LW1"))
    assert _told(run, "restore", "newest", "--to", tmp_path / "back")["erasures_since"] == 2
    assert "2 erasures were done since" in run("restore", "newest", "--to", tmp_path / "again")[1]


def test_with_no_place_it_says_how_to_set_one(lakehouse: Lakehouse, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAKEWARD_BACKUP_TO")
    settings.cache_clear()
    code, text = run("create")
    assert code == 2
    assert "LAKEWARD_BACKUP_TO" in text


def test_the_drill_shows_a_loss_and_the_way_back(lakehouse: Lakehouse, tmp_path: Path) -> None:
    ran = execute(NOTEBOOK, tmp_path / "ran.ipynb", {}).read_text()
    assert "Lost in the copy: imaging.images" in ran
    assert "The table imaging.images can't be read" in ran
    assert "RTO: " in ran


def test_the_job_backs_up_each_day_and_removes_only_after_that(lakehouse: Lakehouse, run: Run) -> None:
    job = load(ROOT / "jobs", "dev").jobs["governance_backup"]
    assert [(task.task_key, [it.task_key for it in task.depends_on]) for task in job.tasks] == [
        ("drill", []),
        ("remove_old", ["drill"]),
    ]
    assert job.tasks[1].python_wheel_task
    assert run(*job.tasks[1].python_wheel_task.parameters[1:])[0] == 0
