"""Making a backup: what the place has already is not sent again, and it counts once its manifest has its name."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from lakeward.governance.backups.contents import Source, contents
from lakeward.governance.backups.errors import BackupDamaged, Changed, NotCopied, WrongKey
from lakeward.governance.backups.known import CREATED, FAILED, Known, continues, known
from lakeward.governance.backups.lease import Lease, leased
from lakeward.governance.backups.manifest import Item, Link, Manifest, new_id, now
from lakeward.governance.backups.parallel import each
from lakeward.governance.backups.restore import backups, opened
from lakeward.governance.backups.sealing import CHUNK, Keyring, Keys, backup_keys
from lakeward.governance.backups.vault import CHUNKS, MANIFESTS, PENDING, Vault, chunk_path, vault
from lakeward.governance.trail.sink import trail_here
from lakeward.workspace.errors import ConfigurationError, EventNotRecorded, LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.progress import progress
from lakeward.workspace.settings import on_databricks, settings

_TRIES = 3
_TICK = timedelta(seconds=2)
"""By so much an id may be ahead of the time, and a file system's clock behind it."""


class Made(NamedTuple):
    """A backup that was made; `sha256` is that of its sealed manifest."""

    manifest: Manifest
    sha256: str


def create(clock: Callable[[], datetime] = now) -> Made:
    """Back up the lakehouse to the place that the settings name.

    If it is killed, there is no such backup, and the next one sends only what is missing.

    Parameters
    ----------
    clock : callable
        Tells the time.

    Raises
    ------
    Busy
        If backups are being made or removed there.
    ConfigurationError
        If the place holds the backups of another lakehouse.
    WrongKey
        If the newest backup there was made with neither the key nor the one before: somebody may have set a wrong one.
    """
    place, ring = vault(), backup_keys()
    if on_databricks():
        raise ConfigurationError("On Databricks the tables are Unity Catalog's, which are not backed up from here.")
    if not settings().home.is_dir():
        raise ConfigurationError(f"There is no lakehouse in {settings().home} yet.")
    with leased(place) as lease:
        try:
            return _made(place, ring, lease, clock)
        except EventNotRecorded:
            raise
        except LakewardError as error:
            record(Event(type=FAILED, object="backup", outcome="failure", reason=str(error)))
            raise


def _made(place: Vault, ring: Keyring, lease: Lease, clock: Callable[[], datetime]) -> Made:
    place.begin()
    trail_here().append()  # opens it: a backup with no trail could not be told from another lakehouse's
    so_far = known()
    _finish(place, so_far)
    ids = backups(place)
    link, before = _before(place, ring, ids[-1], so_far) if ids else (None, None)
    sender = _Sender(place, ring.now, lease, before)
    for tries in range(_TRIES):
        id_ = new_id(clock(), link.id if link else None)
        try:
            with contents(settings().home) as found:
                items = sender.send(found.sources)
        except Changed:
            if tries == _TRIES - 1:
                raise
        else:
            break
    fixed = (found.head, found.tables, found.databases, found.folders)
    return _published(place, ring.now, Manifest(id_, ring.now.id, link, *fixed, sender.sent, items))


def _before(place: Vault, ring: Keyring, id_: str, so_far: Known) -> tuple[Link, Manifest | None]:
    """Return the newest backup, with its manifest if it can be read: what is wrong with it, verification tells."""
    sealed = place.get(f"{MANIFESTS}/{id_}")
    link = Link(id_, sha256(sealed).hexdigest())
    try:
        manifest = opened(ring, id_, sealed)
    except BackupDamaged:
        manifest = None
    except WrongKey as error:
        if so_far.created.get(id_) == link.sha256:
            raise WrongKey(f"Nothing was backed up: {id_}, the newest backup, has another key. {error}") from None
        manifest = None
    if id_ not in so_far.created and not (manifest and continues(manifest)):
        raise ConfigurationError(
            f"{place.url} holds backups of another lakehouse, or of a later state of this one: no event here tells of "
            f"{id_}. Set LAKEWARD_BACKUP_TO to a place of its own."
        )
    return link, manifest


