"""Upkeep of the tables: small files together, dead rows out, old files gone; pixels are copied only where it pays."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.pipeline.runs import intake_lock, prepared_session, still_ours
from lakeward.imaging.stewardship.crosswalk import PSEUDONYM
from lakeward.imaging.stewardship.purge import HEAVY_ROWS, configured
from lakeward.imaging.tables import PIXELS, TABLES
from lakeward.workspace.events import Event, record
from lakeward.workspace.ports import holds
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

_CLEANUP = "delta.enableExpiredLogCleanup"


class Optimized(BaseModel):
    """Files and bytes of a table's newest version, before and after; whether a legal hold keeps what nothing uses."""

    model_config = ConfigDict(frozen=True)

    table: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    kept: bool


def optimize() -> list[Optimized]:
    """Put small files together, by the clustering where a table has one, and remove files unused for a week.

    While a legal hold keeps everything, or a patient, no file is removed, and no entry of the logs either, which Delta
    else removes after 30 days: all versions that are there at the first upkeep under the hold stay. Only what another
    patient's withdrawal, or retiring a key, takes out of the history goes. The event names the holds.

    Run again, it finds nothing to do. If it is killed, tables are as before or as after. Other runs may go on between
    two tables.
    """
    held = _holding()
    names = ", ".join(table.name for table in TABLES)
    record(Event(type="imaging.tables.optimized", object=names, details={"holds": [*held]} if held else {}))
    return [_optimize(table) for table in TABLES]


def _holding() -> list[str]:
    return sorted(name for name, object_ in holds().items() if not object_ or PSEUDONYM.fullmatch(object_))


def _optimize(table: Table) -> Optimized:
    with intake_lock():
        keep = bool(_holding())  # one may have begun since the table before, which takes hours where it is large
        spark = prepared_session()
        before = _detail(spark, table)
        if (before["properties"].get(_CLEANUP) == "false") != keep:
            spark.sql(f"ALTER TABLE {table.name} SET TBLPROPERTIES ('{_CLEANUP}' = '{str(not keep).lower()}')")
        with configured(spark, LAYOUT | HEAVY_ROWS if table == PIXELS else LAYOUT):
            still_ours()
            spark.sql(f"OPTIMIZE {table.name}").collect()
        if not keep:
            still_ours()
            spark.sql(f"VACUUM {table.name}").collect()
        after = _detail(spark, table)
    return Optimized(
        table=table.name,
        files_before=before["numFiles"],
        files_after=after["numFiles"],
        bytes_before=before["sizeInBytes"],
        bytes_after=after["sizeInBytes"],
        kept=keep,
    )


def _detail(spark: "SparkSession", table: Table) -> dict[str, Any]:
    return dict(spark.sql(f"DESCRIBE DETAIL {table.name}").collect()[0].asDict())
