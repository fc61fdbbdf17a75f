"""Runs whose runner is killed at some moment, and what is found then; used by tests and by the benchmark."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.record.states import Result
from lakeward.jobs.runner.truth import reconcile
from lakeward.workspace.settings import settings
from running import after

PROGRAM = """
import subprocess, sys, time
from pathlib import Path
marks, name = Path(sys.argv[1]), sys.argv[2]
with (marks / f"{name}.began").open("a") as file:
    file.write("x")
helper = subprocess.Popen(["sleep", "60"], start_new_session=True)
time.sleep(0.2)
helper.kill()
with (marks / f"{name}.done").open("a") as file:
    file.write("x")
"""
_DYING_S = 5.0


@dataclass
class Found:
    """What was found after a kill: the state of the run, the states of its tasks, and all that is not true in it."""

    at_s: float
    run: str
    tasks: str
    lies: list[str]
    repaired: str


class Victim:
    """A job in a bundle of its own: a task, two beside each other and a loop after it, and one at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = folder / "jobs"
        self.root.mkdir(parents=True)
        (folder / "program.py").write_text(PROGRAM)
        loop = {"inputs": '["x", "y"]', "concurrency": 2, "task": {"task_key": "one", **_work("loop.{{input}}")}}
        tasks = [
            {"task_key": "first", **_work("first")},
            *({"task_key": key, "depends_on": after("first"), **_work(key)} for key in ("left", "right")),
            {"task_key": "loop", "depends_on": after("first"), "for_each_task": loop},
            {"task_key": "last", "depends_on": after("left", "right", "loop"), **_work("last")},
        ]
        job = {"name": "Victim", "parameters": [{"name": "marks", "default": ""}], "tasks": tasks}
        told = {"bundle": {"name": "victim"}, "targets": {"dev": {"default": True}}}
        (self.root / "databricks.yml").write_text(yaml.safe_dump({**told, "resources": {"jobs": {"victim": job}}}))
        self._record = Record()

    def start(self, marks: Path) -> "subprocess.Popen[bytes]":
        """Start a run of it as a process."""
        marks.mkdir(parents=True)
        return self._command("run", "victim", f"--bundle={self.root}", f"--param=marks={marks}")

    def whole(self, marks: Path) -> float:
        """Run it to its end, and return how long that takes from its place in the record on, in seconds."""
        if code := self.start(marks).wait():
            raise RuntimeError(f"it ended with {code}")
        [run] = self._record.runs(limit=1)
        return ((run.ended or 0) - run.created) / 1000

    def kill(self, after_s: float) -> Found:
        """Kill a runner so long after its run is in the record, and look what is left; then repair the run."""
        known = {run.run_id for run in self._record.runs(limit=-1)}
        marks = self._folder / f"marks{time.time_ns()}"
        runner = self.start(marks)
        while not (new := [run for run in self._record.runs(limit=1) if run.run_id not in known]):
            time.sleep(0.005)
        time.sleep(after_s)
        runner.kill()
        runner.wait()
        # What was being started at that moment may hold the run's lock until it has looked whether its parent lives.
        end = time.monotonic() + _DYING_S
        while (run := self._record.run(new[0].run_id)).ended is None and time.monotonic() < end:
            reconcile(self._record)
        lies = [*(f"{name} runs on" for name in alive()), *self._lies(run, marks)]
        rows = self._record.tasks(run.run_id)
        states = " ".join(f"{row.task[:2]}{'' if row.iteration is None else row.iteration}:{row.state}" for row in rows)
        return Found(after_s, str(run.state), states, lies, self._repaired(run, marks, lies))

    def _command(self, *words: str) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "LAKEWARD_HOME": str(settings().home)}
        command = [sys.executable, "-m", "lakeward", "jobs", *words]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def _lies(self, run: Run, marks: Path) -> Iterator[str]:
        """Yield what the record says of a run that is not so."""
        if run.ended is None:
            yield f"the run is {run.state}"
        rows = self._record.tasks(run.run_id)
        for row in rows:
            name = f"{row.task}.{row.value}" if row.iteration is not None else row.task
            began, done = ((marks / f"{name}.{end}").exists() for end in ("began", "done"))
            if not row.state.life_cycle.ended:
                yield f"{name} is {row.state}"
            if row.state.result is Result.SUCCESS and not done and row.task != "loop":
                yield f"{name} succeeded, and was not done"
            if row.state.result is Result.CANCELED and began:
                yield f"{name} had begun"
        for attempt in self._record.attempts(run.run_id):
            wrote = (attempt.folder / "outcome.json").exists()
            if attempt.ended is None or wrote is not (attempt.state.result is Result.SUCCESS):
                yield f"{attempt.folder} is {attempt.state}"
        if run.state.result is Result.SUCCESS and any(row.state.result is not Result.SUCCESS for row in rows):
            yield "the run succeeded, and its tasks did not"

    def _repaired(self, run: Run, marks: Path, lies: list[str]) -> str:
        if run.state.result is Result.SUCCESS:
            return "not needed"
        good = {
            f"{row.task}.{row.value}" if row.iteration is not None else row.task
            for row in self._record.tasks(run.run_id)
            if row.state.result is Result.SUCCESS and (row.task != "loop" or row.iteration is not None)
        }
        self._command("repair", str(run.run_id)).wait()
        lies += [f"{name} ran twice" for name in good if (marks / f"{name}.done").read_text() != "x"]
        states = {str(row.state) for row in self._record.tasks(run.run_id)}
        return str(self._record.run(run.run_id).state) if states == {"SUCCESS"} else f"tasks are {sorted(states)}"


def _work(name: str) -> dict[str, object]:
    return {
        "spark_python_task": {"python_file": "../program.py", "parameters": ["{{job.parameters.marks}}", name]},
    }


def alive() -> list[str]:
    """Return what runs for this lakehouse though its runner is dead, after a moment for the system to end it."""
    end = time.monotonic() + _DYING_S
    while (found := list(_of_this_lakehouse())) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def _of_this_lakehouse() -> Iterator[str]:
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("LAKEWARD_HOME") == str(settings().home) and process.pid != os.getpid()
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                yield " ".join(process.cmdline())[:80]
        except psutil.Error:
            continue
