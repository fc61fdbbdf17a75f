"""A table as it was before."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lakeward.cli import main
from lakeward.governance.backups.delta import fixed, rows_of
from lakeward.workspace.errors import TableError
from lakeward.workspace.events import Event, use_sink
from lakeward.workspace.lakehouse import query
from lakeward.workspace.restoring import restore
from lakeward.workspace.tables import Column, Table, ensure

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = Table(
    name="radiology.visits",
    comment="One row per visit",
    columns=[Column("visit", "BIGINT", "Its number")],
    key=["visit"],
    cluster_by=["visit"],
    properties={"delta.enableDeletionVectors": "true"},
)


def _visits() -> list[Any]:
    return sorted(query("SELECT visit FROM radiology.visits", TABLE)["visit"].to_pylist())


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ([], 2, "give --version or --at"),
        (["--version", "1", "--at", "2026-11-01T12:00:00"], 2, "give --version or --at"),
        (["--version", "1"], 1, "does not exist yet"),
    ],
)
def test_what_cannot_be_restored_is_refused_before_spark_starts(
    home: Path,
    options: list[str],
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["lakeward", "tables", "restore", "imaging.runs", "--reason", "ingested twice", *options]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert told in capsys.readouterr().err


def test_a_table_is_brought_back_by_a_new_commit(spark: "SparkSession", home: Path) -> None:
    ensure(spark, TABLE)
    spark.sql("INSERT INTO radiology.visits SELECT id FROM range(0, 10, 1, 1)")
    then = datetime.now(UTC)
    spark.sql("DELETE FROM radiology.visits WHERE visit = 3")
    state, _ = fixed(home / "radiology" / "visits", "radiology/visits")
    assert (state.version, state.rows) == (2, 9)
    assert rows_of(home / "radiology" / "visits", 2) == 9  # as its files tell, less what a deletion vector marks
    events = list[Event]()
    before = use_sink(events.append)
    try:
        assert restore(TABLE, "deleted by mistake", at=then) == (2, 1, 9, 10)
        assert _visits() == list(range(10))
        assert restore(TABLE, "no mistake", version=2).rows == 9
        with pytest.raises(TableError, match="its history has 0 to 4"):
            restore(TABLE, "", version=6)
    finally:
        use_sink(before)
    assert [(it.object, it.details["rows"]) for it in events] == [("radiology.visits", n) for n in (10, 9)]
    next((home / "radiology" / "visits").glob("deletion_vector*.bin")).unlink()
    for file in (home / "radiology" / "visits").glob("*.parquet"):
        file.unlink()
    with pytest.raises(TableError, match="lakeward backup restore"):
        restore(TABLE, "", version=1)
