"""The lakehouse with no JVM: reading it, and adding a few rows."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakeward.workspace.errors import TableError
from lakeward.workspace.lakehouse import add, history, query
from lakeward.workspace.tables import Column, Table, ensure

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_a_question_imports_no_pandas_which_takes_longer_than_the_answer(home: Path) -> None:
    write_deltalake(str(home / "some" / "rows"), pa.table({"n": pa.array([1, 2], pa.int32())}))
    program = (
        "import sys\n"
        "from lakeward.workspace.lakehouse import batches, query\n"
        "from lakeward.workspace.tables import Column, Table\n"
        "table = Table(name='some.rows', comment='', columns=[Column('n', 'INT', '')], key=['n'])\n"
        "sql = 'SELECT sum(n) AS n FROM some.rows'\n"
        "print(query(sql, table)['n'], [batch.num_rows for batch in batches(sql, table)], 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "3" in done.stdout
    assert done.stdout.split()[-2:] == ["[1]", "False"]


TABLE = Table(
    name="some.records",
    comment="Records, it's said.",
    columns=[
        Column("n", "BIGINT", "A number"),
        Column("parts", "MAP<STRING, BIGINT>", "Parts of it", nullable=True),
        Column("at", "TIMESTAMP", "When", nullable=True),
    ],
    key=["n"],
    checks={"Positive": "n > 0"},
)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("row", [{"n": 0}, {"n": None}, {"n": "one"}, {"parts": []}])
def test_a_row_that_does_not_fit_is_refused_and_not_quoted(row: dict[str, Any]) -> None:
    with pytest.raises(TableError, match=r"^Rows don't fit some\.records"):
        add(TABLE, [{"n": 1}, row])
    assert query("SELECT n FROM some.records", TABLE).num_rows == 0


def test_spark_takes_a_table_that_was_created_without_it(spark: "SparkSession") -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    add(TABLE, [{"n": 1, "parts": [("a", 2)], "at": at}])
    ensure(spark, TABLE)
    spark.sql("INSERT INTO some.records (n) VALUES (2)")
    add(TABLE, [{"n": 3}])
    assert [row.n for row in spark.table("some.records").orderBy("n").collect()] == [1, 2, 3]
    assert [commit["rows"] for commit in history(TABLE)][:2] == [1, 1], "of delta-rs and of Spark"
    assert spark.sql("SELECT parts['a'] AS a FROM some.records WHERE at IS NOT NULL").collect()[0].a == 2
    comments = {row.col_name: row.comment for row in spark.sql("DESCRIBE some.records").collect()}
    assert comments["parts"] == "Parts of it"
    with pytest.raises(Exception, match="positive"):
        spark.sql("INSERT INTO some.records (n) VALUES (-1)")
