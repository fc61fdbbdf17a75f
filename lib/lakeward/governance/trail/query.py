"""Asking the trail who did what, when, to what; and handing all of it out, for another program to verify."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from lakeward.governance.trail import entries
from lakeward.governance.trail.catalogue import Kind
from lakeward.governance.trail.store import View, Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import keys_of
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.events import Event

EXPORTED = "governance.audit.exported"


def query(
    view: View,
    start: date | None = None,
    end: date | None = None,
    types: tuple[str, ...] = (),
    limit: int = -1,
    actor: str = "",
    object_: str = "",
) -> list[dict[str, Any]]:
    """Return events as `entries.read` does, oldest first.

    Parameters
    ----------
    start, end : date, optional
        First and last day (UTC) on which they were recorded.
    types : tuple of str
        Kinds of the catalogue (``export``), or types of the event port (``imaging.export.started``).
    limit : int
        How many at most; -1 for all.
    actor, object_ : str
        Who did it, and what it was done to; empty for all.

    Raises
    ------
    ConfigurationError
        If a kind is unknown, or the last day comes before the first.
    """
    if start and end and end < start:
        raise ConfigurationError(f"The last day, {end}, comes before the first, {start}. Change them over.")
    wanted = Wanted(
        kinds=[_kind(type_) for type_ in types if "." not in type_],
        types=[type_ for type_ in types if "." in type_],
        since=_day(start) if start else "",
        until=_day(end + timedelta(days=1)) if end else "",
        actor=actor,
        object=object_,
    )
    rows = view.select(wanted, by_time=True, limit=limit)
    return [told for row in rows if (told := entries.told_by(row))]


def export(trail: Trail, folder: Path) -> dict[str, Any]:
    """Write the log with what is needed to verify it elsewhere; that it was handed out is recorded.

    ``entries.jsonl`` has a line for each entry: its leaf hash in base64, its exact bytes as a string, its disclosures.
    Beside it lie the signed head (``checkpoint``) and the public keys that were in force, in their order (``keys``).
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    trail.append(Event(type=EXPORTED, object=str(folder.absolute())))
    with trail.view() as view, (folder / "entries.jsonl").open("w", encoding="utf-8") as file:
        count = 0
        for block in view.rows():
            file.writelines(json.dumps(_line(row[1], row[2], row[3])) + "\n" for row in block)
            count += len(block)
        state = view.state()
        (folder / "checkpoint").write_text(state.head if state else "", encoding="utf-8")
        (folder / "keys").write_text("".join(f"{key}\n" for key in keys_of(view)), encoding="utf-8")
    return {"events": count, "folder": str(folder)}


def _line(leaf: bytes, data: bytes | None, payload: bytes | None) -> Mapping[str, Any]:
    return {
        "leaf": base64.b64encode(leaf).decode(),
        "entry": data.decode() if data is not None else None,
        "disclosures": [part.decode() for part in entries.parts(payload or b"")],
    }


def _kind(type_: str) -> str:
    if type_ not in set(Kind):
        raise ConfigurationError(f"There is no event type {type_!r}; there are {', '.join(Kind)}.")
    return type_


def _day(day: date) -> str:
    return entries.stamp(datetime.combine(day, time(), UTC))
