"""Which files there are, and which of them are new."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lakeward.workspace.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Original:
    """A file as the file system shows it, unread.

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


def find(source: Path) -> list[Original]:
    """List every file under a folder, in the order of their paths.

    No file is left out by its name: what is no DICOM file ends in quarantine and so is counted. Links to folders are
    not followed, since they may lead in circles.

    Raises
    ------
    ConfigurationError
        If there is no such folder.
    """
    if not source.is_dir():
        raise ConfigurationError(f"No folder at {source}: give the folder that holds the DICOM files.")
    return sorted(_walk(source.absolute()), key=lambda original: original.path)


def _walk(folder: Path) -> Iterator[Original]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            elif entry.is_file():
                status = entry.stat()
                yield Original(entry.path, status.st_size, status.st_mtime_ns)
