"""Which files there are, unread."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lakeward.workspace.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Original:
    """A file as the file system shows it.

    Attributes
    ----------
    path : str
        Where it is.
    size_bytes, mtime_ns : int
        Its size, and when it was last changed (ns since 1970 UTC): if all three are as before, so is the file.
    """

    path: str
    size_bytes: int
    mtime_ns: int

    @property
    def name(self) -> str:
        r"""The path as text for tables: bytes in it that are not UTF-8 are written as ``\xfc``."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")


def find(source: Path) -> list[Original]:
    """List everything under a folder that is no folder, in the order of the paths.

    Nothing is left out by its name or kind: what is no DICOM file, or no file at all, ends in quarantine and so is
    counted. That goes for links to folders too, which may lead in circles and are not followed, and for folders that
    can't be opened.

    Raises
    ------
    ConfigurationError
        If there is no such folder.
    """
    check_folder(source)
    return sorted(_walk(str(source.absolute())), key=lambda original: original.path)


def check_folder(source: Path) -> None:
    """Raise ConfigurationError if there is no such folder."""
    if not source.is_dir():
        raise ConfigurationError(f"No folder at {source}: give the folder that holds the DICOM files.")


def _walk(folder: str) -> Iterator[Original]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _walk(entry.path)
                else:
                    yield look(entry.path)
    except OSError:
        yield look(folder)


def look(path: str) -> Original:
    """Return a path as the file system shows it now, of size 0 if it does not."""
    for status_of in (os.stat, os.lstat):  # of a link that leads nowhere, the link itself
        try:
            status = status_of(path)
        except OSError:
            continue
        return Original(path, status.st_size, status.st_mtime_ns)
    return Original(path, 0, 0)