def _finish(place: Vault, so_far: Known) -> None:
    """Give manifests their names that were recorded when their process was killed; the others don't count."""
    for id_ in place.names(PENDING):
        sealed = place.get(f"{PENDING}/{id_}")
        if so_far.created.get(id_) == sha256(sealed).hexdigest():
            place.put(f"{MANIFESTS}/{id_}", sealed)
        place.remove(f"{PENDING}/{id_}")


def _published(place: Vault, keys: Keys, manifest: Manifest) -> Made:
    sealed = keys.seal_manifest(manifest.id, manifest.text())
    place.put(f"{PENDING}/{manifest.id}", sealed)
    place.flush()
    made = Made(manifest, sha256(sealed).hexdigest())
    details = {
        "manifest": made.sha256,
        "previous": manifest.previous and list(manifest.previous),
        "files": len(manifest.items),
        "bytes": manifest.size,
        "sent": manifest.sent,
        "tables": len(manifest.tables),
        "key": keys.id,
    }
    record(Event(type=CREATED, object=f"backup/{manifest.id}", details=details))
    place.put(f"{MANIFESTS}/{manifest.id}", sealed)
    place.flush()
    place.remove(f"{PENDING}/{manifest.id}")
    return made


class _Sender:
    """Sends the chunks that the place does not have; a file that is as it was in the backup before is not read."""

    def __init__(self, place: Vault, keys: Keys, lease: Lease, before: Manifest | None) -> None:
        self._place, self._keys, self._lease = place, keys, lease
        self._there = set(place.names(f"{CHUNKS}/{keys.id}"))
        self._before = {item.path: item for item in before.items} if before else {}
        self._began = (before.at - _TICK).timestamp() * 1e9 if before else 0.0
        self._lock = Lock()
        self.sent = 0

    def send(self, sources: Sequence[Source]) -> list[Item]:
        """Return the files as they were sent, less those that are gone."""
        items = []
        with progress("Backing up", len(sources), "file") as bar:
            for item in each(self._one, sources):
                bar.advance()
                items += [item] if item else []
        return items

    def _one(self, source: Source) -> Item | None:
        try:
            return self._item(source.path, source.file)
        except FileNotFoundError:
            if source.lasting:
                raise Changed(f"{source.file} was removed while it was to be backed up. Try again.") from None
            return None
        except OSError as error:
            raise NotCopied(f"{source.file} can't be read: {error.strerror}.") from None

    def _item(self, path: str, file: Path) -> Item:
        self._lease.renew()
        stat = file.stat()
        now = Item(path, stat.st_size, stat.st_mode & 0o7777, (stat.st_mtime_ns, stat.st_ctime_ns), [])
        was = self._before.get(path)
        if was and self._is_still(was, now) and self._all_there(was):
            return was
        size = 0
        with file.open("rb") as source:
            while chunk := source.read(CHUNK):
                now.digests.append(self._send(chunk))
                size += len(chunk)
                if len(chunk) < CHUNK:
                    break  # what is written to a log from here on belongs to the next backup
        return now._replace(size=size)

    def _is_still(self, was: Item, now: Item) -> bool:
        """Whether a file can't have changed: one that did right before it was read may have the same times still."""
        return (was.size, was.mode, was.changed) == (now.size, now.mode, now.changed) and max(was.changed) < self._began

    def _all_there(self, item: Item) -> bool:
        return all(self._keys.name(digest) in self._there for digest, _ in item.chunks())

    def _send(self, chunk: bytes) -> str:
        digest = sha256(chunk)
        name = self._keys.name(digest.digest())
        if name not in self._there:
            self._lease.renew()
            self._place.put(chunk_path(self._keys.id, name), self._keys.seal(name, chunk))
            with self._lock:
                self._there.add(name)
                self.sent += len(chunk)
        return digest.hexdigest()
