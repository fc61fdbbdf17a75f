"""How long backups are kept; what no backup needs any more goes with them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256

from lakeward.governance.backups.errors import BackupDamaged
from lakeward.governance.backups.known import REMOVED, known
from lakeward.governance.backups.lease import leased
from lakeward.governance.backups.manifest import moment, now
from lakeward.governance.backups.restore import backups, opened
from lakeward.governance.backups.sealing import Keyring, Keys, backup_keys, key_of
from lakeward.governance.backups.vault import CHUNKS, MANIFESTS, Vault, chunk_path, vault
from lakeward.governance.trail.errors import Kept
from lakeward.governance.trail.keeping import holds
from lakeward.governance.trail.sink import trail_here
from lakeward.workspace.events import Event, record
from lakeward.workspace.settings import settings


def due(clock: Callable[[], datetime] = now) -> list[str]:
    """Return the backups whose time is over, less the newest of all."""
    first = clock() - timedelta(days=settings().backup_days)
    return [id_ for id_ in backups(vault())[:-1] if moment(id_) < first]


def remove_old(clock: Callable[[], datetime] = now) -> tuple[list[str], int]:
    """Remove the backups whose time is over, and the chunks that no backup needs; return both, the second counted.

    A chunk goes only if the manifests of its key were all read: those of another key are left with their chunks.

    Raises
    ------
    Kept
        If a legal hold keeps everything.
    BackupDamaged
        If a manifest that stays is not as it was recorded.
    Busy
        If a backup is being made.
    """
    place, ring = vault(), backup_keys()
    with leased(place) as lease:
        old = due(clock)
        _not_held()
        for id_ in old:
            record(Event(type=REMOVED, object=f"backup/{id_}", details={"days": settings().backup_days}))
            place.remove(f"{MANIFESTS}/{id_}")
        gone = [path for keys in ring.all for path in _not_needed(place, keys)]
        for path in gone:
            lease.renew()
            place.remove(path)
    return old, len(gone)


def _not_held() -> None:
    with trail_here().view() as view:
        names = [name for name, object_ in holds(view).items() if not object_]
    if names:
        raise Kept(f"A legal hold is in force: {', '.join(names)}. No backup was removed.")


def _not_needed(place: Vault, keys: Keys) -> list[str]:
    needed = set[str]()
    vouched = known().vouched
    for id_ in backups(place):
        sealed = place.get(f"{MANIFESTS}/{id_}")
        if vouched.get(id_) != sha256(sealed).hexdigest():
            raise BackupDamaged(
                f"The manifest of {id_} is not as it was recorded, so no chunk goes: lakeward backup verify"
            )
        if key_of(id_, sealed) == keys.id:
            manifest = opened(Keyring(keys), id_, sealed)
            needed.update(keys.name(digest) for digest, _ in manifest.digests())
    return [chunk_path(keys.id, it) for it in place.names(f"{CHUNKS}/{keys.id}") if it not in needed]
