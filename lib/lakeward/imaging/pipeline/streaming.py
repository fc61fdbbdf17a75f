"""The new files of a folder that grows, found by Structured Streaming: by Auto Loader on Databricks.

The stream only says which files have come. It writes their paths, batch by batch, into lists in the restricted zone,
and notes in its checkpoint that they are listed; then one run takes the lists, and removes them when it has succeeded.
A process that is killed leaves a batch that Spark lists again, or lists for the next run to take; and as
``intake.files`` knows what was done, a file that is listed twice is processed once.

What a stream can't see is left to a run over the whole folder, which should follow now and then: names that start with
``_`` or ``.``, and names that are not in the JVM's character set; what is no file; locally also a file that has
changed since it was listed, so that files should be moved into the folder whole. Links to folders are followed.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from lakeward.imaging.pipeline.discovery import Original, check_folder, look
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.runs import stream_folder
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.settings import on_databricks
from lakeward.workspace.spark import session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

AUTO_LOADER = {
    "cloudFiles.format": "binaryFile",
    "cloudFiles.maxFilesPerTrigger": "100000",  # 1,000 by default, though a batch here is but a list
    "cloudFiles.allowOverwrites": "true",  # a file that has changed comes again; what only seems so is known
}
"""Options of Auto Loader."""

FILE_SOURCE = {
    "recursiveFileLookup": "true",
    "maxFileAge": "36500d",  # by default a file is passed over that is a week older than the newest
    "ignoreMissingFiles": "true",
}
"""Options of Spark's own file source, which lists the whole folder each time and keeps what is new."""

_SCHEMA = "path STRING, modificationTime TIMESTAMP, length BIGINT, content BINARY"
"""That of Spark's format binaryFile; a column that is not asked for, such as the content, is not read."""
_GLOB = "*?[]{}\\"


def arrivals(source: Path, recipe: Recipe) -> AbstractContextManager[list[Original]]:
    """Return the files that have come since they were asked for last, for a block that processes them.

    If the block fails they come again. Call it under the lock on the intake zone.

    Raises
    ------
    ConfigurationError
        If there is no such folder, or its path has a character that Spark reads as a pattern.
    """
    check_folder(source)
    if set(_GLOB) & set(str(source.absolute())):
        raise ConfigurationError(f"{source} has one of {_GLOB} in its path, which a stream takes for a pattern.")
    return _arrivals(source.absolute(), recipe)


@contextmanager
def _arrivals(source: Path, recipe: Recipe) -> Iterator[list[Original]]:
    folder = stream_folder(recipe.pseudonyms.source(Original(str(source), 0, 0).name.encode()))
    lists = folder / "lists"
    _list_new(source, lists, folder / "checkpoint")
    yield _listed(lists)
    shutil.rmtree(lists, ignore_errors=True)


def _list_new(source: Path, lists: Path, checkpoint: Path) -> None:
    """Write the paths of new files into lists."""
    spark = session()
    kind, options = ("cloudFiles", AUTO_LOADER) if on_databricks() else ("binaryFile", FILE_SOURCE)
    files = spark.readStream.format(kind).options(**options).schema(_SCHEMA).load(str(source))
    stream = files.select("path").writeStream.foreachBatch(_to(str(lists)))
    # A task for each processor: by default there is one for every 28 files, however little it does with them.
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(2**50))
    try:
        query = stream.option("checkpointLocation", str(checkpoint)).trigger(availableNow=True).start()
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionBytes")
    query.awaitTermination()


def _to(lists: str) -> "Callable[[DataFrame, int], None]":
    """What to do with a batch; on Spark Connect it is done elsewhere, so that it may not need this module."""

    def write(batch: "DataFrame", number: int) -> None:
        batch.write.mode("overwrite").parquet(f"{lists}/{number}")

    return write


def _listed(lists: Path) -> list[Original]:
    """Look at the files in the lists; a path is there as a URI, of which only the scheme has to go."""
    uris = pq.read_table(lists, partitioning=None)["path"].to_pylist() if lists.exists() else []
    return [look("/" + uri.partition(":")[2].lstrip("/")) for uri in sorted(set(uris))]
