"""A lakehouse with all that is backed up, and a place for its backups."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backed_up import Lakehouse
from lakeward.governance.people.store import PeopleStore
from lakeward.governance.trail.sink import write
from lakeward.workspace.events import use_sink
from lakeward.workspace.settings import settings


@pytest.fixture
def lakehouse(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lakehouse]:
    monkeypatch.setenv("LAKEWARD_BACKUP_TO", str(tmp_path / "backups"))
    monkeypatch.setenv("LAKEWARD_BACKUP_KEY", "5a" * 32)
    settings.cache_clear()
    before = use_sink(write)
    made = Lakehouse(home, tmp_path / "backups")
    made.write("imaging.images", 1, 2, 3)
    made.write("imaging.images", 4)
    made.write("intake.files", 7)
    PeopleStore(home / "governance")
    (home / "governance" / "evidence").mkdir()
    (home / "governance" / "evidence" / "ab12").write_text("metrics")
    artifacts = home / "mlflow" / "artifacts" / "model"
    artifacts.mkdir(parents=True)
    (artifacts / ".gitattributes").write_text("*.bin lfs")
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE runs (id TEXT)")
        connection.execute("INSERT INTO runs VALUES ('one')")
    made.tell("cohort-a")
    yield made
    use_sink(before)
