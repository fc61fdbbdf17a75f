"""A few rows of a table, wherever it lies: here with no JVM, on Databricks with its session.

A statement of Spark's costs processor time by the second before it has read a row; here it takes milliseconds.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lakeward.workspace import lakehouse
from lakeward.workspace.settings import on_databricks
from lakeward.workspace.spark import session
from lakeward.workspace.tables import Table, append, change, ensure, quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

Value = str | int | float | datetime


def select(sql: str, table: Table) -> list[dict[str, Any]] | None:
    """Return what a SELECT finds in a table; None where there is no such table.

    Parameters
    ----------
    sql : str
        In what Spark's dialect and DataFusion's have in common; it calls the table by its two-level name.

    Raises
    ------
    TableError
        If the statement does not fit the table.
    """
    found = columns(sql, table)
    return None if found is None else found.to_pylist()


def columns(sql: str, table: Table) -> "pa.Table | None":
    """Return what `select` does, by columns: for many rows."""
    if not on_databricks():
        return lakehouse.query(sql, table) if lakehouse.exists(table) else None
    spark = session()
    return spark.sql(sql).toArrow() if spark.catalog.tableExists(table.name) else None  # times keep their zone


def add(table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows in one commit; what a row lacks is null, what the table lacks is left out.

    The table is created if need be, so it is not for those that are laid out by clusters.

    Raises
    ------
    TableError
        If a row breaks a check or a NOT NULL, or the table differs from its declaration; nothing is added then.
    """
    if not rows:
        return
    if on_databricks():
        _append(_prepared(table), table, rows)
    else:
        lakehouse.add(table, rows)


def update(table: Table, values: Mapping[str, Value], where: str) -> None:
    """Set columns of the rows for which a condition holds, in one commit; again, if another came in between.

    Parameters
    ----------
    where : str
        As in `select`.

    Raises
    ------
    TableError
        As for `add`.
    """
    sets = {name: literal(value) for name, value in values.items()}
    if on_databricks():
        change(_prepared(table), f"UPDATE {table.name} SET {', '.join(map(' = '.join, sets.items()))} WHERE {where}")
    else:
        lakehouse.update(table, sets, where)


def literal(value: Value) -> str:
    """Return a value as this place's dialect of SQL writes it."""
    match value:
        case datetime():
            return f"CAST('{value.isoformat()}' AS TIMESTAMP)"
        case str():
            return quoted(value) if on_databricks() else "'" + value.replace("'", "''") + "'"
    return str(value)


def _append(spark: "SparkSession", table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa

    schema = pa.schema([field.with_nullable(True) for field in table.arrow_schema])
    append(spark.createDataFrame(pa.Table.from_pylist(list(rows), schema), table.spark_schema), table)


def _prepared(table: Table) -> "SparkSession":
    spark = session()
    ensure(spark, table)
    return spark
