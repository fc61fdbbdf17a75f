"""A ledger of processed files into rows of the imaging tables, in an order that a killed run can't harm."""

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from lakeward.imaging.pipeline.rows import having
from lakeward.imaging.pipeline.worker import prefix
from lakeward.imaging.tables import CROSSWALK, FILES, IMAGES, PIXELS, QUARANTINE
from lakeward.workspace.rows import add, literal, select, update
from lakeward.workspace.tables import append, change, literals

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LIGHT = ["path", "mtime_ns", "original_bytes", "outcome", "reason", "detail", "pixels_id", "run_id", "ingested_at"]
_RECIPE = IMAGES.key[1:]


@dataclass(frozen=True, slots=True)
class Closing:
    """What is written into quarantine rows that a run settles."""

    resolution: str
    by: str = "ingest"


@dataclass(frozen=True, slots=True)
class Part:
    """What there is to commit.

    Attributes
    ----------
    run_id : str
        The run.
    ledger : Path
        Folder of the finished tasks' ledgers, as `worker.LEDGER`; Spark may have run a task twice.
    settles : set of str
        Names that these files have in quarantine from before, as under another key.
    closing : Closing
        What becomes of those that are open.
    """

    run_id: str
    ledger: Path
    settles: Set[str]
    closing: Closing


def commit(spark: "SparkSession", part: Part) -> Counter[str]:
    """Turn a ledger, whose objects are in ``imaging.pixels``, into rows: images first, the files that are done last.

    Returns
    -------
    Counter of str
        Files by outcome; duplicates; and files by reason, each under ``!`` and the reason's code.
    """
    entries, committed = _entries(part)
    images, open_rows = _present(entries, part.settles)
    new: dict[str, str] = {}
    for entry in entries:
        if entry["outcome"] == "stored" and entry["source_hmac"] not in images:
            new.setdefault(entry["source_hmac"], entry["pixels_id"])
    for entry in entries:
        if entry["source_hmac"] in images or entry["source_hmac"] in new:
            entry |= {"outcome": "stored", "reason": None}  # also what a person has released before
    _add_crosswalk(part)
    _add_images(spark, part.ledger, list(new.values()))
    drop_pixels(spark, part.run_id, committed - set(new.values()))
    aside = {entry["source_hmac"]: entry for entry in entries if entry["outcome"] == "quarantined"}
    _settle_quarantine(aside, open_rows, part)
    add(FILES, [entry | {"size_bytes": entry["original_bytes"]} for entry in entries])
    return _counts(entries, len(new))


def _entries(part: Part) -> tuple[list[dict[str, Any]], set[str]]:
    """One entry for each file, of the attempt at its task that counts; and the names of this part's pixels."""
    rows = pq.read_table(part.ledger, columns=[*_LIGHT, *IMAGES.key]).to_pylist()
    pixels = select(f"SELECT pixels_id FROM {PIXELS.name} WHERE pixels_id LIKE '{prefix(part.ledger)}%'", PIXELS)
    committed = {row["pixels_id"] for row in pixels or ()}
    stored = {row["path"]: row for row in rows if row["pixels_id"] in committed}
    aside = {row["path"]: row for row in rows if row["outcome"] == "quarantined"}
    return [entry for _, entry in sorted((aside | stored).items())], committed


def _present(entries: list[dict[str, Any]], settles: Set[str]) -> tuple[set[str], list[dict[str, Any]]]:
    """Names of those whose object is stored already, and the open quarantine rows of any of them."""
    same = " AND ".join(f"{column} = {literal(entries[0][column])}" for column in _RECIPE)
    named = f"source_hmac IN ({literals({entry['source_hmac'] for entry in entries} | settles)})"
    images = select(f"SELECT source_hmac FROM {IMAGES.name} WHERE {same} AND {named}", IMAGES) or []
    columns = ", ".join([*IMAGES.key, "run_id", "reason"])
    held = select(f"SELECT {columns} FROM {QUARANTINE.name} WHERE status = 'open' AND {named}", QUARANTINE) or []
    return {row["source_hmac"] for row in images}, held


def _add_crosswalk(part: Part) -> None:
    """Add the sealed rows of pseudonyms that the crosswalk does not have yet."""
    sealed = pq.read_table(part.ledger, columns=["crosswalk"])["crosswalk"].combine_chunks().flatten().to_pylist()
    rows = {row["pseudonym"]: row | {"run_id": part.run_id} for row in sealed}
    if rows:
        sql = f"SELECT pseudonym FROM {CROSSWALK.name} WHERE pseudonym IN ({literals(rows)})"
        known = {row["pseudonym"] for row in select(sql, CROSSWALK) or ()}
        add(CROSSWALK, [row for name, row in rows.items() if name not in known])


def _add_images(spark: "SparkSession", ledger: Path, pixels: list[str]) -> None:
    if pixels:
        rows = having(spark.read.parquet(str(ledger)), "pixels_id", pixels)
        append(rows.select(IMAGES.arrow_schema.names), IMAGES)


def drop_pixels(spark: "SparkSession", run_id: str, names: Set[str]) -> None:
    """Delete objects of a run that ``imaging.images`` does not name."""
    if names:
        change(spark, f"DELETE FROM {PIXELS.name} WHERE run_id = '{run_id}' AND pixels_id IN ({literals(names)})")


def _settle_quarantine(aside: dict[str, dict[str, Any]], open_rows: list[dict[str, Any]], part: Part) -> None:
    """Add what is set aside and not open yet, then close the other open rows of the same files."""
    again = ("reason", *_RECIPE)
    kept, done = set[str](), set[str]()
    for row in open_rows:
        entry = aside.get(row["source_hmac"])
        if entry and all(row[column] == entry[column] for column in again):
            kept.add(row["source_hmac"])
        else:
            done.add(row["source_hmac"] + row["run_id"])
    added = [
        entry | {"quarantined_at": entry["ingested_at"], "size_bytes": entry["original_bytes"], "status": "open"}
        for name, entry in aside.items()
        if name not in kept
    ]
    add(QUARANTINE, added)
    if done:
        _close(done, part.closing)


def _close(rows: Set[str], closing: Closing) -> None:
    """Close quarantine rows, each named by its source and run."""
    values = {"status": "closed", "resolution": closing.resolution, "closed_by": closing.by}
    where = f"status = 'open' AND concat(source_hmac, run_id) IN ({literals(rows)})"
    update(QUARANTINE, values | {"closed_at": datetime.now(UTC)}, where)


def _counts(entries: list[dict[str, Any]], new: int) -> Counter[str]:
    counts = Counter(entry["outcome"] for entry in entries)
    counts += Counter(f"!{entry['reason']}" for entry in entries if entry["reason"])
    return counts + Counter(duplicates=counts["stored"] - new)
