"""Small sets of names between Python and Spark."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from lakeward.workspace.tables import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def having(spark: "SparkSession", table: Table, column: str, values: Iterable[str]) -> "DataFrame":
    """Return the rows of a table that have one of some values in a column."""
    names = spark.createDataFrame(pa.table({column: pa.array(sorted(values), pa.string())}))
    return spark.table(table.name).join(names, column, "left_semi")


def lacking(spark: "SparkSession", table: Table, column: str, values: Iterable[str]) -> "DataFrame":
    """Return the other rows."""
    names = spark.createDataFrame(pa.table({column: pa.array(sorted(values), pa.string())}))
    return spark.table(table.name).join(names, column, "left_anti")


def distinct(rows: "DataFrame", column: str) -> set[str]:
    """Return the values of a column."""
    return set(rows.select(column).distinct().toArrow()[column].to_pylist())
