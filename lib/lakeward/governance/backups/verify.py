"""Verification: each day has a backup, each backup is as it was recorded, and the newest can be restored."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256

from lakeward.governance.backups.errors import BackupDamaged, WrongKey
from lakeward.governance.backups.examination import faults
from lakeward.governance.backups.known import FAILED, Known, known, without
from lakeward.governance.backups.manifest import Manifest, moment, now
from lakeward.governance.backups.parallel import each
from lakeward.governance.backups.restore import backups, opened, scratch, write
from lakeward.governance.backups.sealing import Keyring, backup_keys
from lakeward.governance.backups.vault import MANIFESTS, Vault, chunk_path, vault
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.progress import progress

_Chunk = tuple[str, bytes, int]
"""A key's id, the digest, the size."""

VERIFIED = "governance.backup.verified"
_MOST = 5


@dataclass(frozen=True)
class Finding:
    """What is wrong, and with what: a backup, or a day that has none."""

    what: str
    detail: str


@dataclass
class Verified:
    """What was verified, and what was found.

    Attributes
    ----------
    bytes : int
        Bytes of the chunks that were read and hashed, each once.
    """

    since: date
    until: date
    backups: list[str] = field(default_factory=list)
    restored: str = ""
    files: int = 0
    tables: int = 0
    databases: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(days: int = 7, clock: Callable[[], datetime] = now) -> Verified:
    """Verify the backups of so many days, today included; restore the newest into a scratch place and look at it.

    The result is recorded as an event, whatever it is.

    Raises
    ------
    MissingSecret
        If the key is not there.
    PlaceFails
        If the place of backups can't be read.
    """
    today = clock().date()
    done = Verified(today - timedelta(days=days - 1), today)
    try:
        _look(done, vault(), backup_keys(), known())
    except LakewardError as error:
        record(Event(type=FAILED, object="backup/none", outcome="failure", reason=str(error)))
        raise
    _tell(done)
    return done


def _look(done: Verified, place: Vault, ring: Keyring, so_far: Known) -> None:
    every = backups(place)
    ids = [id_ for id_ in every if moment(id_).date() >= done.since]
    done.findings += _missing(done, ids, so_far)
    manifests = [it for id_ in ids if (it := _manifest(place, ring, id_, so_far, done.findings))]
    done.backups = [it.id for it in manifests]
    done.findings += _chain(manifests, {*every, *so_far.removed})
    if manifests:
        _read(place, ring, manifests, done)
        _restore(place, ring, manifests[-1], done)


def _missing(done: Verified, ids: Iterable[str], so_far: Known) -> Iterator[Finding]:
    """Yield days that have no backup, from the first backup of all on, and backups that were made and are gone."""
    there = {moment(id_).date() for id_ in ids}
    days = [done.since + timedelta(days=number) for number in range((done.until - done.since).days + 1)]
    for day in without(days, there, so_far.since or done.until):
        yield Finding(day.isoformat(), "There is no backup of this day.")
    for id_ in sorted(so_far.created.keys() - so_far.removed - set(ids)):
        if moment(id_).date() >= done.since:
            yield Finding(id_, "The audit trail tells that it was made, but it is not there.")


def _manifest(place: Vault, ring: Keyring, id_: str, so_far: Known, findings: list[Finding]) -> Manifest | None:
    try:
        sealed = place.get(f"{MANIFESTS}/{id_}")
        if so_far.vouched.get(id_) != sha256(sealed).hexdigest():
            told = "is not the one that the audit trail tells of" if id_ in so_far.vouched else "is in no event"
            findings.append(Finding(id_, f"Its manifest {told}."))
        return opened(ring, id_, sealed)
    except (BackupDamaged, WrongKey) as error:
        findings.append(Finding(id_, str(error)))
        return None


def _chain(manifests: Iterable[Manifest], accounted: set[str]) -> Iterator[Finding]:
    """Each backup names the one before, which must be there unless its time was over."""
    for one in manifests:
        if one.previous and one.previous.id not in accounted:
            gone = f"{one.previous.id} came before it and is gone, and no event tells that it was removed."
            yield Finding(one.id, gone)


def _read(place: Vault, ring: Keyring, manifests: Sequence[Manifest], done: Verified) -> None:
    """Read what the newest backup shares with none before: that is read once it is restored."""
    older: dict[_Chunk, tuple[str, str]] = {}
    for manifest in manifests:
        chunks = {(manifest.key, *it): (manifest.id, item.path) for item in manifest.items for it in item.chunks()}
        older |= chunks
    for chunk in chunks:
        del older[chunk]
    damaged = list[Finding]()

    def one(chunk: _Chunk) -> None:
        key, digest, size = chunk
        keys = ring.named(key)
        name = keys.name(digest)
        try:
            keys.open(name, place.get(chunk_path(key, name)), digest, size)
        except BackupDamaged as error:
            id_, path = older[chunk]
            damaged.append(_damaged(id_, path, error))

    with progress("Reading", len(older), "chunk") as bar:
        for _ in each(one, older):
            bar.advance()
    done.findings += damaged
    done.bytes = sum(size for _, _, size in older)


def _damaged(id_: str, path: str, error: BackupDamaged) -> Finding:
    cure = "Remove that file: the next backup sends it again, if the lakehouse still has it."
    return Finding(id_, f"{path}: {error} {cure}")


def _restore(place: Vault, ring: Keyring, manifest: Manifest, done: Verified) -> None:
    """Restore a backup into a scratch place, and look at what it holds."""
    done.restored, done.files = manifest.id, len(manifest.items)
    done.tables, done.databases = len(manifest.tables), len(manifest.databases)
    done.bytes += manifest.size
    damaged = list[Finding]()
    with scratch("verify") as folder:
        write(place, ring, manifest, folder, lambda path, error: damaged.append(_damaged(manifest.id, path, error)))
        found = damaged or [Finding(manifest.id, detail) for detail in faults(manifest, folder)]
    done.findings += found


def _tell(done: Verified) -> None:
    found = [f"{it.what}: {it.detail}" for it in done.findings]
    details = {"since": done.since.isoformat(), "until": done.until.isoformat(), "backups": len(done.backups)}
    event = Event(
        type=VERIFIED if done.ok else FAILED,
        object=f"backup/{done.restored or 'none'}",
        outcome="success" if done.ok else "failure",
        reason=" ".join(found[:_MOST]),
        details={**details, "bytes": done.bytes, "files": done.files, "findings": len(found)},
    )
    record(event)
