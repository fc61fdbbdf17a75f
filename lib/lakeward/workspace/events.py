"""The event port: what was done, to what, by whom. Where it can't be written, it must not happen."""

import fcntl
import os
import pwd
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from lakeward.workspace.errors import EventNotRecorded, LakewardError
from lakeward.workspace.settings import settings

_acting: ContextVar[str] = ContextVar("acting", default="")


@contextmanager
def acting_as(user: str) -> Iterator[None]:
    """Let a person who was let in be the actor of the block's events, in place of the machine's user, ``os:NAME``."""
    before = _acting.set(user)
    try:
        yield
    finally:
        _acting.reset(before)


def _actor() -> str:
    return _acting.get() or f"os:{_user(os.geteuid())}"  # which is nobody who has shown a password here


@cache
def _user(number: int) -> str:
    """Name of a user as the system knows it: the environment may say any, and `su` leaves that of who called it."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


class Event(BaseModel):
    """Something of consequence; who, when and where fill themselves in.

    Parameters
    ----------
    type : str
        Area, thing and deed, for example ``imaging.quarantine.released``.
    object : str
        Pseudonymous name of what it was done to; like `reason` and `details`, it never holds patient data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(pattern=r"^[a-z]+(\.[a-z_]+)+$")
    object: str
    outcome: Literal["success", "failure", "refused"] = "success"
    reason: str = ""
    details: dict[str, JsonValue] = {}
    id: str = Field(default_factory=lambda: uuid4().hex)
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    actor: str = Field(default_factory=_actor)
    host: str = Field(default_factory=socket.gethostname)
    process: int = Field(default_factory=os.getpid)


Sink = Callable[[Event], None]

FILE = "events.jsonl"
SINKS = "lakeward.event_sink"
"""Group of entry points: the distribution names the sink there, so that the ground floor need not know it."""


def file_sink(event: Event) -> None:
    """Append an event to the lakehouse's ``events/events.jsonl``, and return when the disk has it."""
    path = settings().home / "events" / FILE
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = not path.exists()
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # A writer that was killed may have left half a line: it must not swallow this one.
        start = b"" if _ends_whole(file.fileno()) else b"\n"
        line = start + event.model_dump_json().encode() + b"\n"
        if file.write(line) != len(line):
            raise OSError("the line was cut short")
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)


_sink: Sink | None = None


def use_sink(sink: Sink | None) -> Sink | None:
    """Send events elsewhere from now on, None: to the installed sink; returns what had been chosen until now."""
    global _sink
    _sink, before = sink, _sink
    return before


def record(event: Event) -> None:
    """Write an event, before the deed that it tells of.

    Raises
    ------
    EventNotRecorded
        If it can't be written: then the deed must not be done.
    """
    try:
        (_sink or _installed())(event)
    except Exception as error:
        reason = str(error) if isinstance(error, LakewardError) else type(error).__name__
        raise EventNotRecorded(
            f"The event {event.type} could not be written ({reason}), so the action was not taken. "
            f"Check that {settings().home / 'events'} can be written to and has space."
        ) from error


@cache
def _installed() -> Sink:
    """Return the sink that the distribution names; the file, where Lakeward is not installed but run from its source.

    What is in that file is taken over by the installed sink as soon as it is used.
    """
    named = next(iter(entry_points(group=SINKS)), None)
    sink: Sink = named.load() if named else file_sink
    return sink


def _ends_whole(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def sync_folder(folder: Path) -> None:
    """Return once the disk has the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
