"""The error tree: one base, a few named children, each with the exit code a command ends with."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path


class LakewardError(Exception):
    """Base of every error that Lakeward raises on purpose.

    A message says what is wrong, where (file or field), and the cure; it never holds patient data.
    """

    exit_code = 1


class ConfigurationError(LakewardError):
    """A setting, profile or file of the user's is wrong."""

    exit_code = 2


class MissingSecret(ConfigurationError):
    """A secret was found in none of its places."""


class ParameterError(ConfigurationError):
    """A notebook's parameters are unknown, missing or ill-typed."""


class PrerequisiteMissing(LakewardError):
    """Something that the machine must have (Java, Delta's jars) is not there."""

    exit_code = 3


class TableError(LakewardError):
    """A table is missing, or differs from its declaration."""


class NotebookFailed(LakewardError):
    """A cell of a notebook raised, or its process died.

    Attributes
    ----------
    cell : int or None
        Number of the cell in the notebook, from 1; the one that papermill puts in is not counted.
    error : str
        Name of what it raised; empty if the process died.
    message : str
        Its text if that is known to be free of patient data, else a sentence that says that it is withheld.
    source : str
        The line of the cell in which it arose.
    code : int
        Exit code; the negative number of a signal that killed the process.
    """

    def __init__(
        self, notebook: str, cell: int | None, error: str, message: str, source: str = "", code: int = 1
    ) -> None:
        place = f"{notebook}, cell {cell}" if cell else notebook
        what = f"{error}: {message}" if error else message
        super().__init__("\n".join(filter(None, [f"{place}: {what}", source and f"  {source}"])))
        self.cell, self.error, self.message, self.source, self.code = cell, error, message, source, code

    @classmethod
    def died(cls, notebook: str, cell: int | None, code: int) -> "NotebookFailed":
        """Return the error for a process that ended though it was to run on."""
        return cls(notebook, cell, "", death(code), code=code)


class Busy(LakewardError):
    """Another process holds the lock that this action needs."""

    exit_code = 4


class EventNotRecorded(LakewardError):
    """An event could not be written, so the action it describes did not happen."""

    exit_code = 5


class StorageFull(LakewardError):
    """A disk has no space left."""

    exit_code = 6


@contextmanager
def telling_full_disk(folder: Path) -> Iterator[None]:
    """Raise `StorageFull` if a disk is full, whatever it was in the block that found out: Python, Spark or delta-rs.

    Parameters
    ----------
    folder : Path
        What the block writes to.
    """
    try:
        yield
    except LakewardError:
        raise
    except Exception as error:
        if any(os.strerror(code) in str(error) for code in (ENOSPC, EDQUOT)):
            raise StorageFull(
                f"A disk is full, as a rule that of {folder}. Make room, then do the same again: what is stored stays, "
                "and nothing is stored by half."
            ) from None
        raise


def death(code: int) -> str:
    """Say how a process died: by itself with an exit code, or by a signal, as its negative number."""
    if code >= 0:
        return f"its process ended in the middle, with exit code {code}"
    memory = "; was there enough memory?" if code == -signal.SIGKILL else ""
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        name = f"signal {-code}"
    return f"its process was killed by {name}{memory}"
