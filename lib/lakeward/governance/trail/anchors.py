"""Signed heads kept outside the store, where others guard them: a folder, a git repository, object storage.

In S3 each head is written with Object Lock in compliance mode, so that nobody, the owner of the account included, can
remove or change it for `YEARS` years; the bucket must have been made with Object Lock. (A delete of S3 puts a marker
before it; whoever lists the bucket's versions finds it still.) In the storage of Azure and Google the lock is a policy
of the container or bucket, which its owner sets, and which is not asked for here. In a git repository each head is a
commit.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lakeward.governance.trail.entries import told_by
from lakeward.governance.trail.errors import StoreDamaged, StoreFailed
from lakeward.governance.trail.findings import Fault, Finding
from lakeward.governance.trail.notes import Checkpoint, Verifier
from lakeward.governance.trail.store import View, Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import Verification, verify
from lakeward.workspace.errors import ConfigurationError, PrerequisiteMissing
from lakeward.workspace.events import Event

ANCHORED = "governance.audit.anchored"
YEARS = 7
"""How long a head is locked in S3."""

_SUFFIX = ".checkpoint"
_S3 = {"s3", "s3a"}
_STORES = {*_S3, "gs", "gcs", "abfs", "abfss", "az"}


def anchor(trail: Trail, place: str) -> str:
    """Write the head of the log into a place, and into the log that this was done; verification then looks there.

    Parameters
    ----------
    place : str
        A folder, or an address of fsspec's such as ``s3://bucket/folder``; endpoints and credentials come from the
        surroundings, for example ``AWS_ENDPOINT_URL``.

    Returns
    -------
    str
        The head's file, named for the number of events; it is never overwritten.

    Raises
    ------
    ConfigurationError
        If the place is not there or does not take it, or git refuses.
    """
    where = place if "://" in place else str(Path(place).expanduser().resolve())
    store = _opened(where) if "://" in where else None
    if not (store or Path(where).is_dir()):
        raise ConfigurationError(f"The folder {where} is not there. Make it where others than the operator guard it.")
    trail.append(Event(type=ANCHORED, object=where))
    with trail.view() as view:
        state = view.state()
    if state is None:
        raise ConfigurationError(f"The trail in {trail.store} has lost its head. Run: lakeward audit verify")
    name = f"{Checkpoint.parse(state.head).size:012d}{_SUFFIX}"
    try:
        _lock_away(*store, name, state.head) if store else _write(Path(where) / name, state.head)
    except ConfigurationError:
        trail.append(Event(type=ANCHORED, object=where, outcome="failure"))
        raise
    return f"{where.rstrip('/')}/{name}"


def given(place: str) -> list[str]:
    """Return the heads in a place that somebody says has some.

    Raises
    ------
    ConfigurationError
        If it has none.
    """
    heads = anchored(place)
    if not heads:
        raise ConfigurationError(f"There is no head (*{_SUFFIX}) in {place}. Name a place that heads were anchored in.")
    return heads


def anchored(place: str) -> list[str]:
    """Return the heads in a place.

    Raises
    ------
    StoreFailed
        If it is object storage that does not answer.
    """
    if "://" not in place:
        return [file.read_text(encoding="utf-8") for file in sorted(Path(place).glob(f"*{_SUFFIX}"))]
    files, root = _opened(place)
    with _asked(place):
        names = [name for name in files.find(root, maxdepth=1) if name.endswith(_SUFFIX)]
        found = files.cat(names) if names else {}
    return [found[name].decode(errors="replace") for name in sorted(found)]


def places(view: View) -> list[tuple[int, str]]:
    """Return where heads were anchored, as the trail tells, each with the number of the last event that says so."""
    found: dict[str, list[int]] = {}
    for row in view.select(Wanted(types=[ANCHORED])):
        if told := told_by(row):
            numbers = found.setdefault(told["object"], [])
            if told["outcome"] == "success":
                numbers.append(row.sequence)
            elif numbers:
                numbers.pop()
    return [(numbers[-1], place) for place, numbers in found.items() if numbers]


def missing(view: View) -> list[Finding]:
    """Return a finding for each place whose heads are gone."""
    return [
        Finding(Fault.DELETION, sequence, f"no head is left in {place}, where some were anchored")
        for sequence, place in places(view)
        if not anchored(place)
    ]


def verified(trail: Trail, given: Iterable[str] = (), trusted: Verifier | None = None) -> Verification:
    """Verify a whole trail, also against the heads that it says were anchored; those that are gone are findings, too.

    Parameters
    ----------
    given : iterable of str
        Further signed heads.
    trusted : Verifier, optional
        The public key that the log began with, as it is known from elsewhere.
    """
    told, gone, damage = list[str](), list[Finding](), list[Finding]()
    try:
        with trail.view() as view:
            told = [place for _, place in places(view)]
            gone = missing(view)
    except StoreDamaged as error:
        damage = [Finding(Fault.EDIT, 0, str(error))]
    heads = {head for place in told for head in anchored(place)}
    done = verify(trail.store, heads.union(given), trusted)
    return done._replace(findings=[*done.findings, *gone] or damage)


def _write(file: Path, head: str) -> None:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as out:
            out.write(head)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        reason = "another log's head is there" if isinstance(error, FileExistsError) else error.strerror
        raise ConfigurationError(f"{file} can't be written: {reason}. Give each log a place of its own.") from None
    if (file.parent / ".git").exists():
        _git(file.parent, "add", file.name)
        _git(file.parent, "commit", "--quiet", "--message", f"Head of {int(file.stem)} events", "--", file.name)


def _lock_away(files: Any, root: str, name: str, head: str) -> None:
    protocols = {files.protocol} if isinstance(files.protocol, str) else set(files.protocol)
    until = datetime.now(UTC) + timedelta(days=YEARS * 366)
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until, "ChecksumAlgorithm": "SHA256"}
    path = f"{root.rstrip('/')}/{name}"
    try:
        files.pipe_file(path, head.encode(), mode="create", **(lock if protocols & _S3 else {}))
    except Exception as error:  # each store has errors of its own
        reason = "another log's head is there" if _is_there(files, path) else f"{type(error).__name__}: {error}"
        raise ConfigurationError(
            f"{path} can't be written: {reason}. Give each log a place of its own; in S3 a bucket with Object Lock."
        ) from None


def _is_there(files: Any, path: str) -> bool:
    try:
        return bool(files.exists(path))
    except Exception:  # then the first error tells why
        return False


def _opened(place: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    import fsspec

    scheme, _, rest = place.partition("://")
    if scheme not in _STORES or (scheme in _S3 and "@" in rest.partition("/")[0]):
        raise ConfigurationError(f"Heads are anchored in a folder, S3, Google or Azure storage, not in {scheme}://...")
    try:
        files, root = fsspec.core.url_to_fs(place, use_listings_cache=False)
    except ImportError as error:
        raise PrerequisiteMissing(f"Anchoring in {place} needs a package that is missing: {error}") from None
    except ValueError as error:
        raise ConfigurationError(f"{place} is no place for heads: {error}") from None
    return files, root


@contextmanager
def _asked(place: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each store has errors of its own
        raise StoreFailed(f"The heads in {place} can't be read: {type(error).__name__}: {error}") from None


def _git(place: Path, *arguments: str) -> None:
    done = subprocess.run(["git", "-C", str(place), *arguments], capture_output=True, text=True)  # noqa: S603, S607
    if done.returncode:
        raise ConfigurationError(f"git {arguments[0]} in {place} failed: {done.stderr.strip().splitlines()[-1:]}")
