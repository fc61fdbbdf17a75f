"""What a lakehouse holds at one moment, in an order that makes its parts fit each other.

An event is recorded before its deed, and an artifact or a commit is written before a database tells of it. So the
databases are copied first, then the versions of the tables are fixed and the other files listed, and the audit trail
is copied last: whatever is in the backup has its event in the backup's trail, and its file.

The log's private key is in the backup where it is a file beside the trail: without it a restored trail could not be
continued. Secrets are not: they lie outside the lakehouse.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lakeward.governance.backups.delta import LOG, fixed
from lakeward.governance.backups.errors import NotCopied
from lakeward.governance.backups.manifest import TableState
from lakeward.governance.backups.trails import head_of, out_of_its_store
from lakeward.governance.trail.sink import trail_here
from lakeward.workspace.errors import ConfigurationError

TRAIL = "events/trail.sqlite"
_LEFT_OUT = {"pages", "events/trail.queue", "events/trail.lock"}
"""What only running programs need: addresses and tokens of theirs, and events that were not acknowledged yet."""

_SCRATCH = ".backup"
_SQLITE = b"SQLite format 3\0"
_BESIDE_SQLITE = ("-wal", "-shm", "-journal")


class Source(NamedTuple):
    """A file to back up: its path in the lakehouse, and where its bytes are.

    `lasting` are those that nobody changes once they are there, so that one that is gone was removed by somebody.
    """

    path: str
    file: Path
    lasting: bool


@dataclass(frozen=True)
class Contents:
    """All that is to be backed up; see `Manifest` for what the fields are."""

    head: str
    tables: list[TableState]
    databases: list[str]
    folders: list[tuple[str, int]]
    sources: list[Source]


@contextmanager
def contents(home: Path) -> Iterator[Contents]:
    """Fix what a lakehouse holds now; what others write from then on is not in it.

    The copies of its databases lie in the lakehouse as long as the block runs.

    Raises
    ------
    ConfigurationError
        If it holds a link: what it leads to would be missing where the backup is restored.
    Changed
        If a table's files were removed meanwhile.
    NotCopied
        If a database can't be read, or the disk has no room for its copy.
    """
    scratch = home / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)  # of a process that was killed
    scratch.mkdir(mode=0o700)
    try:
        yield _fixed(home, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fixed(home: Path, scratch: Path) -> Contents:
    copied = {path: _copied(home / path, scratch / path) for path in _databases(home) if path != TRAIL}
    tables, folders, sources = list[TableState](), list[tuple[str, int]](), list[Source]()
    for folder, files in _walk(home):
        path = folder.relative_to(home).as_posix()
        if path != ".":
            folders.append((path, folder.stat().st_mode & 0o7777))
        if files is None:
            table, named = fixed(folder, path)
            tables.append(table)
            sources += [Source(it.relative_to(home).as_posix(), it, lasting=True) for it in named]
        else:
            sources += [
                Source(file.relative_to(home).as_posix(), file, lasting=False)
                for file in files
                if not _is_database(file) and not _is_beside_database(file)
            ]
    # One that appeared since is copied now: it is as new as the tables.
    copied |= {path: _copied(home / path, scratch / path) for path in _databases(home) if path not in copied}
    if TRAIL not in copied and trail_here().store.exists():
        copied[TRAIL] = out_of_its_store(scratch / TRAIL)
    sources += [Source(path, file, lasting=True) for path, file in copied.items()]
    return Contents(head_of(copied.get(TRAIL)), tables, sorted(copied), folders, sources)


def _walk(home: Path) -> Iterator[tuple[Path, list[Path] | None]]:
    """Yield each folder with its files, None for a table's."""
    for name, folders, files in os.walk(home):
        folder = Path(name)
        inside = folder.relative_to(home)
        # Hidden ones are locks and tables that are being made; deeper down they may be part of a model.
        hidden = len(inside.parts) < 2
        folders[:] = sorted(
            it for it in folders if not (hidden and it.startswith(".")) and (inside / it).as_posix() not in _LEFT_OUT
        )
        for entry in (*folders, *files):
            if (folder / entry).is_symlink():
                raise ConfigurationError(
                    f"{folder / entry} is a link, and what it leads to would not be backed up. Put that in its place."
                )
        if LOG in folders:
            folders.clear()
            yield folder, None
        else:
            wanted = (folder / it for it in sorted(files) if (inside / it).as_posix() not in _LEFT_OUT)
            yield folder, [it for it in wanted if it.is_file()]  # sockets and pipes are of running programs


def _databases(home: Path) -> list[str]:
    found = (file for _, files in _walk(home) for file in files or () if _is_database(file))
    # The trail comes last.
    return sorted((file.relative_to(home).as_posix() for file in found), key=lambda path: (path == TRAIL, path))


def _is_database(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_SQLITE)) == _SQLITE
    except FileNotFoundError:
        return False


def _is_beside_database(file: Path) -> bool:
    ending = next((it for it in _BESIDE_SQLITE if file.name.endswith(it)), None)
    return ending is not None and _is_database(file.with_name(file.name.removesuffix(ending)))


def _copied(file: Path, to: Path) -> Path:
    """Copy a database as it is at one moment, while others write to it."""
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    address = f"{file.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=60)) as source, closing(sqlite3.connect(to)) as copy:
            copy.execute("PRAGMA synchronous = OFF")
            source.backup(copy)
    except sqlite3.Error as error:
        raise NotCopied(f"The database {file} can't be copied: {error}.") from None
    to.chmod(file.stat().st_mode & 0o7777)
    return to
