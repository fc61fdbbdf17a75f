"""Objects that were set aside: seeing them, trying them again, and letting one through on a person's word."""

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.commit import literals
from lakeward.imaging.pipeline import Report, Work, run
from lakeward.imaging.process import Recipe
from lakeward.imaging.reasons import RELEASABLE, Reason
from lakeward.imaging.runs import intake, prepared_session, quarantine_folder
from lakeward.imaging.tables import FILES, QUARANTINE
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.lakehouse import query
from lakeward.workspace.locks import exclusive

MIN_REASON = 10
"""Characters that a reason for a release must have."""


class NotInQuarantine(LakewardError):
    """No open object of that name is in quarantine."""


class NotReleasable(LakewardError):
    """The object can't be let through on a person's word."""


class Entry(BaseModel):
    """An object in quarantine."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    source_hmac: str
    reason: Reason
    detail: str | None
    size_bytes: int
    run_id: str
    quarantined_at: datetime
    status: str
    resolution: str | None
    closed_by: str | None
    closed_at: datetime | None

    @property
    def path(self) -> Path:
        """Where the restricted zone keeps the original."""
        return quarantine_folder() / self.source_hmac


def entries(*, closed: bool = False) -> list[Entry]:
    """Return what is in quarantine, newest first; with `closed`, also what was."""
    where = "" if closed else "WHERE status = 'open'"
    rows = query(f"SELECT * FROM {QUARANTINE.name} {where} ORDER BY quarantined_at DESC, source_hmac", QUARANTINE)
    return [Entry.model_validate({k: v for k, v in row.items() if k in Entry.model_fields}) for row in rows.to_pylist()]


def entry(name: str) -> Entry:
    """Return the open entry of a name, or of the only one that starts so.

    Raises
    ------
    NotInQuarantine
        If there is none, or more than one.
    """
    found = {e.source_hmac: e for e in entries() if name and e.source_hmac.startswith(name)}
    if len(found) != 1:
        raise NotInQuarantine(
            f"{len(found) or 'No'} open objects in quarantine have a name that starts with {name!r}: see "
            "lakeward imaging quarantine list."
        )
    return next(iter(found.values()))


def retry(recipe: Recipe, names: list[str] | None = None) -> Report:
    """Process objects again that are in quarantine, as after a change of the profile.

    Parameters
    ----------
    recipe : Recipe
        What to do to them now.
    names : list of str, optional
        Names or beginnings of names; all that are open if left out.
    """
    chosen = entries() if names is None else [entry(name) for name in names]
    return _again(recipe, {e.source_hmac for e in chosen}, accept="")


def release(name: str, reason: str, recipe: Recipe) -> Report:
    """Let an object through that a person has looked at; who, what and why is recorded first.

    Parameters
    ----------
    name : str
        The object's name, or its beginning.
    reason : str
        Why it may go through; at least ten characters, and nothing of the patient.
    recipe : Recipe
        What to do to it otherwise: headers are de-identified as ever.

    Raises
    ------
    NotReleasable
        If the object is damaged rather than doubtful, or the reason is too short.
    EventNotRecorded
        If the release can't be recorded; then the object stays where it is.
    """
    held = entry(name)
    if not held.reason.releasable:
        raise NotReleasable(
            f"{held.source_hmac[:12]} is held for {held.reason}: {held.reason.explain} Nobody can release it."
        )
    if len(reason.strip()) < MIN_REASON:
        raise NotReleasable(f"The reason is too short: say in {MIN_REASON} characters or more why it may go through.")
    event = Event(
        type="imaging.quarantine.released",
        object=held.source_hmac,
        reason=reason.strip(),
        details={"held_for": held.reason},
    )
    record(event)
    report = _again(recipe, {held.source_hmac}, accept=" ".join(sorted(RELEASABLE)))
    if report.stored:
        _note_release(held.source_hmac, f"released: {reason.strip()}", event.actor)
    return report


def _again(recipe: Recipe, sources: set[str], accept: str) -> Report:
    with exclusive(intake() / "ingest.lock"):
        spark = prepared_session()
        work = [_work(row, accept) for row in _originals(sources)]
        report = run(spark, work, recipe, found=len(work))
        if sources:
            spark.sql(
                f"DELETE FROM {FILES.name} WHERE outcome = 'quarantined' AND run_id <> '{report.run_id}' "
                f"AND source_hmac IN ({literals(sources)})"
            )
        return report


def _originals(sources: set[str]) -> list[dict[str, Any]]:
    rows = query(
        f"SELECT DISTINCT path, size_bytes, mtime_ns, source_hmac FROM {FILES.name} WHERE outcome = 'quarantined'",
        FILES,
    )
    return [row for row in rows.to_pylist() if row["source_hmac"] in sources]


def _work(row: dict[str, Any], accept: str) -> Work:
    """Read the copy in the restricted zone, or the original where it could not be copied."""
    copy = quarantine_folder() / row["source_hmac"]
    return Work(row["path"], row["size_bytes"], row["mtime_ns"], str(copy) if copy.exists() else row["path"], accept)


def _note_release(source: str, resolution: str, actor: str) -> None:
    from delta.tables import DeltaTable
    from pyspark.sql.functions import lit

    spark = prepared_session()
    DeltaTable.forName(spark, QUARANTINE.name).update(
        f"source_hmac = '{source}' AND status = 'closed' AND closed_by = 'ingest'",
        {"resolution": lit(resolution), "closed_by": lit(actor)},
    )
