"""A ledger of processed files into rows of the imaging tables, in an order that a killed run can't harm."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lakeward.imaging.tables import FILES, IMAGES, PIXELS, QUARANTINE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_KEY = list(IMAGES.key)


def commit(spark: "SparkSession", ledger: "DataFrame", run_id: str) -> Counter[str]:
    """Turn a ledger into rows: images first, the list of files that are done last.

    Parameters
    ----------
    ledger : pyspark.sql.DataFrame
        One row for each finished file, as `worker.LEDGER`; more than one where Spark has run a task twice.
    run_id : str
        The run, whose rows are in ``imaging.pixels`` already.

    Returns
    -------
    Counter of str
        Files by outcome; duplicates; and files by reason, each under ``!`` and the reason's code.
    """
    pixels = spark.table(PIXELS.name).where(f"run_id = '{run_id}'").select("pixels_id")
    ledger = ledger.join(pixels, "pixels_id", "left_semi").unionByName(ledger.where("outcome = 'quarantined'"))
    ledger = ledger.dropDuplicates(["path"]).cache()
    new = _new(spark, ledger.where("outcome = 'stored'").dropDuplicates(_KEY), IMAGES.name)
    _append(new.select(*(column.name for column in IMAGES.columns)), IMAGES.name)
    duplicates = _drop_pixels_without_image(spark, ledger)
    aside = ledger.where("outcome = 'quarantined'").dropDuplicates(_KEY).selectExpr(
        *_KEY, "run_id", "ingested_at AS quarantined_at", "reason", "detail", "original_bytes AS size_bytes",
        "'open' AS status", "CAST(NULL AS STRING) AS resolution", "CAST(NULL AS STRING) AS closed_by",
        "CAST(NULL AS TIMESTAMP) AS closed_at",
    )  # fmt: skip
    _append(_new(spark, aside, QUARANTINE.name, "status = 'open'"), QUARANTINE.name)
    _close_superseded(spark, ledger.select("source_hmac", *_KEY[1:], "outcome"), run_id)
    _append(
        ledger.selectExpr("path", "original_bytes AS size_bytes", "mtime_ns", *_KEY, "run_id", "outcome"), FILES.name
    )
    counts: Counter[str] = Counter(duplicates=duplicates)
    for row in ledger.groupBy("outcome", "reason").count().collect():
        counts[row["outcome"]] += row["count"]
        if row["reason"]:
            counts["!" + row["reason"]] += row["count"]
    return counts


def _new(spark: "SparkSession", rows: "DataFrame", table: str, condition: str = "true") -> "DataFrame":
    return rows.join(spark.table(table).where(condition).select(*_KEY), _KEY, "left_anti")


def _append(rows: "DataFrame", table: str) -> None:
    rows.write.format("delta").mode("append").saveAsTable(table)


def _drop_pixels_without_image(spark: "SparkSession", ledger: "DataFrame") -> int:
    """Delete the pixels of files whose content is already stored, and count them."""
    images = spark.table(IMAGES.name).select("pixels_id")
    surplus = ledger.where("outcome = 'stored'").join(images, "pixels_id", "left_anti")
    names = [row["pixels_id"] for row in surplus.select("pixels_id").collect()]
    if names:
        spark.sql(f"DELETE FROM {PIXELS.name} WHERE pixels_id IN ({literals(names)})")
    return len(names)


def _close_superseded(spark: "SparkSession", ledger: "DataFrame", run_id: str) -> None:
    """Close the quarantine rows of files that this run has stored, or has set aside under another recipe."""
    still = ledger.where("outcome = 'quarantined'").select(*_KEY)
    old = spark.table(QUARANTINE.name).where(f"status = 'open' AND run_id <> '{run_id}'").select(*_KEY)
    again = old.join(ledger.select("source_hmac"), "source_hmac", "left_semi").join(still, _KEY, "left_anti")
    if names := {row["source_hmac"] for row in again.collect()}:
        spark.sql(
            f"UPDATE {QUARANTINE.name} SET status = 'closed', resolution = 'processed again by run {run_id}', "
            f"closed_by = 'ingest', closed_at = current_timestamp() "
            f"WHERE status = 'open' AND run_id <> '{run_id}' AND source_hmac IN ({literals(names)})"
        )


def literals(names: Iterable[str]) -> str:
    """Return hexadecimal names as SQL literals."""
    return ", ".join(f"'{name}'" for name in sorted(names))
