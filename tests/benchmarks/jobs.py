"""What jobs cost beside their work: reading and checking a bundle with a large graph.

Run by `make bench`.

Example: python tests/benchmarks/jobs.py --json
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_notebook

from lakeward.jobs.bundle.bundle import load
from lakeward.jobs.bundle.checks import check
from lakeward.workspace.settings import settings

TASKS = 500
ROUNDS = 5
MOST_SECONDS = 0.5


def large_bundle(folder: Path, tasks: int = TASKS) -> Path:
    """Write a bundle with one job, each task of which waits for the three before it; return its folder."""
    root = folder / "jobs"
    root.mkdir(parents=True)
    cell = new_code_cell("day = ''", metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[cell]), folder / "step.ipynb")
    steps = [
        {
            "task_key": f"step_{n}",
            "depends_on": [{"task_key": f"step_{before}"} for before in range(max(0, n - 3), n)],
            "max_retries": 1,
            "notebook_task": {"notebook_path": "../step.ipynb", "base_parameters": {"day": _day(n)}},
        }
        for n in range(tasks)
    ]
    jobs = {"large": {"name": "Large", "tasks": steps}}
    (root / "databricks.yml").write_text(yaml.safe_dump({"bundle": {"name": "large"}, "resources": {"jobs": jobs}}))
    return root


def _day(n: int) -> str:
    return f"{{{{tasks.step_{n - 1}.values.day}}}}" if n else "{{job.start_time.iso_date}}"


def plan(root: Path) -> None:
    """Do all that is done before the first task starts."""
    check(load(root))


def seconds(work: Callable[[], None]) -> float:
    """Return the median time of some rounds, after one that fills caches."""
    work()
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def measure() -> list[dict[str, object]]:
    """Measure everything in a lakehouse of its own."""
    with TemporaryDirectory() as folder:
        os.environ["LAKEWARD_HOME"] = folder
        settings.cache_clear()
        root = large_bundle(Path(folder))
        return [{"what": f"plan {TASKS} tasks", "s": round(seconds(lambda: plan(root)), 3), "at most": MOST_SECONDS}]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    rows = measure()
    if parser.parse_args().json:
        json.dump(rows, sys.stdout, indent=2)
        return
    for row in rows:
        print(f"{row['s']:8.3f} s (at most {row['at most']} s)  {row['what']}")


if __name__ == "__main__":
    main()
