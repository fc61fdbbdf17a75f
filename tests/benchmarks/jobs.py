"""What jobs cost beside their work: planning a large graph, a task beside plain papermill, a list of many runs, and
what is found after a runner was killed.

Run by `make bench`.

Example: python tests/benchmarks/jobs.py --json
"""

import argparse
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_notebook

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from killing import Found, Victim
from lakeward.jobs.bundle.bundle import load
from lakeward.jobs.bundle.checks import check
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import State
from lakeward.jobs.record.states import LifeCycle, Result, Started
from lakeward.jobs.runner.runner import Runner
from lakeward.jobs.runner.truth import reconcile
from lakeward.workspace.settings import settings
from running import order

TASKS = 500
ROUNDS = 5
MOST_SECONDS = 0.5
PAIRS = 9
MOST_OVERHEAD_S = 0.2
PAST_RUNS = 10_000
MOST_LISTING_S = 0.1
KILLS = 50


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


def seconds(work: Callable[[], object]) -> float:
    """Return the median time of some rounds, after one that fills caches."""
    work()
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def overhead(folder: Path) -> dict[str, object]:
    """Time a notebook's task and the papermill command by turns: the same notebook, each as a process."""
    path = folder / "small.ipynb"
    cells = [new_code_cell("n = 1", metadata={"tags": ["parameters"]}), new_code_cell("print(n)")]
    metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    job = order({"task_key": "it", "notebook_task": {"notebook_path": str(path), "base_parameters": {"n": "2"}}})
    ours, theirs = [], []
    for number in range(PAIRS + 1):
        record = Record()
        runner = Runner(record, job)
        begun = runner.run(runner.start({}))
        [task] = record.tasks(begun.run_id)
        if str(task.state) != "SUCCESS":
            raise RuntimeError(record.attempts(begun.run_id))
        ours.append(((task.ended or 0) - (task.started or 0)) / 1000)
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", "-p", "n", "2", path, folder / "ran.ipynb"]
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        theirs.append(time.perf_counter() - started)
        if not number:  # the first fills caches
            ours, theirs = [], []
    task_s, papermill_s = statistics.median(ours), statistics.median(theirs)
    what = f"a task ({task_s:.2f} s) beyond papermill alone ({papermill_s:.2f} s), median of {PAIRS}"
    most = max(MOST_OVERHEAD_S, 0.05 * papermill_s)
    return {"what": what, "s": round(task_s - papermill_s, 3), "at most": round(most, 3)}


def listing() -> dict[str, object]:
    """Time the list of runs that people see, of a record with many."""
    record = Record()
    told = {"name": "Many", "tasks": [{"task_key": f"step_{n}"} for n in range(10)]}
    past = {"target": "dev", "started_by": Started.PERIODIC, "user": "bench", "provenance": {"git_commit": "0" * 40}}
    record.add_run("many", told, {"n": "1"}, **past, state=State(LifeCycle.TERMINATED, Result.SUCCESS))
    with closing(sqlite3.connect(record.folder / "record.sqlite", isolation_level=None)) as connection:
        columns = ", ".join(row[1] for row in connection.execute("PRAGMA table_info(runs)") if row[1] != "run_id")
        connection.execute(
            f"WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {PAST_RUNS - 1}) "
            f"INSERT INTO runs ({columns}) SELECT {columns} FROM (SELECT * FROM runs LIMIT 1), many"
        )
    taken = seconds(lambda: [reconcile(record), record.runs(limit=25)])
    return {"what": f"list the last 25 of {PAST_RUNS:,} runs", "s": round(taken, 4), "at most": MOST_LISTING_S}


def kills(folder: Path, count: int) -> list[Found]:
    """Kill a runner at random moments of its life, one after the other, and repair each run."""
    victim = Victim(folder / "victim")
    takes = victim.whole(folder / "whole")
    return [victim.kill(takes * (part + random.random()) / count) for part in range(count)]


def measure() -> list[dict[str, object]]:
    """Measure everything but kills in a lakehouse of its own."""
    with lakehouse() as folder:
        root = large_bundle(folder)
        planned = {"what": f"plan {TASKS} tasks", "s": round(seconds(lambda: plan(root)), 3), "at most": MOST_SECONDS}
        return [planned, overhead(folder), listing()]


@contextmanager
def lakehouse() -> Iterator[Path]:
    """Use a lakehouse that goes afterwards."""
    with TemporaryDirectory() as folder:
        os.environ["LAKEWARD_HOME"] = f"{folder}/lakehouse"
        settings.cache_clear()
        yield Path(folder)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kills", type=int, default=KILLS, help="how many runners to kill")
    options = parser.parse_args()
    rows = measure()
    with lakehouse() as folder:
        found = kills(folder, options.kills) if options.kills else []
    if options.json:
        json.dump({"times": rows, "kills": [vars(each) for each in found]}, sys.stdout, indent=2)
        return
    for row in rows:
        print(f"{row['s']:8.3f} s (at most {row['at most']} s)  {row['what']}")
    for each in found:
        print(f"killed at {each.at_s:5.2f} s: run {each.run:8} {each.tasks}; repaired: {each.repaired}")
    lies = [lie for each in found for lie in each.lies]
    repaired = Counter(each.repaired for each in found)
    print(f"{len(found)} runners killed; not true of their runs: {lies or 'nothing'}; after repair: {dict(repaired)}")


if __name__ == "__main__":
    main()
