"""Locks between processes of one machine, which end with the process that holds them."""

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO

from lakeward.workspace.errors import Busy

_PAUSE_S = 0.05


@contextmanager
def exclusive(path: Path, wait_s: float = 60.0) -> Iterator[None]:
    """Hold a lock for as long as the block runs.

    The kernel drops it when the holder ends, however it ends, so there is no stale lock; the file stays.

    Parameters
    ----------
    path : Path
        The lock file, made if need be.
    wait_s : float
        Seconds to wait for another holder.

    Raises
    ------
    Busy
        If another process (or thread) still holds it after that time; the message names it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        _acquire(file, path, wait_s)
        file.truncate(0)
        file.write(_who())
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _acquire(file: IO[str], path: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Busy(f"{path.name} is held by {_holder(file)}. Wait until it ends, or end it.") from None
            time.sleep(_PAUSE_S)


def _who() -> str:
    program = Path(sys.argv[0]).name or "python"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"process": os.getpid(), "program": program, "host": socket.gethostname(), "since": now})


def _holder(file: IO[str]) -> str:
    file.seek(0)
    try:
        who = json.loads(file.read())
    except ValueError:
        return "another process"
    return f"process {who['process']} ({who['program']}) on {who['host']} since {who['since']}"


@cache
def boot() -> str:
    """Name of the time since this machine started, 36 characters."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return f"{int(psutil.boot_time()):036d}"
