"""Restoring a backup, or part of it, into a new folder: all of it or nothing."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath

from lakeward.governance.backups.errors import BackupDamaged, NoSuchBackup, WrongKey
from lakeward.governance.backups.known import FAILED, known
from lakeward.governance.backups.manifest import Item, Manifest, is_id
from lakeward.governance.backups.parallel import each
from lakeward.governance.backups.sealing import Keyring, Keys, backup_keys, key_of
from lakeward.governance.backups.vault import MANIFESTS, Vault, chunk_path, vault
from lakeward.governance.trail.catalogue import Kind
from lakeward.governance.trail.entries import stamp
from lakeward.governance.trail.errors import NoSuchEvent
from lakeward.governance.trail.keeping import ERASED
from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.store import Wanted
from lakeward.workspace.errors import ConfigurationError, LakewardError, StorageFull
from lakeward.workspace.events import Event, record
from lakeward.workspace.locks import exclusive
from lakeward.workspace.progress import progress
from lakeward.workspace.settings import settings

RESTORED = "governance.backup.restored"
NEWEST = "newest"


def restore(id_: str, to: Path, only: Sequence[str] = ()) -> Manifest:
    """Restore a backup.

    Parameters
    ----------
    id_ : str
        Its id, or ``newest``.
    to : Path
        A folder that is not there yet.
    only : sequence of str
        Tables, or folders of the lakehouse; all of it if none is given.

    Returns
    -------
    Manifest
        What was restored, and nothing else.

    Raises
    ------
    ConfigurationError
        If the folder exists.
    NoSuchBackup
        If there is no such backup, or nothing of `only` in it.
    BackupDamaged
        If a chunk is not as it was written, or the manifest not as the audit trail tells; nothing is restored then.
    """
    place, ring = vault(), backup_keys()
    target = to.expanduser().absolute()
    if target.exists():
        raise ConfigurationError(f"{target} exists, and nothing is ever restored over something. Name a new folder.")
    manifest, digest = read(place, ring, id_)
    if (known().vouched.get(manifest.id) or digest) != digest:
        raise BackupDamaged(f"The manifest of {manifest.id} is not the one that the audit trail tells of: {place.url}")
    chosen = part(manifest, only)
    details = {"manifest": digest, "files": len(chosen.items), "bytes": chosen.size, "only": list(only)}
    record(Event(type=RESTORED, object=f"backup/{manifest.id}", details={**details, "to": str(target)}))
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        write(place, ring, chosen, unfinished)
        os.sync()
        unfinished.rename(target)
    except LakewardError as error:
        record(Event(type=FAILED, object=f"backup/{manifest.id}", outcome="failure", reason=str(error)))
        raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return chosen


def read(place: Vault, ring: Keyring, id_: str) -> tuple[Manifest, str]:
    """Return a backup's manifest, and the SHA-256 of it as it is sealed.

    Raises
    ------
    NoSuchBackup
        If there is none.
    WrongKey
        If it was made with another key.
    """
    ids = backups(place)
    name = ids[-1] if id_ == NEWEST and ids else id_
    if name not in ids:
        raise NoSuchBackup(f"There is no backup {id_} in {place.url}; there are {len(ids)}. Run: lakeward backup list")
    sealed = place.get(f"{MANIFESTS}/{name}")
    return opened(ring, name, sealed), sha256(sealed).hexdigest()


def backups(place: Vault) -> list[str]:
    """Return the ids of all backups, oldest first; files that somebody else put there are none."""
    return [name for name in place.names(MANIFESTS) if is_id(name)]


def opened(ring: Keyring, id_: str, sealed: bytes) -> Manifest:
    """Open a sealed manifest with the key that it was sealed with.

    Raises
    ------
    WrongKey
        If that is not there.
    BackupDamaged
        If it is not as it was sealed.
    """
    return Manifest.parse(ring.named(key_of(id_, sealed)).open_manifest(id_, sealed))


def part(manifest: Manifest, only: Sequence[str]) -> Manifest:
    """Return what a backup has of some tables and folders.

    Raises
    ------
    NoSuchBackup
        If it has nothing of one of them.
    """
    if not only:
        return manifest
    tables = {table.name: table.path for table in manifest.tables}
    roots = [PurePosixPath(tables.get(name, name)) for name in only]

    def within(path: str, *above: PurePosixPath) -> bool:
        return any(PurePosixPath(path).is_relative_to(root) for root in above)

    for root, name in zip(roots, only, strict=True):
        if not any(within(item.path, root) for item in manifest.items):
            has = f"it has the tables {', '.join(tables) or 'none'}"
            raise NoSuchBackup(f"The backup {manifest.id} has no {name}; {has}.")
    above = {parent.as_posix() for root in roots for parent in root.parents}
    return replace(
        manifest,
        tables=[it for it in manifest.tables if within(it.path, *roots)],
        databases=[it for it in manifest.databases if within(it, *roots)],
        folders=[it for it in manifest.folders if it[0] in above or within(it[0], *roots)],
        items=[it for it in manifest.items if within(it.path, *roots)],
    )


def fail(path: str, error: BackupDamaged) -> None:
    """Raise the error of a file."""
    raise BackupDamaged(f"{path}: {error} Nothing was restored.") from error


@contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """Give a folder for what is restored for a while only; what a process left there that was killed is removed first.

    It is in the lakehouse, so that patients' data lies nowhere else.

    Raises
    ------
    Busy
        If another process uses it.
    """
    home = settings().home
    folder = home / f".{purpose}"
    with exclusive(home / ".locks" / f"{purpose}.lock", wait_s=0):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def write(
    place: Vault,
    ring: Keyring,
    manifest: Manifest,
    folder: Path,
    damaged: Callable[[str, BackupDamaged], None] = fail,
) -> None:
    """Write all files of a manifest into a folder, each chunk checked.

    Parameters
    ----------
    damaged : callable
        What is done about a file that can't be restored, given its path.

    Raises
    ------
    BackupDamaged
        If a chunk is gone, or not as it was written.
    StorageFull
        If the disk has less room than they need.
    """
    if shutil.disk_usage(folder).free < manifest.size:
        raise StorageFull(f"{folder.parent} has not the {manifest.size:,} bytes of room that the backup needs.")

    keys = ring.named(manifest.key)

    def one(item: Item) -> None:
        file = folder / _inside(item.path)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            _join(place, keys, item, file)
        except BackupDamaged as error:
            damaged(item.path, error)
        else:
            file.chmod(item.mode)
            os.utime(file, ns=(item.changed[0], item.changed[0]))

    with progress("Restoring", len(manifest.items), "file") as bar:
        for _ in each(one, manifest.items):
            bar.advance()
    for path, mode in sorted(manifest.folders, reverse=True):
        (folder / _inside(path)).mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / _inside(path)).chmod(mode)


def _join(place: Vault, keys: Keys, item: Item, file: Path) -> None:
    with file.open("xb") as out:
        for digest, size in item.chunks():
            name = keys.name(digest)
            out.write(keys.open(name, place.get(chunk_path(keys.id, name)), digest, size))


def _inside(path: str) -> PurePosixPath:
    found = PurePosixPath(path)
    if found.is_absolute() or ".." in found.parts:
        raise BackupDamaged("The manifest names a file outside the lakehouse.")
    return found


def manifests() -> dict[str, Manifest | WrongKey | BackupDamaged]:
    """Return all backups by their ids, oldest first; in place of one that can't be read, why."""
    place, ring = vault(), backup_keys()
    found = dict[str, Manifest | WrongKey | BackupDamaged]()
    for id_ in backups(place):
        try:
            found[id_] = read(place, ring, id_)[0]
        except (WrongKey, BackupDamaged) as error:
            found[id_] = error
    return found


def erasures_since(at: datetime) -> int:
    """Return how often something was erased since a time, as the trail tells: all that comes back with a backup."""
    try:
        with trail_here().view() as view:
            return len(view.select(Wanted(kinds=[Kind.ERASURE], types=[ERASED], since=stamp(at))))
    except NoSuchEvent:
        return 0
