r"""What the audit trail costs, held against the least that SQLite and hashing cost; run it on a quiet machine.

    python tests/benchmarks/audit.py [--events 1000000] [--json]

Appends are compared with plain inserts into SQLite (plain_sqlite.py): rows of as many bytes in a table with no index,
the same settings (WAL, synchronous=FULL, checkpoints as rare), and as many syncs of the disk. The two take turns, A B A
B, and each ratio is of two neighbors in time, so that what the disk and the machine do meanwhile befalls both; the
median of the ratios is given with the smallest and the largest, and the time of the CPU beside.

- One event at a time: each append, and each insert, is a transaction of its own with one sync. A round has as many
  events as the trail indexes at once, so each bears its share of that.
- Threads: 64 that append one event at a time, and wait for it. Plain: 64 that hand one row at a time to a thread that
  inserts what waits in one transaction, and wait for it.
- Processes: 8 that append one event at a time. Plain: 8 that send one row at a time, through a pipe, to a process that
  inserts what waits in one transaction; beside it, 8 that take turns at SQLite's own lock.

How long a sync takes decides these ratios. To see them on a slower disk, let each take 1.6 ms longer, for both:

    strace -f -qq --seccomp-bpf -e trace=fdatasync -e inject=fdatasync:delay_exit=1600 -o /dev/null \
        python tests/benchmarks/audit.py

Verification (hashes, chain, tree, disclosures, clock) is compared with reading the entries and hashing what it has to:
each entry and each disclosure, by the time of the CPU. The command checks the heads and SQLite's own file, too, on
another core if there is one.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from plain_sqlite import ForThreads, Plain, Row, serve
from telling import tell

from lakeward.governance.trail import entries
from lakeward.governance.trail.merkle import inclusion
from lakeward.governance.trail.query import query
from lakeward.governance.trail.store import Wanted
from lakeward.governance.trail.store_sqlite import MOST_RECENT
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import allowed, verify
from lakeward.governance.trail.walk import walk
from lakeward.workspace.events import Event

THREADS = 64
PROCESSES = 8
SPREAD = 100
PEOPLE = 97
LISTED = 1000
TYPES = [
    "imaging.score.finished",
    "imaging.ingest.finished",
    "imaging.crosswalk.looked_up",
    "imaging.export.started",
    "jobs.run.started",
]


class Spent(NamedTuple):
    """What some work took, in seconds: by the clock, and of this process's CPU."""

    wall: float
    cpu: float


def events(count: int, start: int = 0) -> list[Event]:
    """Events of five types, with two details each."""
    return [
        Event(
            type=TYPES[it % len(TYPES)],
            object=f"run-{it}",
            actor=f"person-{it % PEOPLE}",
            details={"images": it, "profile": "research"},
        )
        for it in range(start, start + count)
    ]


def alike(event: Event) -> Row:
    """As many bytes as the trail stores of an event."""
    sealed, payload = entries.sealed(event)
    return bytes(32), entries.entry(sealed, bytes(32), entries.stamp(event.at), 0).decode(), payload.decode()


