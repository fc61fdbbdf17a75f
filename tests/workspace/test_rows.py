"""A few rows are the same, whether Spark reads them or nothing but this process."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lakeward.workspace import lakehouse
from lakeward.workspace.rows import select
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
