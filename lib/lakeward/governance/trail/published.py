"""The table ``governance.audit`` for publishing: here with no JVM, on Databricks with its session."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lakeward.governance.tables import AUDIT
from lakeward.workspace import lakehouse
from lakeward.workspace.rows import select
from lakeward.workspace.settings import on_databricks
from lakeward.workspace.spark import session
from lakeward.workspace.tables import ensure

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Records = Sequence[Mapping[str, Any]]


def next_number(log: str) -> int:
    """Return the number of a log's first event that the table lacks."""
    sql = f"SELECT log, max(sequence) + 1 AS next FROM {AUDIT.name} GROUP BY log"
    return next((row["next"] for row in select(sql, AUDIT) or () if row["log"] == log), 0)


def leave(log: str, before: int, records: Records) -> None:
    """Let these be a log's only rows from before a number, and forget the others.

    Here they are gone from the files and the history at once. On Databricks they are after the table's own times: of
    deleted files (7 days, if VACUUM or predictive optimization runs then) and of the log (30 days).
    """
    name = log.replace("'", "''")
    condition = f"log = '{name}' AND sequence < {before:d}"
    if on_databricks():
        _replace(_session(), condition, records)
    else:
        lakehouse.replace(AUDIT, condition, records)
        lakehouse.forget(AUDIT)


def _replace(spark: "SparkSession", condition: str, records: Records) -> None:
    import pyarrow as pa

    rows = spark.createDataFrame(pa.Table.from_pylist(list(records), AUDIT.arrow_schema), AUDIT.spark_schema)
    writer = rows.write.format("delta").mode("overwrite").option("replaceWhere", condition)
    writer.saveAsTable(AUDIT.name)


def _session() -> "SparkSession":
    spark = session()
    ensure(spark, AUDIT)
    return spark
