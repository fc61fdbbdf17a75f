"""Authorised re-identification: what a pseudonym stands for, to whoever holds the crosswalk's key, and on record."""

import re
import shutil
from collections.abc import Iterator, Sequence, Set
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from lakeward.imaging.deidentification.crosswalk import Crosswalk
from lakeward.imaging.pipeline.runs import intake_lock, prepared_session, run_folder, still_ours
from lakeward.imaging.stewardship.accountability import reason_given
from lakeward.imaging.stewardship.purge import purge
from lakeward.imaging.tables import CROSSWALK
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.lakehouse import batches, query

PSEUDONYM = re.compile(r"LW[A-Z2-7]{14}|2\.25\.\d{1,39}")


class NotInCrosswalk(LakewardError):
    """The crosswalk has no entry of that pseudonym."""


class Original(BaseModel):
    """What a pseudonym stands for.

    Attributes
    ----------
    kind : str
        patient, study, series or instance.
    original : str
        A UID; of a patient ``id:`` and the Patient ID or, where there was none, ``name:`` with name and birth date, or
        ``study:`` with the study's UID.
    key_id : str
        The key that the pseudonym comes from.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    original: str
    key_id: str


class Match(BaseModel):
    """A pseudonym of an original that was asked for, which stood in this line (from 1)."""

    model_config = ConfigDict(frozen=True)

    line: int
    kind: str
    pseudonym: str
    key_id: str


def lookup(pseudonym: str, reason: str, crosswalk: Crosswalk) -> Original:
    """Return what a pseudonym stands for; who asked, and why, is recorded before anything is opened.

    Raises
    ------
    NotInCrosswalk
        If there is no such entry.
    WrongKey, TamperedEntry
        If the entry can't be opened.
    EventNotRecorded
        If the access can't be recorded; then nothing is opened.
    """
    if not PSEUDONYM.fullmatch(pseudonym):
        raise NotInCrosswalk(
            "That is no pseudonym: those of patients look like LWABCDEFGHIJKLMN, those of UIDs 2.25.1."
        )
    record(Event(type="imaging.crosswalk.looked_up", object=pseudonym, reason=reason_given(reason)))
    rows = query(f"SELECT * FROM {CROSSWALK.name} WHERE pseudonym = '{pseudonym}'", CROSSWALK).to_pylist()
    if not rows:
        raise NotInCrosswalk(f"The crosswalk has no entry of {pseudonym}. Was it ingested with --crosswalk?")
    return Original(kind=rows[0]["kind"], original=crosswalk.open(rows[0]), key_id=rows[0]["key_id"])


def find(originals: Sequence[str], reason: str, crosswalk: Crosswalk) -> list[Match]:
    """Return the pseudonyms of originals (Patient IDs or UIDs), under all keys; recorded before anything is opened.

    Every entry is opened and compared: an index by original would let anybody without the key link pseudonyms.
    """
    details = {"originals": len(originals)}
    record(
        Event(type="imaging.crosswalk.searched", object=CROSSWALK.name, reason=reason_given(reason), details=details)
    )
    lines = {form: number for number, text in enumerate(originals, 1) for form in (text, f"id:{text}")}
    return [
        Match(line=line, kind=row["kind"], pseudonym=row["pseudonym"], key_id=row["key_id"])
        for row in _rows()
        if (line := lines.get(crosswalk.open(row)))
    ]


def linked(pseudonyms: Set[str], crosswalk: Crosswalk) -> set[str]:
    """Return other pseudonyms of the same originals, under any key."""
    record(Event(type="imaging.crosswalk.searched", object=CROSSWALK.name, details={"originals": len(pseudonyms)}))
    originals = {row["pseudonym"]: (row["kind"], crosswalk.open(row)) for row in _rows()}
    theirs = {originals[name] for name in pseudonyms & originals.keys()}
    return {name for name, original in originals.items() if original in theirs} - pseudonyms


def reseal(old: Crosswalk, new: Crosswalk, reason: str) -> int:
    """Seal every entry anew under another key, in one commit, and remove what the old key could open.

    Returns
    -------
    int
        Entries that were sealed anew; those that the new key has sealed already are left as they are.

    Raises
    ------
    WrongKey, TamperedEntry
        If an entry can't be opened; then nothing is changed.
    """
    details = {"from": old.key_id, "to": new.key_id}
    with intake_lock():
        spark = prepared_session()
        record(
            Event(type="imaging.crosswalk.resealed", object=new.key_id, reason=reason_given(reason), details=details)
        )
        path = run_folder(uuid4().hex) / "resealed.parquet"  # put away as leftovers of runs are, if this is killed
        resealed = 0
        with pq.ParquetWriter(path, CROSSWALK.arrow_schema) as writer:
            for batch in batches(f"SELECT * FROM {CROSSWALK.name}", CROSSWALK):
                rows = batch.to_pylist()
                resealed += sum(row["crosswalk_key_id"] != new.key_id for row in rows)
                writer.write_table(pa.Table.from_pylist([_anew(row, old, new) for row in rows], CROSSWALK.arrow_schema))
        still_ours()
        spark.read.parquet(str(path)).write.format("delta").mode("overwrite").saveAsTable(CROSSWALK.name)
        shutil.rmtree(path.parent)
        purge(spark, [CROSSWALK])
        return resealed


def _anew(row: dict[str, Any], old: Crosswalk, new: Crosswalk) -> dict[str, Any]:
    if row["crosswalk_key_id"] == new.key_id:
        return row
    return row | new.row(row["kind"], old.open(row), row["pseudonym"], row["key_id"])


def _rows() -> Iterator[dict[str, Any]]:
    for batch in batches(f"SELECT * FROM {CROSSWALK.name}", CROSSWALK):
        yield from batch.to_pylist()
