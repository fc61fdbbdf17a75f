"""Changing the de-identification key: what was made under the old one goes, once all of it is there under a new one.

After `ingest` with `reprocess` every file is there under both keys. Their pseudonyms have nothing in common; what links
them is the crosswalk and, until the old key is retired, the restricted list of files. The pixels are the same, though:
who has an old export and a new one can compare them.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.parameters import KEY_NAME
from lakeward.imaging.pipeline.refusals import retired
from lakeward.imaging.pipeline.rows import distinct
from lakeward.imaging.pipeline.runs import intake_lock, prepared_session, quarantine_folder, still_ours
from lakeward.imaging.stewardship.accountability import not_held, reason_given
from lakeward.imaging.stewardship.belongings import copies
from lakeward.imaging.stewardship.purge import delete, purge
from lakeward.imaging.tables import FILES, IMAGES, PIXELS, QUARANTINE, RUNS
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.ports import holds
from lakeward.workspace.secrets import secret_key

_FILE = ["path", "size_bytes", "mtime_ns"]


class NotRetirable(LakewardError):
    """A key can't be retired, since files are there under no other."""


class Retired(BaseModel):
    """What was removed with a key: objects, originals kept in the quarantine, and files that no other key has."""

    model_config = ConfigDict(frozen=True)

    key_id: str
    objects: int
    copies: int
    lost: int


def retire(key_id: str, reason: str, *, incomplete: bool = False) -> Retired:
    """Remove everything that was made under an old key, from tables and history; the crosswalk keeps its entries.

    Parameters
    ----------
    key_id : str
        The key's name, as in ``imaging.runs``.
    incomplete : bool
        Also if files are there under no other key, such as those that are no longer where they were.

    Raises
    ------
    NotRetirable
        If nothing is there under the key, or if files would be lost.
    Held
        If a legal hold keeps everything, or a patient by the pseudonym under this key: it would name nobody any more.
        Begin one on the pseudonym under the new key, which the crosswalk tells, then end this one.
    ConfigurationError
        If there is a legal hold, and the key that tells whose originals are in quarantine is not among the secrets.
    """
    from pyspark.sql.functions import col

    reason = reason_given(reason)
    with intake_lock():
        spark = prepared_session()
        runs = {row.run_id for row in spark.table(RUNS.name).where(col("key_id") == key_id).collect()}
        if not runs:
            raise NotRetirable(f"No run had the key {key_id!r}: see lakeward tables preview imaging.runs.")
        files = spark.table(FILES.name).where(f"key_id = '{key_id}'")
        lost = files.join(spark.table(FILES.name).where(f"key_id <> '{key_id}'"), _FILE, "left_anti").count()
        if lost and not incomplete:
            raise NotRetirable(
                f"{lost} files are there under no other key than {key_id}. Ingest their folders with --reprocess and "
                "the new key first; to give them up, add --incomplete."
            )
        objects, aside = (spark.table(table.name).where(f"key_id = '{key_id}'") for table in (IMAGES, QUARANTINE))
        kept = [path for name in distinct(aside, "source_hmac") if (path := quarantine_folder() / name).exists()]
        patients = distinct(objects, "patient_id") | (_owners(kept, key_id) if kept and holds() else set())
        not_held(patients, [Event(type="imaging.key.kept", object=key_id, reason=reason)])
        done = Retired(key_id=key_id, objects=objects.count(), copies=len(kept), lost=lost)
        details = done.model_dump(exclude={"key_id"})
        still_ours()
        record(Event(type="imaging.key.retired", object=key_id, reason=reason, details=details))
        still_ours()
        for path in kept:  # before their rows: what is interrupted finds the others again
            path.unlink()
        delete(spark, PIXELS, "run_id", runs)
        for table in (IMAGES, QUARANTINE, FILES):
            delete(spark, table, "key_id", {key_id})
        purge(spark, (IMAGES, PIXELS, QUARANTINE, FILES))
        return done


def _owners(originals: list[Path], key_id: str) -> set[str]:
    """Pseudonyms, under a key, of those whose originals are in the quarantine, where no table names them."""
    today = Pseudonyms(secret_key(KEY_NAME))
    owners = copies([today if today.key_id == key_id else retired(key_id)]).owners
    return {patient for path in originals for patient in owners.get(path.name, ())}
