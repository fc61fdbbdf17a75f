"""A few rows are the same, whether Spark reads them or nothing but this process."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lakeward.workspace import lakehouse
from lakeward.workspace.errors import TableError
from lakeward.workspace.rows import add, select, update
from lakeward.workspace.tables import Column, Table, ensure

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

VISITS = Table(
    name="some.visits",
    comment="Visits.",
    columns=[Column("n", "BIGINT", "A number"), Column("at", "TIMESTAMP", "When")],
    key=["n"],
)
SQL = "SELECT n, at FROM some.visits WHERE at >= '2026-11-01T00:00:00Z' AND at < '2026-12-01T00:00:00Z' ORDER BY n"


def test_databricks_session_and_local_reader_give_the_same_rows(
    spark: "SparkSession", monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [
        datetime(2026, 10, 31, 23, 59, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
    ]
    lakehouse.add(VISITS, [{"n": n, "at": at} for n, at in enumerate(times)])
    ensure(spark, VISITS)
    here = select(SQL, VISITS)
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    assert select(SQL, VISITS) == here == [{"n": 1, "at": times[1]}]


def test_a_table_that_nothing_has_written_is_told_from_an_empty_one(
    spark: "SparkSession", monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Table(name="some.nothing", comment="", columns=[Column("n", "BIGINT", "A number")], key=["n"])
    assert select("SELECT n FROM some.nothing", missing) is None
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    assert spark is not None
    assert select("SELECT n FROM some.nothing", missing) is None


NOTES = Table(
    name="some.notes",
    comment="Notes.",
    columns=[
        Column("n", "BIGINT", "A number"),
        Column("text", "STRING", "A text", nullable=True),
        Column("at", "TIMESTAMP", "When", nullable=True),
    ],
    key=["n"],
    checks={"is_positive": "n > 0"},
)


@pytest.mark.parametrize("runtime", ["", "17.3"])
def test_rows_are_added_and_changed_the_same_way_in_both_worlds(
    spark: "SparkSession", monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    ensure(spark, NOTES)
    if runtime:
        monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", runtime)
    at = datetime(2026, 11, 2, 3, 4, 5, 678, tzinfo=UTC)
    add(NOTES, [{"n": 1, "other": "left out"}, {"n": 2}])
    update(NOTES, {"text": "it's a \\ 'text'", "at": at}, "n = 2 AND text IS NULL")
    found = select("SELECT * FROM some.notes ORDER BY n", NOTES)
    assert found == [{"n": 1, "text": None, "at": None}, {"n": 2, "text": "it's a \\ 'text'", "at": at}]


@pytest.mark.usefixtures("home")
def test_a_change_that_breaks_a_check_is_refused_in_words_that_quote_no_value() -> None:
    add(NOTES, [{"n": 5, "text": "Doe^Jane"}])
    with pytest.raises(TableError, match=r"^Rows don't fit some\.notes") as refused:
        update(NOTES, {"n": 0}, "n = 5")
    assert "Doe" not in str(refused.value)
    assert select("SELECT n FROM some.notes", NOTES) == [{"n": 5}]


@pytest.mark.usefixtures("home")
def test_changes_that_come_at_once_are_all_made() -> None:
    add(NOTES, [{"n": n} for n in range(1, 9)])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: update(NOTES, {"text": f"note {n}"}, f"n = {n}"), range(1, 9)))
    found = select("SELECT n, text FROM some.notes ORDER BY n", NOTES)
    assert found == [{"n": n, "text": f"note {n}"} for n in range(1, 9)]
