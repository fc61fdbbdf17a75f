"""Spark's classes as the JVM keeps them in memory, in a file that it maps: a session starts for half the time.

It is what JEP 350 calls a dynamic archive of class data. ``python -m lakeward.workspace.class_archive``, a step of
``make setup``, makes it by a small job of the usual kinds. A JVM that it does not fit, as of another Java, starts
without it.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lakeward.workspace.jars import CLASSES, folder
from lakeward.workspace.spark import session
from lakeward.workspace.tables import Column, Table, append, change, ensure

if TYPE_CHECKING:
    import pyarrow as pa

_RECORD = "--record"


def make() -> bool:
    """Make the archive, which takes about as long as three starts of Spark; tell whether there is one now."""
    made, archive = folder() / f"_{CLASSES}", folder() / CLASSES
    for old in (made, archive):  # a session that starts with one can't record another
        old.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"LAKEWARD_HOME": home, "SPARK_SUBMIT_OPTS": f"-XX:ArchiveClassesAtExit={made}"}
        # The JVM writes it as it ends, which is after the process that started it: its outputs are closed only then.
        command = [sys.executable, "-m", "lakeward.workspace.class_archive", _RECORD]
        subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
    if made.exists():
        made.replace(archive)
    return archive.exists()


def _record() -> None:
    """Do a little of all that sessions do, so that its classes are loaded."""
    table = Table(
        name="some.rows",
        comment="Rows",
        columns=[Column("n", "BIGINT", "A number"), Column("text", "STRING", "A text", nullable=True)],
        key=["n"],
        cluster_by=["n"],
        checks={"is_positive": "n >= 0"},
    )
    spark = session()
    ensure(spark, table)
    rows = spark.range(100).selectExpr("id AS n", "CAST(id AS STRING) AS text")
    append(rows.mapInArrow(_same, table.spark_schema), table)
    append(spark.createDataFrame(rows.toArrow(), table.spark_schema), table)
    change(spark, "UPDATE some.rows SET text = 'x' WHERE n < 10")
    change(spark, "DELETE FROM some.rows WHERE n IN (11, 12)")
    spark.table("some.rows").join(rows, "n", "left_semi").groupBy("text").count().orderBy("text").toArrow()
    spark.sql("OPTIMIZE some.rows").collect()


def _same(batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    yield from batches


if __name__ == "__main__":
    if sys.argv[1:] == [_RECORD]:
        _record()
    elif not make():
        print("Spark's classes could not be archived: sessions start as ever, only slower.", file=sys.stderr)
