"""A database that many open: its schema is there, and who only reads waits for nobody."""

import sqlite3
from pathlib import Path

import pytest

from lakeward.workspace.sqlite import Database

SCHEMA = "CREATE TABLE IF NOT EXISTS things (n INTEGER);"


def test_it_can_be_opened_and_read_while_another_writes(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.sqlite"
    first = Database(file, SCHEMA)
    with first.changed() as change:
        change.execute("INSERT INTO things VALUES (1)")
        assert Database(file, SCHEMA).rows("SELECT * FROM things") == []
    assert [row["n"] for row in first.rows("SELECT n FROM things")] == [1]


def test_what_a_newer_schema_adds_is_created(tmp_path: Path) -> None:
    Database(tmp_path / "a.sqlite", SCHEMA)
    newer = Database(tmp_path / "a.sqlite", f"{SCHEMA} CREATE TABLE IF NOT EXISTS more (n INTEGER);")
    assert newer.rows("SELECT * FROM more") == []


def test_a_change_that_fails_is_undone(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.sqlite", SCHEMA)
    with pytest.raises(sqlite3.OperationalError):
        _add_one_and_fail(database)
    assert database.rows("SELECT * FROM things") == []


def _add_one_and_fail(database: Database) -> None:
    with database.changed() as change:
        change.execute("INSERT INTO things VALUES (1)")
        change.execute("INSERT INTO nothing VALUES (1)")
