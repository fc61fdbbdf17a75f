"""Withdrawing a patient: every row, copy and old version of them out of the lakehouse, and the proof that it is so."""

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.parameters import crosswalk_key
from lakeward.imaging.pipeline.refusals import retired
from lakeward.imaging.pipeline.runs import intake, intake_lock, prepared_session, quarantine_folder, still_ours
from lakeward.imaging.stewardship.accountability import not_held, reason_given
from lakeward.imaging.stewardship.belongings import Names, copies, names
from lakeward.imaging.stewardship.crosswalk import linked
from lakeward.imaging.stewardship.purge import delete, purge
from lakeward.imaging.stewardship.traces import Traces, search
from lakeward.imaging.tables import CROSSWALK, FILES, IMAGES, PIXELS, QUARANTINE, REVIEWS, TABLES, WITHDRAWN
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.lakehouse import query
from lakeward.workspace.rows import add, select
from lakeward.workspace.settings import settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class UnknownPatient(LakewardError):
    """Nothing in the lakehouse is of that patient."""


class TracesLeft(LakewardError):
    """A table still holds something of a patient who was withdrawn."""


class Withdrawal(BaseModel):
    """What a withdrawal did.

    Attributes
    ----------
    patients : list of str
        Names under which it is remembered, one for each pseudonym; the event and ``intake.withdrawn`` have no other.
    objects, copies : int
        Objects removed from the tables, and originals removed from the quarantine.
    unattributed : list of str
        Originals in the quarantine that don't tell whose they are: somebody has to look.
    files_searched, bytes_searched : int
        The search of the whole lakehouse for every name of the patient, afterwards.
    hits : int
        Names found in tables: none, or the withdrawal has failed.
    elsewhere : dict of str to int
        Files besides the tables that hold names, such as notebooks that ran: remove them by hand. The audit trail in
        ``events`` stays: it tells what was done before.
    """

    model_config = ConfigDict(frozen=True)

    patients: list[str]
    objects: int
    copies: int
    unattributed: list[str]
    files_searched: int
    bytes_searched: int
    hits: int
    elsewhere: dict[str, int]


def withdraw(reason: str, key: Pseudonyms, patients: Iterable[str] = (), originals: Iterable[str] = ()) -> Withdrawal:
    """Remove everything of patients, and refuse their originals from now on.

    Rows, files and history of the tables, originals in the quarantine and the entries of their paths go. What was
    exported or served before can't be called back. If it is interrupted, at whatever step, run it again.

    Parameters
    ----------
    reason : str
        Why; at least ten characters, and nothing of the patient.
    key : Pseudonyms
        Today's key; those of other pseudonyms in the tables are looked up among the secrets.
    patients : iterable of str
        Patients by pseudonym, under any key. What the same files are called under other keys is found.
    originals : iterable of str
        Patients by their original Patient ID; of them nothing need be here yet.

    Raises
    ------
    UnknownPatient
        If nothing is here of a pseudonym.
    ConfigurationError
        If the key of some rows is not among the secrets.
    Held
        If a legal hold keeps one of the patients, under any pseudonym, or everything; then nothing of any is removed.
    EventNotRecorded
        If the withdrawal can't be recorded; then nothing is removed.
    Busy
        If another machine is at work on the lakehouse, or took it over meanwhile.
    TracesLeft
        If a table still holds something of them afterwards.
    """
    reason = reason_given(reason)
    with intake_lock():
        spark = prepared_session()
        unfinished = _unfinished()
        keys = _keys(spark, key, unfinished)
        held = copies(list(keys.values()))
        asked = {k.patient(f"id:{original}"): k.key_id for original in originals for k in keys.values()}
        asked |= {patient: _withdrawn_under(spark, patient, keys) for patient in patients}
        found = names(spark, asked, held) | unfinished
        found.earlier |= _earlier(found)
        if unknown := sum(not key_id for key_id in found.patients.values()):
            raise UnknownPatient(f"Nothing is here of {unknown} of the patients. Check their pseudonyms.")
        remembered = {keys[key_id].withdrawn(patient): key_id for patient, key_id in sorted(found.patients.items())}
        kept = [Event(type="imaging.patient.kept", object=name, reason=reason) for name in remembered]
        not_held(found.all, kept)
        still_ours()
        for name in remembered:
            details = {"objects": len(found.pixels), "files": len(found.sources)}
            record(Event(type="imaging.patient.withdrawn", object=name, reason=reason, details=details))
        _keep_plan(found)
        _remember(remembered)
        removed = _remove(spark, found)
        traces = _search(found)
        for path in _plans().iterdir():
            path.unlink()
        return Withdrawal(
            patients=list(remembered),
            objects=len(found.pixels),
            copies=removed,
            unattributed=held.unreadable,
            files_searched=traces.files,
            bytes_searched=traces.bytes,
            hits=0,
            elsewhere=traces.found,
        )


