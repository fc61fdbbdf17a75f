"""What a page takes with 10,000 past runs in the record, and a job of 500 tasks among them.

Example: python tests/benchmarks/pages.py
"""

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

RUNS = 10_000
ASKED_MS = 200
TOKEN = "a-token"


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, help="past runs")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["LAKEWARD_HOME"] = home
        measured = _measure(given.runs)
    if given.json:
        print(json.dumps(measured, indent=2))
        return
    print(f"{given.runs:,} past runs; ms from request to answer, median and largest of 9; asked: {ASKED_MS}")
    for page, (median, largest) in measured.items():
        print(f"{page:28} {median:8.1f} {largest:8.1f}")


def _measure(runs: int) -> dict[str, tuple[float, float]]:
    from fastapi.testclient import TestClient

    from lakeward.cli import declared_tables
    from lakeward.jobs.record.record import Record
    from lakeward.pages.app import create_app
    from past_runs import SUCCESS, add_run, add_task, fill

    record = Record()
    first = add_run(record, SUCCESS)
    _copy(record.folder / "record.sqlite", first.run_id, runs)
    named = fill(record)
    tasks = [{"task_key": f"t{n}", "depends_on": [{"task_key": f"t{n // 3}"}] if n else []} for n in range(500)]
    large = add_run(record, SUCCESS, settings={"name": "Large", "tasks": tasks})
    for task in tasks:
        add_task(record, large, str(task["task_key"]), SUCCESS, start=1, took=1000)
    root = Path(__file__).parents[2] / "jobs"
    client = TestClient(create_app(declared_tables, root, token=TOKEN), base_url="http://127.0.0.1")
    client.get("/", params={"token": TOKEN})
    pages = {
        "jobs": "/jobs",
        "runs": "/runs",
        "runs, timed out": "/runs?state=timedout",
        "a run": f"/runs/{named['succeeded']}",
        "a run of 500 tasks": f"/runs/{large.run_id}",
        "a task": f"/runs/{named['succeeded']}/tasks/ingest",
        "the form of a job": "/jobs/imaging/run",
        "catalog": "/catalog",
    }
    return {name: _time(client, path) for name, path in pages.items()}


def _copy(file: Path, run_id: int, times: int) -> None:
    """Copy a run many times: that many transactions would take long, and are not what is measured."""
    with sqlite3.connect(file) as change:
        names = [row[1] for row in change.execute("PRAGMA table_info(runs)") if row[1] != "run_id"]
        columns = ", ".join(names)
        row = change.execute(f"SELECT {columns} FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        marks = ", ".join("?" * len(names))
        change.executemany(f"INSERT INTO runs ({columns}) VALUES ({marks})", [row] * times)


def _time(client: object, path: str) -> tuple[float, float]:
    taken = []
    client.get(path)  # type: ignore[attr-defined]
    for _ in range(9):
        start = time.perf_counter()
        answer = client.get(path)  # type: ignore[attr-defined]
        taken.append((time.perf_counter() - start) * 1000)
        assert answer.status_code == 200, path
    return statistics.median(taken), max(taken)


if __name__ == "__main__":
    main()
