"""Small sets of names between Python and Spark."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def having(rows: "DataFrame", column: str, values: Iterable[str]) -> "DataFrame":
    """Return the rows that have one of some values in a column."""
    return rows.join(_frame(rows, column, values), column, "left_semi")


def lacking(rows: "DataFrame", column: str, values: Iterable[str]) -> "DataFrame":
    """Return the other rows."""
    return rows.join(_frame(rows, column, values), column, "left_anti")


def distinct(rows: "DataFrame", column: str) -> set[str]:
    """Return the values of a column."""
    return set(rows.select(column).distinct().toArrow()[column].to_pylist())


def _frame(rows: "DataFrame", column: str, values: Iterable[str]) -> "DataFrame":
    return rows.sparkSession.createDataFrame(pa.table({column: pa.array(sorted(values), pa.string())}))
