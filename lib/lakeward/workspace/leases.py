"""Leases: locks between machines that share a folder, where a lock of one kernel does not reach.

A lease is a small file, renewed for as long as its holder works. One that a machine left behind when it died runs out
after some minutes; one of this very machine is taken over at once, so hold a lock of `locks` around it.
"""

import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakeward.workspace.errors import Busy
from lakeward.workspace.locks import boot
from lakeward.workspace.processes import replace_text

_LASTS_S, _RENEWED_S, _SETTLES_S = 600.0, 60.0, 2.0
_TOLD = {"machine": str, "token": str, "until": float}


class Lease:
    """A right that one machine has at a time; `leased` gives it.

    Parameters
    ----------
    path : Path
        The file; all machines see it, at the latest two seconds after it was written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = secrets.token_hex(8)

    def check(self) -> None:
        """Make sure that it is held still, before something that can't be taken back.

        Raises
        ------
        Busy
            If another machine has taken it over, because this one stood still for minutes.
        """
        held = self._held()
        if held.get("token") != self._token:
            raise Busy(
                f"{held.get('machine', 'Another machine')} has taken over here: this one was too slow. Try again."
            )

    def take(self) -> None:
        """Take it.

        Raises
        ------
        Busy
            If another machine holds it.
        """
        held = self._held()
        elsewhere = bool(held) and held.get("machine") != _machine()
        if elsewhere and held["until"] > time.time():
            until = datetime.fromtimestamp(held["until"], UTC).isoformat(timespec="minutes")
            raise Busy(f"{held['machine']} is at work on {self._path.parent}. Wait until it ends, or until {until}.")
        self.renew()
        if elsewhere:  # a third may have found the same: who wrote last has it, and the others' `check` tells them
            time.sleep(_SETTLES_S)
            self.check()

    def renew(self) -> None:
        """Write it anew, whole or not at all."""
        told = {"machine": _machine(), "token": self._token, "until": time.time() + _LASTS_S}
        replace_text(self._path, json.dumps(told))

    def end(self) -> None:
        """Give it up, if it is held still."""
        with suppress(Busy, OSError):
            self.check()
            self._path.unlink()

    def _held(self) -> dict[str, Any]:
        """Return what the file says, nothing if there is none or it says nothing."""
        try:
            held = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        except OSError as error:
            raise Busy(f"Who is at work on {self._path.parent} can't be read: {error.strerror}. Try again.") from error
        known = isinstance(held, dict) and {name: type(it) for name, it in held.items()} == _TOLD
        return held if known else {}


@contextmanager
def leased(path: Path) -> Iterator[Lease]:
    """Hold a lease for as long as the block runs.

    Raises
    ------
    Busy
        If another machine holds it.
    """
    lease, ended = Lease(path), threading.Event()
    lease.take()

    def renew() -> None:
        while not ended.wait(_RENEWED_S):
            try:
                lease.check()
            except Busy:
                continue  # whoever has it keeps it; `check` tells before anything is done
            with suppress(OSError):  # tried again before it runs out
                lease.renew()

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        ended.set()
        thread.join()
        lease.end()


def _machine() -> str:
    """Name of the running system: two that have one name have one kernel, whose locks tell them apart."""
    return f"{socket.gethostname()} ({boot()[-8:]})"
