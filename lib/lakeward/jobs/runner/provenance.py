"""What a run was made from: code, environment, machine."""

import hashlib
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from lakeward import __version__


def provenance(bundle: Path | None) -> dict[str, Any]:
    """Return the commit of the bundle's repository, a hash of what is installed, and the machine."""
    folder = bundle or Path.cwd()
    status = _git(folder, "status", "--porcelain")
    return {
        "git_commit": _git(folder, "rev-parse", "HEAD"),
        "git_dirty": None if status is None else bool(status),
        "environment": _environment(),
        "lakeward": __version__,
        "python": sys.version.split()[0],
        "host": socket.gethostname(),
        "bundle": str(bundle) if bundle else None,
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)  # noqa: S607
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _environment() -> str:
    """Hash the names and versions of all packages, as the folders of their metadata are named."""
    names = {path.name for place in sys.path if place for path in Path(place).glob("*.dist-info")}
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