def spent(work: Callable[[], object]) -> Spent:
    """Time that some work takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def figures(count: int, ours: Sequence[Spent], theirs: Sequence[Spent]) -> dict[str, Any]:
    """Rates and ratios of as many rounds, each of as many events."""
    ratios = sorted(b.wall / a.wall for a, b in zip(ours, theirs, strict=True))
    return {
        "events_a_second": round(count / statistics.median(it.wall for it in ours)),
        "plain_a_second": round(count / statistics.median(it.wall for it in theirs)),
        "ratio": round(statistics.median(ratios), 2),
        "smallest_ratio": round(ratios[0], 2),
        "largest_ratio": round(ratios[-1], 2),
        "cpu_us_an_event": round(statistics.median(it.cpu for it in ours) / count * 1e6),
        "plain_cpu_us_an_event": round(statistics.median(it.cpu for it in theirs) / count * 1e6),
    }


def one_by_one(folder: Path, rounds: int = 7, count: int = MOST_RECENT) -> dict[str, Any]:
    """One event at a time."""
    trail, plain = Trail(folder / "trail"), Plain(folder)
    trail.append(*events(1))
    made = events(count)
    rows = [alike(event) for event in made]
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(spent(lambda: [trail.append(event) for event in made]))
        theirs.append(spent(lambda: [plain.insert([row]) for row in rows]))
    milliseconds = round(statistics.median(it.wall for it in theirs) / count * 1000, 2)
    return figures(count, ours, theirs) | {"ms_of_a_plain_transaction": milliseconds}


def many_threads(folder: Path, rounds: int = 9, each: int = 20) -> dict[str, Any]:
    """Many threads, one event at a time each."""
    trail, plain = Trail(folder / "trail"), Plain(folder)
    trail.append(*events(1))
    made = [events(each, number * each) for number in range(THREADS)]
    rows = [[alike(event) for event in mine] for mine in made]
    count, before = THREADS * each, _size(trail)
    ours, theirs = [], []
    writer = ForThreads(plain)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(time.sleep, [0.1] * THREADS))  # all threads are there
        for _ in range(rounds):
            ours.append(spent(lambda: list(pool.map(lambda mine: [trail.append(event) for event in mine], made))))
            theirs.append(spent(lambda: list(pool.map(lambda mine: [writer.insert(row) for row in mine], rows))))
    writer.end()
    return figures(count, ours, theirs) | {
        "events_a_transaction": round(rounds * count / _commits(trail, before), 1),
        "plain_events_a_transaction": round(rounds * count / plain.transactions, 1),
    }


def many_processes(folder: Path, rounds: int = 5, each: int = 150) -> dict[str, Any]:
    """Eight processes, one event at a time each."""
    trail = Trail(folder / "trail")
    trail.append(*events(1))
    count, before = PROCESSES * each, _size(trail)
    ours, served, turns, transactions = list[Spent](), list[Spent](), list[Spent](), 0
    for _ in range(rounds):
        ours.append(_together(_append, [(folder, each)] * PROCESSES))
        pipes = [_SPAWN.Pipe() for _ in range(PROCESSES)]
        here, there = _SPAWN.Pipe()
        server = _SPAWN.Process(target=serve, args=(folder, [end for end, _ in pipes], there))
        server.start()
        here.recv()
        for end, _ in pipes:
            end.close()
        served.append(_together(_send, [(pipe, each) for _, pipe in pipes], server))
        transactions += here.recv()
        turns.append(_together(_insert, [(folder, each)] * PROCESSES))
    assert _size(trail) - before == rounds * count
    waiting = figures(count, ours, turns)
    found = figures(count, ours, served)
    for name in ("cpu_us_an_event", "plain_cpu_us_an_event"):  # of this process, which only waits
        del found[name]
    return found | {
        "events_a_transaction": round(rounds * count / _commits(trail, before), 1),
        "plain_events_a_transaction": round(rounds * count / transactions, 1),
        "plain_taking_turns_a_second": waiting["plain_a_second"],
        "ratio_to_those": waiting["ratio"],
    }


_SPAWN = multiprocessing.get_context("spawn")


def _together(work: Callable[..., None], given: Sequence[tuple[Any, ...]], server: Any = None) -> Spent:
    """Let processes work; what is counted is from when all are ready until the last is done."""
    ready = _SPAWN.Barrier(len(given) + 1)
    processes = [_SPAWN.Process(target=work, args=(*arguments, ready)) for arguments in given]
    for process in processes:
        process.start()
    for pipe, _ in given if server else ():
        pipe.close()
    ready.wait()

    def end() -> None:
        for process in [*processes, *([server] if server else [])]:
            process.join()

    done = spent(end)
    assert [process.exitcode for process in processes] == [0] * len(given)
    return done


def _append(folder: Path, each: int, ready: Any) -> None:
    trail, made = Trail(folder / "trail"), events(each)
    trail.append()
    ready.wait()
    for event in made:
        trail.append(event)


def _send(pipe: Any, each: int, ready: Any) -> None:
    made = [alike(event) for event in events(each)]
    ready.wait()
    for row in made:
        pipe.send(row)
        assert pipe.recv()


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
    for start in range(0, count, SPREAD):
        clock[0] += timedelta(days=365) / (count // SPREAD)
        trail.append(*events(SPREAD, start))
    with trail.view() as view:
        total = _size(trail)
        hashing, walking, verifying = [], [], []
        for _ in range(3):
            hashing.append(spent(lambda: [_hashed(block) for block in view.rows()]).cpu)
            walking.append(spent(lambda: walk(view, allowed(view))).cpu)
            verifying.append(spent(lambda: verify(trail.store)).wall)
        proofs = [
            spent(lambda at=at: inclusion(at, total, view.subtree)).wall  # type: ignore[misc]
            for at in range(0, total, total // 50)
        ]
        first, last = datetime(2026, 7, 1, tzinfo=UTC).date(), datetime(2026, 7, 2, tzinfo=UTC).date()
        questions: dict[str, Callable[[], list[Any]]] = {
            "two_days_and_a_kind": lambda: query(view, first, last, ("phi_access",)),
            "an_actor": lambda: query(view, actor="person-5", limit=LISTED),
            "an_object": lambda: query(view, object_=f"run-{count // 2}", limit=LISTED),
            "an_actor_and_a_kind": lambda: query(view, types=("export",), actor="person-5", limit=LISTED),
        }
        asked: dict[str, Any] = {}
        for name, question in questions.items():
            asked[f"query_of_{name}_ms"] = round(statistics.median(spent(question).wall for _ in range(9)) * 1000, 1)
            asked[f"found_for_{name}"] = len(question())
    return {
        "events": total,
        "hashed_a_cpu_second": round(total / statistics.median(hashing)),
        "verified_a_cpu_second": round(total / statistics.median(walking)),
        "ratio": round(statistics.median(b / a for a, b in zip(walking, hashing, strict=True)), 2),
        "verified_with_heads_and_sqlites_own_check_a_second": round(total / statistics.median(verifying)),
        "inclusion_proof_ms": round(statistics.median(proofs) * 1000, 2),
        "slowest_proof_ms": round(max(proofs) * 1000, 2),
        **asked,
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
            "one event at a time": one_by_one(folder / "one"),
            f"{THREADS} threads, one event at a time": many_threads(folder / "many"),
            f"{PROCESSES} processes, one event at a time": many_processes(folder / "eight"),
            "a large trail": large(folder, given.events),
        }
    tell(found, given.json)


if __name__ == "__main__":
    main()
