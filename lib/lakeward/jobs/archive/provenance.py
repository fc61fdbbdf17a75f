"""Where a run came from: the code, the environment and the machine."""

import hashlib
import platform
import shutil
import socket
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from lakeward import __version__


def provenance(root: Path) -> dict[str, Any]:
    """Return where a run of the bundle in `root` comes from.

    Returns
    -------
    dict
        ``git_commit`` and ``git_dirty`` (None outside a git repository), ``environment`` (SHA-256 over the names and
        versions of all that is installed, which a lock file fixes), ``python``, ``lakeward``, ``host``, ``bundle``.
    """
    status = _git(root, "status", "--porcelain")
    return {
        "git_commit": _git(root, "rev-parse", "HEAD"),
        "git_dirty": None if status is None else bool(status),
        "environment": installed(),
        "python": platform.python_version(),
        "lakeward": __version__,
        "host": socket.gethostname(),
        "bundle": str(root.absolute()),
    }


def installed() -> str:
    """SHA-256 over the names and versions of the installed distributions, in hexadecimal."""
    found = sorted({f"{it.metadata['Name'].lower().replace('_', '-')}=={it.version}" for it in distributions()})
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def _git(root: Path, *command: str) -> str | None:
    """What git says, or None where there is no git or no repository."""
    program = shutil.which("git")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "-C", root, *command], capture_output=True, text=True, timeout=20)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
