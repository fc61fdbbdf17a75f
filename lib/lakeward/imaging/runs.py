"""The restricted zone's folders, and the record of each run: started, ended, or found dead."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeward.imaging.process import CODE_VERSION, Recipe
from lakeward.imaging.tables import IMAGES, PIXELS, RUNS, TABLES
from lakeward.workspace.settings import settings
from lakeward.workspace.spark import session
from lakeward.workspace.tables import ensure

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def intake() -> Path:
    """Return the folder of the restricted zone, which only its owner can enter."""
    folder = settings().home / "intake"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def quarantine_folder() -> Path:
    """Return the folder where originals that are set aside are kept, named by their HMAC."""
    folder = intake() / "quarantine"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def prepared_session() -> "SparkSession":
    """Return the session with the imaging tables in it, and the leftovers of killed runs put away.

    Call it under the lock on the intake zone: a run that still counts as running is then known to be dead.
    """
    spark = session()
    ensure(spark, *TABLES)
    for row in spark.table(RUNS.name).where("state = 'RUNNING'").select("run_id").collect():
        put_away(spark, row["run_id"], "INTERRUPTED")
    return spark


def insert_run(spark: "SparkSession", run_id: str, started: datetime, recipe: Recipe) -> None:
    """Record that a run has started."""
    row: dict[str, Any] = dict.fromkeys(column.name for column in RUNS.columns)
    row |= {"run_id": run_id, "state": "RUNNING", "started_at": started, "profile": recipe.profile.name}
    row |= {"profile_hash": recipe.profile_hash, "key_id": recipe.pseudonyms.key_id, "code_version": CODE_VERSION}
    frame = spark.createDataFrame([row], RUNS.spark_schema)
    frame.write.format("delta").mode("append").saveAsTable(RUNS.name)


def update_run(spark: "SparkSession", run_id: str, state: str, **counts: float) -> None:
    """Record how a run stands."""
    sets = ", ".join(f"{name} = {value}" for name, value in counts.items())
    spark.sql(
        f"UPDATE {RUNS.name} SET state = '{state}', ended_at = current_timestamp(){', ' if sets else ''}{sets} "
        f"WHERE run_id = '{run_id}'"
    )


def put_away(spark: "SparkSession", run_id: str, state: str) -> None:
    """Mark a run that died, and drop the pixels that it stored without an image."""
    spark.sql(
        f"DELETE FROM {PIXELS.name} WHERE run_id = '{run_id}' AND pixels_id NOT IN "
        f"(SELECT pixels_id FROM {IMAGES.name} WHERE run_id = '{run_id}')"
    )
    shutil.rmtree(intake() / "runs" / run_id, ignore_errors=True)
    update_run(spark, run_id, state=state)
