"""What is wrong with a lakehouse that was restored: its tables, its databases, its audit trail."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from lakeward.governance.backups.contents import TRAIL
from lakeward.governance.backups.delta import rows_of
from lakeward.governance.backups.manifest import Manifest
from lakeward.governance.backups.trails import trail_in
from lakeward.governance.trail import anchors
from lakeward.governance.trail.errors import NotProven
from lakeward.governance.trail.notes import Checkpoint
from lakeward.governance.trail.proofs import leads_to
from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.store import Store
from lakeward.governance.trail.verify import verify as verify_trail


def faults(manifest: Manifest, folder: Path) -> Iterator[str]:
    """Yield what is wrong with a lakehouse that was restored into a folder."""
    for table in manifest.tables:
        try:
            rows = rows_of(folder / table.path, table.version)
        except Exception as error:  # of two libraries in Rust, which have many
            yield f"The table {table.name} can't be read: {type(error).__name__}."
            continue
        if rows != table.rows:
            yield f"The table {table.name} has {rows:,} rows, not {table.rows:,}."
    for path in manifest.databases:
        yield from (f"The database {path}: {text}" for text in _sqlite_faults(folder / path))
    if manifest.head and (folder / TRAIL).exists():
        yield from (f"The audit trail: {text}" for text in _trail_faults(manifest, trail_in(folder / TRAIL)))


def _sqlite_faults(file: Path) -> list[str]:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            return [text for (text,) in connection.execute("PRAGMA integrity_check(10)") if text != "ok"]
    except sqlite3.DatabaseError as error:
        return [type(error).__name__]


def _trail_faults(manifest: Manifest, store: Store) -> Iterator[str]:
    """Verify a restored trail by itself, against the heads that were anchored before, and against the one in use."""
    with store.view() as view:
        state = view.state()
        places = [place for _, place in anchors.places(view)]
    if state is None or state.head != manifest.head:
        yield "its head is not the one in the manifest."
        return
    size = state.frontier.size
    heads = {head for place in places for head in anchors.anchored(place) if _size(head) <= size}
    for it in verify_trail(store, heads).findings:
        yield f"{it.fault} at event {it.sequence}: {it.detail}"
    with trail_here().view() as live:
        if not leads_to(live, manifest.head):
            yield "the trail in use does not go on where it ends."


def _size(head: str) -> int:
    try:
        return Checkpoint.parse(head).size
    except NotProven:
        return 0  # verification tells what it is