def _keys(spark: "SparkSession", key: Pseudonyms, unfinished: Names) -> dict[str, Pseudonyms]:
    """Today's key, and every other that rows come from, or came from before a withdrawal was interrupted."""
    rows = spark.sql(f"SELECT key_id FROM {IMAGES.name} UNION SELECT key_id FROM {QUARANTINE.name}").collect()
    others = {row.key_id for row in rows} | set(unfinished.patients.values())
    return {key.key_id: key} | {key_id: retired(key_id) for key_id in others - {key.key_id}}


def _withdrawn_under(spark: "SparkSession", patient: str, keys: dict[str, Pseudonyms]) -> str:
    """The key under which a patient was withdrawn before, empty if under none."""
    before = {row["withdrawn"] for row in select(f"SELECT withdrawn FROM {WITHDRAWN.name}", WITHDRAWN) or ()}
    return next((key_id for key_id, key in keys.items() if key.withdrawn(patient) in before), "")


def _earlier(found: Names) -> set[str]:
    """What the crosswalk, if it knows several keys, says that patients and UIDs were called under others."""
    keys = query(f"SELECT DISTINCT key_id FROM {CROSSWALK.name}", CROSSWALK)
    return linked(found.patients.keys() | found.uids, crosswalk_key()) if len(keys) > 1 else set()


def _plans() -> Path:
    folder = intake() / "withdrawals"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _keep_plan(found: Names) -> None:
    path = _plans() / uuid4().hex
    with open(path, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(found.model_dump_json())


def _unfinished() -> Names:
    """What withdrawals that were interrupted had to remove; one whose plan is not whole did nothing yet."""
    found = Names()
    for path in _plans().iterdir():
        with suppress(ValidationError):
            found |= Names.model_validate_json(path.read_text())
    return found


def _remember(remembered: dict[str, str]) -> None:
    before = {row["withdrawn"] for row in select(f"SELECT withdrawn FROM {WITHDRAWN.name}", WITHDRAWN) or ()}
    now = datetime.now(UTC)
    new = [{"withdrawn": n, "key_id": k, "withdrawn_at": now} for n, k in remembered.items() if n not in before]
    add(WITHDRAWN, new)


def _remove(spark: "SparkSession", found: Names) -> int:
    """Delete rows and originals, then what is left of the rows in files and history; return how many originals."""
    for table, column, gone in (
        (IMAGES, "source_hmac", found.sources),
        (PIXELS, "pixels_id", found.pixels),
        (QUARANTINE, "source_hmac", found.sources),
        (FILES, "source_hmac", found.sources),
        (REVIEWS, "pixels_id", found.pixels),
        (CROSSWALK, "pseudonym", found.patients.keys() | found.uids | found.earlier),
    ):
        delete(spark, table, column, gone)
    still_ours()
    copied = [path for name in found.sources if (path := quarantine_folder() / name).exists()]
    for path in copied:
        path.unlink()
    purge(spark, (IMAGES, PIXELS, QUARANTINE, FILES, REVIEWS, CROSSWALK))
    return len(copied)


def _search(found: Names) -> Traces:
    """Look for every name everywhere, and fail if a table or the restricted zone still has one."""
    traces = search(settings().home, found.all, without=_plans())
    areas = {table.area for table in TABLES}
    if left := [path for path in traces.found if path.partition(os.sep)[0] in areas]:
        raise TracesLeft(
            f"{left[0]}{f' and {len(left) - 1} other files' if left[1:] else ''} still hold names of a patient who was "
            "withdrawn. Run the withdrawal again; if it stays so, it is a defect."
        )
    return traces
