"""Which store a trail is kept in, as the setting ``audit_store`` tells."""

from pathlib import Path

from lakeward.governance.trail.store import Store
from lakeward.governance.trail.store_sqlite import SqliteStore


def store_for(folder: Path) -> Store:
    """Return the store of a trail."""
    return SqliteStore(folder / "trail.sqlite")
