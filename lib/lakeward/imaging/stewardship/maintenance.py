"""Upkeep of the tables: small files together, dead rows out, old files gone; pixels are copied only where it pays."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.pipeline.runs import intake_lock, prepared_session
from lakeward.imaging.stewardship.purge import HEAVY_ROWS, configured
from lakeward.imaging.tables import PIXELS, TABLES
from lakeward.workspace.events import Event, record
from lakeward.workspace.tables import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_MIB = 1024**2

LAYOUT = {
    "spark.databricks.delta.optimize.minFileSize": str(32 * _MIB),
    "spark.databricks.delta.optimize.maxFileSize": str(256 * _MIB),
    "spark.databricks.delta.optimize.maxDeletedRowsRatio": "0.2",
}
"""Which files are worth copying: small ones, and those of which a fifth is deleted.

Delta's own limits are 1 GiB, so that all pixels would be copied, and a withdrawal would rewrite a file of that size.
"""


class Optimized(BaseModel):
    """Files and bytes of a table's newest version, before and after."""

    model_config = ConfigDict(frozen=True)

    table: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


def optimize() -> list[Optimized]:
    """Put small files together, by the clustering where a table has one, and remove files unused for a week.

    Run again, it finds nothing to do. If it is killed, tables are as before or as after. Other runs may go on between
    two tables.
    """
    record(Event(type="imaging.tables.optimized", object=", ".join(table.name for table in TABLES)))
    return [_optimize(table) for table in TABLES]


def _optimize(table: Table) -> Optimized:
    with intake_lock():
        spark = prepared_session()
        before = _detail(spark, table)
        with configured(spark, LAYOUT | HEAVY_ROWS if table == PIXELS else LAYOUT):
            spark.sql(f"OPTIMIZE {table.name}").collect()
        spark.sql(f"VACUUM {table.name}").collect()
        after = _detail(spark, table)
    return Optimized(
        table=table.name,
        files_before=before["numFiles"],
        files_after=after["numFiles"],
        bytes_before=before["sizeInBytes"],
        bytes_after=after["sizeInBytes"],
    )


def _detail(spark: "SparkSession", table: Table) -> dict[str, Any]:
    return dict(spark.sql(f"DESCRIBE DETAIL {table.name}").collect()[0].asDict())
