"""A table as it was before, from its own history: a new commit, so that what is undone can be undone, too."""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from lakeward.workspace.errors import TableError
from lakeward.workspace.events import Event, record
from lakeward.workspace.spark import session
from lakeward.workspace.tables import Table, change, ensure

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Restored(NamedTuple):
    """What was restored: versions, and how many rows they have."""

    before: int
    version: int
    rows_before: int
    rows: int


def restore(table: Table, reason: str, version: int | None = None, at: datetime | None = None) -> Restored:
    """Bring a table back to a version, or to what it was at a time; the event is recorded before.

    Raises
    ------
    TableError
        If there was no such version, or files of it were removed since.
    """
    from pyspark.errors import PySparkException

    spark = session()
    ensure(spark, table)
    times = _times(spark, table)
    wanted = version if version is not None else max((v for v, then in times.items() if at and then <= at), default=-1)
    if wanted not in times:
        raise TableError(f"{table.name} had no such version; its history has {min(times)} to {max(times)}.")
    try:
        rows, then = _rows(spark, table.name), _rows(spark, f"{table.name} VERSION AS OF {wanted}")
        done = Restored(max(times), wanted, rows, then)
        record(Event(type="workspace.table.restored", object=table.name, reason=reason, details=done._asdict()))
        change(spark, f"RESTORE TABLE {table.name} TO VERSION AS OF {wanted}")
    except PySparkException as error:  # its text names files
        raise TableError(
            f"Version {wanted} of {table.name} can't be restored ({type(error).__name__}), as a rule since its files "
            "were removed: lakeward backup restore brings back a table from a backup."
        ) from None
    return done


def _times(spark: "SparkSession", table: Table) -> dict[int, datetime]:
    found = spark.sql(f"DESCRIBE HISTORY {table.name}").select("version", "timestamp").collect()
    return {row.version: row.timestamp.astimezone() for row in found}


def _rows(spark: "SparkSession", table: str) -> int:
    return int(spark.sql(f"SELECT count(*) FROM {table}").collect()[0][0])
