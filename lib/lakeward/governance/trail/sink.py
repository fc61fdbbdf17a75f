"""The trail as the sink of the event port, named in pyproject.toml as the entry point of ``lakeward.event_sink``."""

import fcntl
import hashlib
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from lakeward.governance.trail import entries
from lakeward.governance.trail.store import Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import FILE, Event
from lakeward.workspace.settings import settings

TAKEN_OVER = "governance.audit.taken_over"


def write(event: Event) -> None:
    """Append an event to the lakehouse's trail, and return when the disk has it."""
    trail_here().append(event)


def trail_here() -> Trail:
    """Return the lakehouse's trail."""
    return trail_of(settings().home / "events")


@lru_cache(maxsize=4)
def trail_of(folder: Path) -> Trail:
    """Return the trail in a folder; events that were written to a file before are in it."""
    trail = Trail(folder)
    _take_over(trail, folder / FILE)
    return trail


def _take_over(trail: Trail, file: Path) -> None:
    """Append the events of a file, once, and put the file aside."""
    if not file.exists():
        return
    with file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        text = held.read()
        if not file.exists():
            return  # another process was quicker
        trail.append()  # what a process that was killed here left in the queue
        digest = hashlib.sha256(text).hexdigest()
        if not _taken(trail, digest):
            read = [_event(line) for line in text.splitlines() if line]
            events = [event for event in read if event]
            details = {"events": len(events), "unreadable": len(read) - len(events)}
            trail.append(*events, Event(type=TAKEN_OVER, object=digest, details=details))
        file.rename(file.with_name(f"{file.name}.{digest[:16]}"))


def _taken(trail: Trail, digest: str) -> bool:
    with trail.view() as view:
        found = view.select(Wanted(types=[TAKEN_OVER]))
    return any(told["object"] == digest for row in found if (told := entries.told_by(row)))


def _event(line: bytes) -> Event | None:
    try:
        return Event.model_validate_json(line)
    except ValidationError:
        return None
