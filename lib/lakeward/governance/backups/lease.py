"""Who may change a place of backups: one at a time, also from another machine."""

import json
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from lakeward.governance.backups.errors import BackupDamaged
from lakeward.governance.backups.vault import LEASE, Vault
from lakeward.workspace.errors import Busy
from lakeward.workspace.locks import exclusive
from lakeward.workspace.settings import settings

_LASTS_S = 900.0
_RENEW_S = 60.0


class Lease:
    """The right to change a place, which must be renewed; `leased` makes one."""

    def __init__(self, place: Vault) -> None:
        self._place = place
        self._token = secrets.token_hex(8)
        self._holder = f"{socket.gethostname()}:{settings().home}"
        self._lock = Lock()
        self._renewed = time.monotonic()
        self._take()

    def renew(self) -> None:
        """Renew it if it is time; called again and again by all threads.

        Raises
        ------
        Busy
            If it ran out and somebody else has it.
        """
        with self._lock:
            if time.monotonic() - self._renewed < _RENEW_S:
                return
            self._check()
            self._place.put(LEASE, self._text())
            self._renewed = time.monotonic()

    def end(self) -> None:
        """Give it up."""
        self._check()
        self._place.remove(LEASE)

    def _take(self) -> None:
        try:
            self._place.put_new(LEASE, self._text())
        except FileExistsError:
            # It may be this lakehouse's own, whose process was killed: this one has the lakehouse's lock.
            held = self._held()
            if held.get("holder", self._holder) != self._holder and held["until"] > time.time():
                until = datetime.fromtimestamp(held["until"], UTC).isoformat(timespec="minutes")
                who = f"{held['holder']} is changing the backups in {self._place.url}"
                raise Busy(f"{who}. Try after {until}.") from None
            self._place.put(LEASE, self._text())

    def _check(self) -> None:
        if self._held().get("token") != self._token:
            raise Busy(f"Another process has taken over the backups in {self._place.url}: this one was too slow.")

    def _held(self) -> dict[str, Any]:
        try:
            held = json.loads(self._place.get(LEASE))
        except (BackupDamaged, ValueError):
            return {}
        return held if isinstance(held, dict) else {}

    def _text(self) -> bytes:
        told = {"holder": self._holder, "token": self._token, "until": time.time() + _LASTS_S}
        return json.dumps(told).encode()


@contextmanager
def leased(place: Vault) -> Iterator[Lease]:
    """Be the only one who changes a place, as long as the block runs.

    Raises
    ------
    Busy
        If somebody else is.
    """
    with exclusive(settings().home / ".locks" / "backup.lock", wait_s=0):
        lease = Lease(place)
        try:
            yield lease
        finally:
            lease.end()
