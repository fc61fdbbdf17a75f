"""The restricted zone's folders, and the record of each run: started, ended, or found dead."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeward.imaging.pipeline.commit import drop_pixels
from lakeward.imaging.pipeline.recipe import CODE_VERSION, Recipe
from lakeward.imaging.pipeline.sinks import sweep
from lakeward.imaging.tables import IMAGES, PIXELS, RUNS, TABLES
from lakeward.workspace.errors import telling_full_disk
from lakeward.workspace.lakehouse import is_current
from lakeward.workspace.leases import Lease, leased
from lakeward.workspace.locks import exclusive
from lakeward.workspace.rows import Value, add, update
from lakeward.workspace.settings import on_databricks, settings
from lakeward.workspace.spark import session
from lakeward.workspace.tables import ensure

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


_held: list[Lease] = []


def intake() -> Path:
    """Return the folder of the restricted zone, which only its owner can enter."""
    return _restricted(settings().home / "intake")


def quarantine_folder() -> Path:
    """Return the folder where originals that are set aside are kept, named by their HMAC."""
    return _restricted(intake() / "quarantine")


def run_folder(run_id: str) -> Path:
    """Return the folder for what a run writes down; it is there for as long as something of the run is unfinished."""
    return _restricted(_restricted(intake() / "runs") / run_id)


def stream_folder(name: str) -> Path:
    """Return the folder for what a stream writes down, which are paths."""
    return _restricted(_restricted(intake() / "streams") / name)


def _restricted(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


@contextmanager
def intake_lock() -> Iterator[None]:
    """Lock out other runs for as long as the block lasts; another one of this machine waits a minute.

    Raises
    ------
    Busy
        If it has waited for nothing, or another machine is at work on the lakehouse.
    StorageFull
        If a disk is full.
    """
    folder = settings().home
    with telling_full_disk(folder), exclusive(intake() / "ingest.lock"), leased(intake() / "ingest.lease") as lease:
        _held.append(lease)
        try:
            yield
        finally:
            _held.remove(lease)


def still_ours() -> None:
    """Make sure that no other machine has taken the lakehouse over, because this one stood still for minutes.

    Raises
    ------
    Busy
        If one has.
    """
    for lease in _held:
        lease.check()


def prepared_session() -> "SparkSession":
    """Return the session with the imaging tables in it, and the leftovers of runs that died put away.

    Call it under the lock on the intake zone: a run whose folder is still there is then known to be dead.
    """
    # Workers and delta-rs have the work here: compiled well, what is left to the JVM took twice its time.
    os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1")
    spark = session()
    ensure(spark, *TABLES)
    for folder in sorted(intake().glob("runs/*")):
        still_ours()  # of machines that begin at once, each sees the other's lease only now
        _drop_pixels_without_image(spark, folder.name)
        sweep(folder.name)
        update_run(folder.name, "INTERRUPTED")
        shutil.rmtree(folder)
    return spark


def at_rest() -> bool:
    """Whether all tables are as declared, and no run has left anything; on Databricks nobody needs to ask."""
    return not on_databricks() and all(map(is_current, TABLES)) and not any(intake().glob("runs/*"))


def insert_run(run_id: str, started: datetime, recipe: Recipe) -> None:
    """Record that a run has started; its folder comes first, which tells if it dies."""
    run_folder(run_id)
    row: dict[str, Any] = {"run_id": run_id, "state": "RUNNING", "started_at": started, "profile": recipe.profile.name}
    row |= {"profile_hash": recipe.profile_hash, "key_id": recipe.pseudonyms.key_id, "code_version": CODE_VERSION}
    add(RUNS, [row])


def update_run(run_id: str, state: str, **counts: float) -> None:
    """Record how a run that was running has ended."""
    values: dict[str, Value] = {"state": state, "ended_at": datetime.now(UTC), **counts}
    update(RUNS, values, f"run_id = '{run_id}' AND state = 'RUNNING'")


def _drop_pixels_without_image(spark: "SparkSession", run_id: str) -> None:
    """Drop what a run stored and did not come to commit."""
    stored, images = (
        spark.table(table.name).where(f"run_id = '{run_id}'").select("pixels_id") for table in (PIXELS, IMAGES)
    )
    drop_pixels(spark, run_id, set(stored.join(images, "pixels_id", "left_anti").toArrow()["pixels_id"].to_pylist()))
