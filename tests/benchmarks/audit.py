"""What the audit trail costs, held against the least that SQLite and hashing cost; run it on a quiet machine.

    python tests/benchmarks/audit.py [--events 1000000] [--json]

Appends are compared with plain inserts of as many bytes into SQLite (WAL, synchronous=FULL) in as many transactions,
so with as many syncs of the disk, turn about: what the disk does in between befalls both. For eight processes at once
plain SQLite has two figures: its processes taking turns at its lock, and one writer with the trail's transactions.
Verification (hashes, chain, tree, disclosures, clock) is compared with reading the entries and hashing what it has to:
each entry and each disclosure, by the time of the CPU. The command checks the heads and SQLite's own file, too, on
another core if there is one.
"""

import argparse
import json
import multiprocessing
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from lakeward.governance.trail import entries
from lakeward.governance.trail.merkle import inclusion
from lakeward.governance.trail.query import query
from lakeward.governance.trail.store import Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import allowed, verify
from lakeward.governance.trail.walk import walk
from lakeward.workspace.events import Event

ROUNDS = 5
THREADS = 64
SPREAD = 100
PROCESSES = 8
TYPES = [
    "imaging.score.finished",
    "imaging.ingest.finished",
    "imaging.crosswalk.looked_up",
    "imaging.export.started",
    "jobs.run.started",
]
Rows = list[tuple[str, str]]


def events(count: int) -> list[Event]:
    """Events of five types, with two details each."""
    return [
        Event(type=TYPES[it % len(TYPES)], object=f"run-{it}", details={"images": it, "profile": "research"})
        for it in range(count)
    ]


class Plain:
    """Rows of two texts in SQLite."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "plain.sqlite", timeout=60, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS rows (number INTEGER PRIMARY KEY, data TEXT, payload TEXT)"
        )

    def insert(self, rows: Rows) -> None:
        """Insert rows in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO rows (data, payload) VALUES (?, ?)", rows)
        self._connection.commit()


def alike(event: Event) -> tuple[str, str]:
    """As many bytes as the trail stores of an event."""
    sealed, payload = entries.sealed(event)
    return entries.entry(sealed, bytes(32), entries.stamp(event.at), 0).decode(), payload.decode()


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Time that some work takes by a clock."""
    begun = clock()
    work()
    return clock() - begun


def one_by_one(folder: Path, count: int) -> dict[str, Any]:
    """One event at a time, against plain inserts, turn about."""
    trail, plain = Trail(folder / "trail"), Plain(folder)
    trail.append(*events(1))
    made = events(count)
    rows = [alike(event) for event in made]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds(lambda: [trail.append(event) for event in made]))
        theirs.append(seconds(lambda: [plain.insert([row]) for row in rows]))
    milliseconds = round(statistics.median(theirs) / count * 1000, 2)
    return figures(count, ours, theirs) | {"ms_of_a_plain_transaction": milliseconds}


def many_threads(folder: Path, each: int) -> dict[str, Any]:
    """Many threads that append one event at a time, against one plain writer with as many transactions."""
    trail, plain = Trail(folder / "trail"), Plain(folder)
    trail.append(*events(1))
    made = [events(each) for _ in range(THREADS)]
    count = THREADS * each
    ours, theirs, transactions = [], [], []
    for _ in range(ROUNDS):
        before = _size(trail)
        with ThreadPoolExecutor(THREADS) as pool:
            ours.append(seconds(lambda: list(pool.map(lambda mine: [trail.append(event) for event in mine], made))))
        transactions.append(_commits(trail, before))
        parts = _parts([alike(event) for event in events(count)], transactions[-1])
        theirs.append(seconds(lambda: [plain.insert(part) for part in parts]))  # noqa: B023
    return figures(count, ours, theirs) | {"events_a_transaction": round(count / statistics.median(transactions), 1)}


def _parts(rows: Rows, count: int) -> list[Rows]:
    size = -(-len(rows) // count)
    return [rows[at : at + size] for at in range(0, len(rows), size)]


def figures(count: int, ours: list[float], theirs: list[float]) -> dict[str, Any]:
    """Rates, and the median of the rounds' ratios."""
    return {
        "events_a_second": round(count / statistics.median(ours)),
        "plain_a_second": round(count / statistics.median(theirs)),
        "ratio": round(statistics.median(b / a for a, b in zip(ours, theirs, strict=True)), 2),
    }


