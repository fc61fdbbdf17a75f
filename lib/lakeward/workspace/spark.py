"""The Spark session: Databricks' own where there is one, else Spark and Delta on this machine, with no network."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from lakeward.workspace import jars
from lakeward.workspace.errors import PrerequisiteMissing
from lakeward.workspace.java import java_version
from lakeward.workspace.settings import on_databricks, settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COMMIT_INFO = "LAKEWARD_COMMIT_INFO"
"""Environment variable with a text that each commit to a Delta table then has as its ``userMetadata``."""


def session(app: str = "lakeward") -> "SparkSession":
    """Return the Spark session of this process, started if need be.

    Parameters
    ----------
    app : str
        Name that Spark shows for it.

    Raises
    ------
    PrerequisiteMissing
        If pyspark, Java or Delta's jars are missing.
    """
    try:
        from pyspark.sql import SparkSession
    except ModuleNotFoundError:
        raise PrerequisiteMissing("pyspark is not installed. Run make setup, or install lakeward[local].") from None
    if on_databricks():
        spark = SparkSession.builder.getOrCreate()
        if catalog := settings().catalog:
            spark.sql(f"USE CATALOG `{catalog}`")
        return spark
    if running := SparkSession.getActiveSession():
        return running
    _keep_errors_quiet()
    java_version()
    # Workers must run this interpreter: unset, they take whatever python3 is first on the PATH.
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    with _output_as_errors():
        return SparkSession.builder.appName(app).config(map=_configuration()).getOrCreate()


def _keep_errors_quiet() -> None:
    """Have pyspark raise errors, and not print them too: they quote the statement and the values at fault."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True


@contextmanager
def _output_as_errors() -> Iterator[None]:
    """Let a JVM that starts now print to standard error: standard output is for what a command returns."""
    output = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(output, 1)
        os.close(output)


def _configuration() -> "dict[str, bool | float | int | str | None]":
    classpath = jars.classpath()
    java_options = f"-Dlog4j2.configurationFile={files(__package__) / 'log4j2.properties'} -Duser.timezone=UTC"
    archive = jars.folder() / jars.CLASSES
    # One that does not fit is no reason to say anything.
    sharing = f' "-XX:SharedArchiveFile={archive}" -Xlog:disable -Xlog:all=error:stderr' if archive.exists() else ""
    return {
        "spark.master": settings().spark_master,
        "spark.driver.memory": settings().driver_memory,
        # On the class path, not in spark.jars: those are copied for every session.
        "spark.driver.extraClassPath": classpath,
        "spark.executor.extraClassPath": classpath,
        "spark.driver.extraJavaOptions": java_options + sharing,
        "spark.executor.extraJavaOptions": java_options,
        # Loopback: a laptop changes networks, and nothing outside it may connect.
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(settings().home / "default"),
        "spark.sql.session.timeZone": "UTC",
        # So that a small query of one thread does not wait for all tasks of another's.
        "spark.scheduler.mode": "FAIR",
        "spark.scheduler.allocation.file": Path(str(files(__package__) / "scheduler.xml")).as_uri(),
        "spark.sql.shuffle.partitions": str(os.cpu_count() or 1),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Delta reads its log with as many tasks as this; 50 is its default, for clusters.
        "spark.databricks.delta.snapshotPartitions": "2",
        # VACUUM lists a table's files with as many tasks as this; 10,000 is the default, half a minute here.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
        **({"spark.databricks.delta.commitInfo.userMetadata": text} if (text := os.environ.get(COMMIT_INFO)) else {}),
    }
