"""A few rows of a table, wherever it lies: here with no JVM, on Databricks with its session."""

from typing import Any

from lakeward.workspace import lakehouse
from lakeward.workspace.settings import on_databricks
from lakeward.workspace.spark import session
from lakeward.workspace.tables import Table


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
    if not on_databricks():
        return lakehouse.query(sql, table).to_pylist() if lakehouse.exists(table) else None
    spark = session()
    if not spark.catalog.tableExists(table.name):
        return None
    found: list[dict[str, Any]] = spark.sql(sql).toArrow().to_pylist()  # times keep their zone, unlike with collect()
    return found
