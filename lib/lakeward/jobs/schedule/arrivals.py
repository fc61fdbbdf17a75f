"""The trigger that new files in a folder are. Names may tell of patients: only keyed hashes of them are kept."""

import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lakeward.jobs.bundle.job import FileArrival
from lakeward.jobs.record.states import Started
from lakeward.jobs.schedule.trigger import Cursor, Look, rested
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.secrets import secret_key

KEY_NAME = "schedule_key"

_HASH_BYTES = 8


class Arrivals:
    """New files anywhere in a folder. As on Databricks, a file that is written anew under its name is none.

    Names that begin with a dot don't count: programs that copy call a file so until it is whole.
    """

    started_by = Started.FILE_ARRIVAL
    every_ms = 10_000
    remembers = True

    def __init__(self, wanted: FileArrival) -> None:
        self._wanted = wanted
        self._folder = local_folder(wanted.url)

    def look(self, cursor: Cursor, last_fired: int | None, now: int) -> Look:
        """Fire once for all files that were not there at the last look."""
        key = secret_key(KEY_NAME)
        place = b64encode(_hash(key[:64], str(self._folder))).decode()
        there, changed = self._listing(key[:64])
        if cursor.get("place") != place:
            return Look({"place": place, "seen": _packed(there)})
        known = _unpacked(cursor["seen"])
        if not there - known:
            # A file that has gone may come again.
            return Look(cursor if there == known else {"place": place, "seen": _packed(there)})
        quiet = rested(self._wanted.wait_after_last_change_seconds, changed, now)
        if quiet and rested(self._wanted.min_time_between_triggers_seconds, last_fired, now):
            return Look({"place": place, "seen": _packed(there)}, now)
        return Look(cursor)

    def _listing(self, key: bytes) -> tuple[set[bytes], int]:
        """Return the hash of each file's place in the folder, and when the last of them was changed or moved there."""
        if not self._folder.is_dir():
            raise ConfigurationError("the folder that is watched for files is not there: make it, or mend its url.")
        hashes: set[bytes] = set()
        changed = 0
        for path, at in _files(str(self._folder)):
            hashes.add(_hash(key, os.path.relpath(path, self._folder)))
            changed = max(changed, at)
        return hashes, changed


def local_folder(url: str) -> Path:
    """Return the folder that a URL means on this machine.

    Raises
    ------
    ConfigurationError
        If it is elsewhere.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise ConfigurationError(
            f"files can't be watched for at {parts.scheme}: here, only in a folder of this machine: /data/in"
        )
    return Path(unquote(parts.path) if parts.scheme else url)


def _files(folder: str) -> Iterator[tuple[str, int]]:
    """Yield all files below a folder, each with the time in milliseconds at which it was changed or moved there."""
    # What goes while it is looked at was not there.
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            else:
                with suppress(FileNotFoundError):
                    yield entry.path, entry.stat(follow_symlinks=False).st_ctime_ns // 1_000_000


def _hash(key: bytes, text: str) -> bytes:
    return blake2b(os.fsencode(text), key=key, digest_size=_HASH_BYTES).digest()


def _packed(hashes: set[bytes]) -> str:
    return b64encode(b"".join(sorted(hashes))).decode()


def _unpacked(text: str) -> set[bytes]:
    packed = b64decode(text)
    return {packed[start : start + _HASH_BYTES] for start in range(0, len(packed), _HASH_BYTES)}