def at_once(folder: Path, each: int) -> dict[str, Any]:
    """Eight processes that append one event at a time."""
    trail = Trail(folder / "trail")
    trail.append(*events(1))
    ours, turns, alone, transactions = [], [], [], []
    for _ in range(3):
        before = _size(trail)
        _together(_append, folder, each, ours)
        assert _size(trail) - before == PROCESSES * each
        transactions.append(_commits(trail, before))
        _together(_insert, folder, each, turns)
        plain = Plain(folder)
        parts = _parts([alike(event) for event in events(PROCESSES * each)], transactions[-1])
        alone.append(seconds(lambda: [plain.insert(part) for part in parts]))  # noqa: B023
    count = PROCESSES * each
    return figures(count, ours, turns) | {
        "events_a_transaction": round(count / statistics.median(transactions), 1),
        "one_plain_writer_a_second": round(count / statistics.median(alone)),
    }


def _together(work: Callable[..., None], folder: Path, each: int, times: list[float]) -> None:
    """Let eight processes work, and note the time from when all are ready until the last is done."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(PROCESSES + 1)
    processes = [context.Process(target=work, args=(folder, each, ready)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    ready.wait()
    times.append(seconds(lambda: [process.join() for process in processes]))
    assert [process.exitcode for process in processes] == [0] * PROCESSES


def _append(folder: Path, each: int, ready: Any) -> None:
    trail, made = Trail(folder / "trail"), events(each)
    trail.append()
    ready.wait()
    for event in made:
        trail.append(event)


def _insert(folder: Path, each: int, ready: Any) -> None:
    plain, made = Plain(folder), [alike(event) for event in events(each)]
    ready.wait()
    for row in made:
        plain.insert([row])


def _size(trail: Trail) -> int:
    with trail.view() as view:
        state = view.state()
        return state.frontier.size if state else 0


def _commits(trail: Trail, start: int) -> int:
    """Transactions since an entry: the entries of one have one time."""
    with trail.view() as view:
        rows = view.select(Wanted(start=start))
        return len({entries.read(row.data or b"", row.payload or b"")["recorded"] for row in rows})


def large(folder: Path, count: int) -> dict[str, Any]:
    """Verification, proofs and queries over many events, spread evenly over a year."""
    clock = [datetime(2026, 1, 1, tzinfo=UTC)]
    trail = Trail(folder / "large", clock=lambda: clock[0])
    made = events(SPREAD)
    for _ in range(count // SPREAD):
        clock[0] += timedelta(days=365) / (count // SPREAD)
        trail.append(*made)
    with trail.view() as view:
        total = _size(trail)
        hashing, walking, verifying = [], [], []
        for _ in range(3):
            hashing.append(seconds(lambda: [_hashed(block) for block in view.rows()], time.process_time))
            walking.append(seconds(lambda: walk(view, allowed(view)), time.process_time))
            verifying.append(seconds(lambda: verify(trail.store)))
        proofs = [seconds(lambda at=at: inclusion(at, total, view.subtree)) for at in range(0, total, total // 50)]  # type: ignore[misc]
        first, last = datetime(2026, 7, 1, tzinfo=UTC).date(), datetime(2026, 7, 2, tzinfo=UTC).date()
        queries = [seconds(lambda: query(view, first, last, ("phi_access",))) for _ in range(9)]
        found = len(query(view, first, last, ("phi_access",)))
    return {
        "events": total,
        "hashed_a_cpu_second": round(total / statistics.median(hashing)),
        "verified_a_cpu_second": round(total / statistics.median(walking)),
        "ratio": round(statistics.median(b / a for a, b in zip(walking, hashing, strict=True)), 2),
        "verified_with_heads_and_sqlites_own_check_a_second": round(total / statistics.median(verifying)),
        "inclusion_proof_ms": round(statistics.median(proofs) * 1000, 2),
        "slowest_proof_ms": round(max(proofs) * 1000, 2),
        "query_of_two_days_and_a_kind_ms": round(statistics.median(queries) * 1000, 1),
        "events_that_it_finds": found,
    }


def _hashed(block: list[tuple[int, bytes, bytes | None, bytes | None]]) -> None:
    for _, _, data, payload in block:
        sha256(data or b"").digest()
        for part in (payload or b"").split(entries.SEPARATOR):
            sha256(part).digest()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to write; a disk whose syncs are real")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as made:
        folder = Path(made)
        for name in ("one", "many", "eight"):
            (folder / name).mkdir()
        found = {
            "one event at a time": one_by_one(folder / "one", 200),
            f"{THREADS} threads, one event at a time": many_threads(folder / "many", 30),
            f"{PROCESSES} processes, one event at a time": at_once(folder / "eight", 100),
            "a large trail": large(folder, given.events),
        }
    if given.json:
        json.dump(found, sys.stdout, indent=2)
        return
    for title, facts in found.items():
        print(title)
        for name, value in facts.items():
            print(f"  {value:>12,}  {name.replace('_', ' ')}")


if __name__ == "__main__":
    main()
