"""Objects that were set aside: seeing them, trying them again, and letting one through on a person's word."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.pipeline.commit import Closing
from lakeward.imaging.pipeline.ingest import Report, Work, run
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.runs import intake_lock, quarantine_folder
from lakeward.imaging.reasons import RELEASABLE, Reason
from lakeward.imaging.tables import FILES, QUARANTINE
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.lakehouse import query

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
    profile_hash: str
    key_id: str
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
    with intake_lock():
        work = _work_on(entries() if names is None else [entry(name) for name in names])
        return run(work, recipe, found=len(work))


def release(name: str, reason: str, recipe: Recipe) -> Report:
    """Let an object through that a person has looked at; who, what and why is recorded first.

    Parameters
    ----------
    name : str
        The object's name, or its beginning.
    reason : str
        Why it may go through; at least ten characters, and nothing of the patient.
    recipe : Recipe
        That under which it was set aside: its header is de-identified as ever.

    Raises
    ------
    NotReleasable
        If the object is damaged rather than doubtful, the reason is too short, or the recipe is another one.
    EventNotRecorded
        If the release can't be recorded; then the object stays where it is.
    """
    with intake_lock():
        held = entry(name)
        _check_releasable(held, reason, recipe)
        work = _work_on([held], accept=" ".join(sorted(RELEASABLE)))
        event = Event(
            type="imaging.quarantine.released",
            object=held.source_hmac,
            reason=reason.strip(),
            details={"held_for": held.reason, "profile": recipe.profile.name},
        )
        record(event)
        closing = Closing(f"released: {reason.strip()}", event.actor)
        return run(work, recipe, found=len(work), closing=closing)


def _check_releasable(held: Entry, reason: str, recipe: Recipe) -> None:
    name = held.source_hmac[:12]
    if not held.reason.releasable:
        raise NotReleasable(f"{name} is held for {held.reason}: {held.reason.explain} Nobody can release it.")
    if len(reason.strip()) < MIN_REASON:
        raise NotReleasable(f"The reason is too short: say in {MIN_REASON} characters or more why it may go through.")
    if (held.profile_hash, held.key_id) != (recipe.profile_hash, recipe.pseudonyms.key_id):
        raise NotReleasable(
            f"{name} was set aside under another profile, enhancement or key: release it under the same, or retry it "
            f"under {recipe.profile.name} first and see whether it is still held."
        )


def _work_on(chosen: list[Entry], accept: str = "") -> list[Work]:
    """The files of entries, each as it was when it was seen last."""
    sources = {e.source_hmac for e in chosen}
    rows = query(
        f"SELECT path, size_bytes, mtime_ns, source_hmac FROM {FILES.name} WHERE outcome = 'quarantined' "
        "ORDER BY mtime_ns",
        FILES,
    ).to_pylist()
    files = {row["path"]: row for row in rows if row["source_hmac"] in sources}
    if lacking := sorted(sources - {row["source_hmac"] for row in files.values()}):
        raise NotInQuarantine(
            f"{lacking[0][:12]} was set aside by a run that was stopped before it was done: ingest its folder again "
            "first."
        )
    return [_work(row, accept) for row in files.values()]


def _work(row: dict[str, Any], accept: str) -> Work:
    """Read the copy in the restricted zone, or the original if it was never read whole."""
    copy = quarantine_folder() / row["source_hmac"]
    return Work(
        row["path"],
        row["size_bytes"],
        row["mtime_ns"],
        read_from=os.fsencode(copy if copy.exists() else row["path"]),
        accept=accept,
        settles=frozenset({row["source_hmac"]}),
    )
