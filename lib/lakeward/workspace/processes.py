"""Processes that must not outlive the one that started them, and files that they leave whole."""

import ctypes
import os
import signal
import sys
import tempfile
from pathlib import Path


def end_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Have the system kill this process as soon as its parent ends, however that ends (Linux: prctl(2)).

    Parameters
    ----------
    parent : int
        Process that must still be the parent, so that one which ended before this call is noticed too; 0 for none.
    number : int
        The signal that ends it.
    """
    if parent and sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, number)
        if os.getppid() != parent:
            os._exit(1)


def replace_text(path: Path, text: str) -> None:
    """Write a file so that whoever reads it sees the old text or the new one, never half of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
