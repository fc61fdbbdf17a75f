"""Deletion that is meant: rows go out of the files too, and out of the tables' history."""

from collections.abc import Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lakeward.imaging.pipeline.runs import still_ours
from lakeward.workspace.lakehouse import forget
from lakeward.workspace.settings import on_databricks
from lakeward.workspace.tables import Table, change, literals

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HEAVY_ROWS = {
    "spark.sql.parquet.columnarReaderBatchSize": "1",
    "parquet.page.size.row.check.min": "1",
    "parquet.page.size.row.check.max": "1",
    "parquet.block.size": str(32 * 1024**2),
    "parquet.block.size.row.check.min": "1",
}
"""How Spark copies rows of ``imaging.pixels``: by default it takes them by the hundred, and with 40 MB each it dies."""

_NO_RETENTION = {"spark.databricks.delta.retentionDurationCheck.enabled": "false"}
_AT_ONCE = 5000


def delete(spark: "SparkSession", table: Table, column: str, names: Set[str]) -> None:
    """Delete the rows that have one of some names in a column; each time only if the lakehouse is ours still."""
    for some in _chunks(sorted(names)):
        still_ours()
        change(spark, f"DELETE FROM {table.name} WHERE {column} IN ({literals(some)})")


def purge(spark: "SparkSession", tables: Iterable[Table]) -> None:
    """Take what was deleted out of tables' files and, locally, out of their history.

    Rows that deletion vectors mark are written out of their files (only such files are rewritten), files that the
    newest version does not name are removed, then the log before a checkpoint of it: old entries hold the smallest and
    largest values of files that are gone, and names that deletions were for. Delta removes them by itself only after
    `delta.logRetentionDuration`, 30 days; on Databricks that stays so.

    Call it under the lock on the intake zone: a file that another writer has not committed yet would be removed too.
    Before each step it is made sure that no other machine has that lock by now.
    """
    with (
        configured(spark, _NO_RETENTION | HEAVY_ROWS),
        ThreadPoolExecutor() as pool,
    ):  # mostly waiting for Spark's many small steps
        list(pool.map(lambda table: _purge(spark, table), tables))


def _purge(spark: "SparkSession", table: Table) -> None:
    still_ours()
    if table.properties.get("delta.enableDeletionVectors") == "true":
        spark.sql(f"REORG TABLE {table.name} APPLY (PURGE)").collect()
        still_ours()
    if on_databricks():
        spark.sql(f"VACUUM {table.name} RETAIN 0 HOURS").collect()
    else:  # VACUUM is made for clusters: ten small jobs, two seconds for each table
        # A commit that says nothing of anybody: the last entry of the log stays.
        now = datetime.now(UTC).isoformat()
        spark.sql(f"ALTER TABLE {table.name} SET TBLPROPERTIES ('lakeward.purged' = '{now}')")
        still_ours()
        forget(table)


@contextmanager
def configured(spark: "SparkSession", settings: Mapping[str, str]) -> Iterator[None]:
    """Let the session have other settings inside, then those that it had."""
    before = {name: spark.conf.get(name, None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, earlier in before.items():
            spark.conf.unset(name) if earlier is None else spark.conf.set(name, earlier)


def _chunks(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]
