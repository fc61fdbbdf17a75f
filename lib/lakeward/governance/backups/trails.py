"""Audit trails as they lie in backups: files of SQLite, whatever store they were kept in."""

from pathlib import Path

from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.store import Batch, Make, Store
from lakeward.governance.trail.store_sqlite import SqliteStore

_NOTHING = b"{}"
"""Stands for an entry until it is taken out, of which only the hash is left."""


def trail_in(file: Path) -> Store:
    """Return a trail that was copied out of its lakehouse."""
    return SqliteStore(file)


def out_of_its_store(to: Path) -> Path:
    """Copy a trail that is kept in another store into a file, so that it is restored and verified like any other."""
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    copy = SqliteStore(to)
    copy.create()
    with trail_here().view() as view:
        if state := view.state():
            nodes = [(level, position, hash_) for (level, position), hash_ in view.nodes().items()]
            for block in view.rows():
                rows = [(number, leaf, data or _NOTHING, payload or b"") for number, leaf, data, payload in block]
                gone = {number: None for number, _, data, _ in block if data is None}
                copy.alone(_made(Batch(rows, nodes, state, gone)))
                nodes = []
    copy.wipe()  # what SQLite wrote ahead is in the file itself now
    return to


def _made(batch: Batch) -> Make:
    return lambda state, waiting: batch


def head_of(trail: Path | None) -> str:
    """Return the signed head of a copied trail, empty if there is none."""
    if trail is None:
        return ""
    with trail_in(trail).view() as view:
        state = view.state()
    return state.head if state else ""
