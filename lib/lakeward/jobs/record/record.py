"""The record of runs in SQLite: many processes read and write it at once, and a kill at any moment leaves it true."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeward.jobs.record.rows import Attempt, Failure, JobState, Run, State, TaskRun
from lakeward.jobs.record.states import Code, LifeCycle, Result, Started
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.settings import settings
from lakeward.workspace.sqlite import Database

_STATE = "life_cycle TEXT NOT NULL, result TEXT, code TEXT, message TEXT NOT NULL DEFAULT ''"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS runs (
    run_id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL,
    started_by TEXT NOT NULL, user TEXT NOT NULL, settings TEXT NOT NULL, parameters TEXT NOT NULL, {_STATE},
    created INTEGER NOT NULL, started INTEGER, ended INTEGER, repairs INTEGER NOT NULL DEFAULT 0,
    provenance TEXT NOT NULL, parent_run INTEGER, parent_task TEXT);
CREATE INDEX IF NOT EXISTS runs_of_job ON runs (job, run_id DESC);
CREATE INDEX IF NOT EXISTS runs_going_on ON runs (life_cycle) WHERE ended IS NULL;
CREATE TABLE IF NOT EXISTS tasks (
    run_id INTEGER NOT NULL REFERENCES runs, task TEXT NOT NULL, iteration INTEGER NOT NULL DEFAULT -1, value TEXT,
    {_STATE}, attempts INTEGER NOT NULL DEFAULT 0, started INTEGER, ended INTEGER,
    PRIMARY KEY (run_id, task, iteration)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (
    run_id INTEGER NOT NULL, task TEXT NOT NULL, iteration INTEGER NOT NULL DEFAULT -1, number INTEGER NOT NULL,
    repair INTEGER NOT NULL, {_STATE}, started INTEGER NOT NULL, ended INTEGER, exit_code INTEGER, failure TEXT,
    reads TEXT NOT NULL DEFAULT '{{}}', writes TEXT NOT NULL DEFAULT '{{}}', mlflow_runs TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (run_id, task, iteration, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS task_values (
    run_id INTEGER NOT NULL, task TEXT NOT NULL, iteration INTEGER NOT NULL DEFAULT -1, name TEXT NOT NULL,
    value TEXT NOT NULL, PRIMARY KEY (run_id, task, iteration, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS published (
    run_id INTEGER NOT NULL, repairs INTEGER NOT NULL, whole INTEGER NOT NULL, PRIMARY KEY (run_id, repairs))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
    job TEXT PRIMARY KEY, paused INTEGER, last_fired INTEGER, cursor TEXT NOT NULL DEFAULT '');
"""

States = Mapping[tuple[str, int | None], State]
"""States of tasks, by key and iteration."""


@dataclass(frozen=True)
class Turn:
    """How many runs of a job may go on at once, and whether more of them wait or are skipped."""

    limit: int
    queue: bool


SKIPPED = State(
    LifeCycle.SKIPPED,
    Result.MAXIMUM_CONCURRENT_RUNS_REACHED,
    Code.MAX_CONCURRENT_RUNS_EXCEEDED,
    "As many runs of this job as may were running already.",
)
"""State of a run that did not get its turn."""


class NoSuchRun(LakewardError):
    """No run has this number."""

    exit_code = 2


def now() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def home() -> Path:
    """Folder of the record, and of the runs' archives."""
    return settings().home / "jobs"


class Record:
    """The record of one lakehouse, which opens a connection for each call.

    Parameters
    ----------
    folder : Path, optional
        Where it lies; that of the lakehouse's own if not given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or home()
        self._database = Database(self.folder / "record.sqlite", _SCHEMA)

    # --- reading -------------------------------------------------------------------------------------------------

    def runs(
        self, job: str | None = None, limit: int = 25, before: int | None = None, going_on: bool = False
    ) -> list[Run]:
        """Return runs, newest first: of one job or of all, older than run `before`, only those not ended yet."""
        wanted = ["1"]
        values: list[Any] = []
        if job is not None:
            wanted.append("job = ?")
            values.append(job)
        if before is not None:
            wanted.append("run_id < ?")
            values.append(before)
        if going_on:
            wanted.append("ended IS NULL")
        sql = f"SELECT * FROM runs WHERE {' AND '.join(wanted)} ORDER BY run_id DESC LIMIT ?"
        return [self._run(row) for row in self._database.rows(sql, *values, limit)]

    def last_runs(self, limit: int = 20) -> dict[str, list[Run]]:
        """Return each job's last runs, newest first."""
        jobs = [row["job"] for row in self._database.rows("SELECT DISTINCT job FROM runs")]
        return {job: self.runs(job, limit) for job in jobs}

    def unpublished(self) -> dict[tuple[int, int], bool]:
        """Return the numbers of the ended runs that are not known to be published, each with how often it was repaired.

        Whether it may be: publishing it has begun, or as a record of before this was noted has none that is published.
        """
        sql = (
            "SELECT run_id, repairs, whole IS NOT NULL OR NOT EXISTS (SELECT * FROM published)"
            " FROM runs LEFT JOIN published USING (run_id, repairs) WHERE ended IS NOT NULL AND whole IS NOT 1"
        )
        return {(run_id, repairs): bool(perhaps) for run_id, repairs, perhaps in self._database.rows(sql)}

    def run(self, run_id: int) -> Run:
        """Return a run.

        Raises
        ------
        NoSuchRun
            If there is none with this number.
        """
        rows = self._database.rows("SELECT * FROM runs WHERE run_id = ?", run_id)
        if not rows:
            raise NoSuchRun(f"There is no run {run_id}. lakeward jobs runs lists those that there are.")
        return self._run(rows[0])

    def tasks(self, run_id: int) -> list[TaskRun]:
        """Return the tasks of a run in the job's order, the iterations of a loop after it."""
        runs = self._database.rows("SELECT settings FROM runs WHERE run_id = ?", run_id)
        tasks = [task["task_key"] for run in runs for task in json.loads(run["settings"]).get("tasks", [])]
        order = {key: place for place, key in enumerate(tasks)}
        rows = self._database.rows("SELECT * FROM tasks WHERE run_id = ? ORDER BY task, iteration", run_id)
        return [_task(row) for row in sorted(rows, key=lambda row: order.get(row["task"], len(order)))]

    def task(self, run_id: int, task: str, iteration: int | None = None) -> TaskRun | None:
        """Return one task of a run, or iteration of a loop; None if there is none."""
        sql = "SELECT * FROM tasks WHERE run_id = ? AND task = ? AND iteration = ?"
        return next(map(_task, self._database.rows(sql, run_id, task, _stored(iteration))), None)

    def attempts(self, run_id: int) -> list[Attempt]:
        """Return the tries at a run's tasks, in the order in which they began."""
        rows = self._database.rows(
            "SELECT * FROM attempts WHERE run_id = ? ORDER BY started, task, iteration, number", run_id
        )
        return [self._attempt(row) for row in rows]

    def tries(self, run_id: int, task: str, iteration: int | None) -> int:
        """Return how often a task, or an iteration of a loop, was tried."""
        sql = "SELECT count(*) FROM attempts WHERE run_id = ? AND task = ? AND iteration = ?"
        return int(self._database.rows(sql, run_id, task, _stored(iteration))[0][0])

    def values(self, run_id: int) -> dict[tuple[str, int | None], dict[str, Any]]:
        """Return the task values that were set, by task and iteration."""
        found: dict[tuple[str, int | None], dict[str, Any]] = {}
        for row in self._database.rows("SELECT * FROM task_values WHERE run_id = ?", run_id):
            found.setdefault((row["task"], _iteration(row)), {})[row["name"]] = json.loads(row["value"])
        return found

    def job(self, job: str) -> JobState:
        """Return what is known of a job beside its runs."""
        rows = self._database.rows("SELECT * FROM jobs WHERE job = ?", job)
        if not rows:
            return JobState(job, None, None, "")
        paused = rows[0]["paused"]
        return JobState(job, None if paused is None else bool(paused), rows[0]["last_fired"], rows[0]["cursor"])

    # --- writing -------------------------------------------------------------------------------------------------

    def add_run(
        self,
        job: str,
        settings: Mapping[str, Any],
        parameters: Mapping[str, str],
        *,
        target: str,
        started_by: Started,
        user: str,
        provenance: Mapping[str, Any],
        parent: tuple[int, str] | None = None,
        state: State = State(LifeCycle.PENDING),  # noqa: B008  (frozen)
        turn: Turn | None = None,
        claim: Callable[[Path], None] = lambda folder: None,
    ) -> Run:
        """Note a run before anything of it happens, and return it.

        Parameters
        ----------
        turn : Turn, optional
            How many runs of the job may go on at once: if as many do, this one is queued or skipped.
        claim : callable
            Called with the run's folder before anybody else can see the run.
        """
        with self._database.changed() as change:
            if turn and not self._is_free(change, job, turn.limit):
                state = State(LifeCycle.QUEUED) if turn.queue else SKIPPED
            created = now()
            cursor = change.execute(
                "INSERT INTO runs (job, name, target, started_by, user, settings, parameters, life_cycle, result, code,"
                " message, created, ended, provenance, parent_run, parent_task)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job, settings["name"], target, started_by, user, json.dumps(settings), json.dumps(parameters),
                    state.life_cycle, state.result, state.code, state.message, created,
                    created if state.life_cycle.ended else None, json.dumps(provenance), *(parent or (None, None)),
                ),
            )  # fmt: skip
            run_id = cursor.lastrowid or 0
            claim(self.run_folder(run_id))
        return self.run(run_id)

    def take_turn(self, run_id: int, job: str, limit: int) -> bool:
        """Let a queued run start, if it is the first in the queue and fewer of its job than the limit go on."""
        with self._database.changed() as change:
            if not self._is_free(change, job, limit, run_id):
                return False
            taken = change.execute(
                "UPDATE runs SET life_cycle = 'PENDING' WHERE run_id = ? AND life_cycle = 'QUEUED'", (run_id,)
            )
            return bool(taken.rowcount)

    def begin(self, run_id: int, tasks: States) -> bool:
        """Let a pending run run, with these states of its tasks; False if it may not, since somebody has stopped it."""
        with self._database.changed() as change:
            sql = "UPDATE runs SET life_cycle = 'RUNNING', started = ? WHERE run_id = ? AND life_cycle = 'PENDING'"
            if not change.execute(sql, (now(), run_id)).rowcount:
                return False
            for (task, iteration), state in tasks.items():
                _upsert(change, "tasks", _task_key(run_id, task, iteration), _columns(state))
            return True

    def begin_repair(
        self,
        run_id: int,
        settings: Mapping[str, Any],
        parameters: Mapping[str, str],
        provenance: Mapping[str, Any],
        limit: int,
        tasks: States,
    ) -> bool:
        """Let a run that has ended run once more, as its job is now; False if as many of its job go on as may."""
        with self._database.changed() as change:
            job = change.execute("SELECT job FROM runs WHERE run_id = ?", (run_id,)).fetchone()["job"]
            if not self._is_free(change, job, limit, run_id):
                return False
            change.execute(
                "UPDATE runs SET life_cycle = 'RUNNING', result = NULL, code = NULL, message = '', ended = NULL,"
                " repairs = repairs + 1, started = coalesce(started, ?), settings = ?, parameters = ?, provenance = ?"
                " WHERE run_id = ?",
                (now(), json.dumps(settings), json.dumps(parameters), json.dumps(provenance), run_id),
            )
            for (task, iteration), state in tasks.items():
                columns = {**_columns(state), "started": None, "ended": None}
                _upsert(change, "tasks", _task_key(run_id, task, iteration), columns)
            return True

    def set_parameters(self, run_id: int, parameters: Mapping[str, str]) -> None:
        """Change what a run's parameters are."""
        with self._database.changed() as change:
            _upsert(change, "runs", {"run_id": run_id}, {"parameters": json.dumps(parameters)})

    def ask_to_stop(self, run_id: int, message: str) -> bool:
        """Ask the process that runs a run to cancel it; False if it has ended."""
        with self._database.changed() as change:
            asked = change.execute(
                "UPDATE runs SET life_cycle = 'TERMINATING', message = ? WHERE run_id = ? AND ended IS NULL",
                (message, run_id),
            )
            return bool(asked.rowcount)

    def set_run(self, run_id: int, state: State, **columns: Any) -> None:
        """Change a run's state, and any of ``started``, ``ended``, ``repairs``."""
        self._set("runs", {"run_id": run_id}, state, columns)

    def set_task(self, run_id: int, task: str, iteration: int | None, state: State, **columns: Any) -> None:
        """Change or add a task's state, and any of ``value``, ``attempts``, ``started``, ``ended``."""
        self._set("tasks", _task_key(run_id, task, iteration), state, columns)

    def drop_iterations(self, run_id: int, task: str, first: int) -> None:
        """Forget a loop's iterations from this number on, and the values that they have set."""
        with self._database.changed() as change:
            for table in ("tasks", "task_values"):
                sql = f"DELETE FROM {table} WHERE run_id = ? AND task = ? AND iteration >= ?"
                change.execute(sql, (run_id, task, first))

    def set_attempt(
        self, run_id: int, task: str, iteration: int | None, number: int, state: State, **columns: Any
    ) -> None:
        """Change or add an attempt: ``repair``, ``started``, ``ended``, ``exit_code``, ``failure``, ``reads``, ..."""
        key = {**_task_key(run_id, task, iteration), "number": number}
        if isinstance(failure := columns.get("failure"), Failure):
            columns["failure"] = json.dumps(vars(failure))
        plain = {
            name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in columns.items()
        }
        self._set("attempts", key, state, plain)

    def set_values(self, run_id: int, task: str, iteration: int | None, values: Mapping[str, Any]) -> None:
        """Keep the values that a task has set."""
        rows = [(run_id, task, _stored(iteration), name, json.dumps(value)) for name, value in values.items()]
        with self._database.changed() as change:
            change.executemany("INSERT OR REPLACE INTO task_values VALUES (?, ?, ?, ?, ?)", rows)

    def set_published(self, runs: Iterable[tuple[int, int]], whole: bool) -> None:
        """Note of runs, each with how often it was repaired, that they are about to be published, or are."""
        with self._database.changed() as change:
            change.executemany("INSERT OR REPLACE INTO published VALUES (?, ?, ?)", [(*run, whole) for run in runs])

    def set_job(self, job: str, **columns: Any) -> None:
        """Change any of a job's ``paused``, ``last_fired``, ``cursor``."""
        with self._database.changed() as change:
            _upsert(change, "jobs", {"job": job}, columns)

    # --- rows ----------------------------------------------------------------------------------------------------

    def _run(self, row: sqlite3.Row) -> Run:
        return Run(
            run_id=row["run_id"],
            job=row["job"],
            name=row["name"],
            target=row["target"],
            started_by=Started(row["started_by"]),
            user=row["user"],
            settings=json.loads(row["settings"]),
            parameters=json.loads(row["parameters"]),
            state=_state(row),
            created=row["created"],
            started=row["started"],
            ended=row["ended"],
            repairs=row["repairs"],
            folder=self.run_folder(row["run_id"]),
            provenance=json.loads(row["provenance"]),
            parent=(row["parent_run"], row["parent_task"]) if row["parent_run"] is not None else None,
        )

    def _attempt(self, row: sqlite3.Row) -> Attempt:
        iteration = _iteration(row)
        return Attempt(
            run_id=row["run_id"],
            task=row["task"],
            iteration=iteration,
            number=row["number"],
            repair=row["repair"],
            state=_state(row),
            started=row["started"],
            ended=row["ended"],
            exit_code=row["exit_code"],
            folder=self.attempt_folder(row["run_id"], row["task"], iteration, row["number"]),
            failure=Failure(**json.loads(row["failure"])) if row["failure"] else None,
            reads=json.loads(row["reads"]),
            writes=json.loads(row["writes"]),
            mlflow_runs=json.loads(row["mlflow_runs"]),
        )

    def run_folder(self, run_id: int) -> Path:
        """Folder of a run."""
        return self.folder / "runs" / str(run_id)

    def attempt_folder(self, run_id: int, task: str, iteration: int | None, number: int) -> Path:
        """Folder of one try at a task."""
        name = task if iteration is None else f"{task}.{iteration}"
        return self.run_folder(run_id) / name / str(number)

    def _is_free(self, change: sqlite3.Connection, job: str, limit: int, run_id: int | None = None) -> bool:
        """Whether one more run of a job may go on: a new one, or the one with this number."""
        going_on = change.execute(
            "SELECT run_id, life_cycle FROM runs WHERE job = ? AND ended IS NULL AND run_id IS NOT ?", (job, run_id)
        ).fetchall()
        queued = [row["run_id"] for row in going_on if row["life_cycle"] == LifeCycle.QUEUED]
        first = not any(run_id is None or other < run_id for other in queued)
        return first and len(going_on) - len(queued) < limit

    def _set(self, table: str, key: Mapping[str, Any], state: State, columns: Mapping[str, Any]) -> None:
        with self._database.changed() as change:
            _upsert(change, table, key, {**_columns(state), **columns})


def _task_key(run_id: int, task: str, iteration: int | None) -> dict[str, Any]:
    return {"run_id": run_id, "task": task, "iteration": _stored(iteration)}


def _columns(state: State) -> dict[str, str | None]:
    return {"life_cycle": state.life_cycle, "result": state.result, "code": state.code, "message": state.message}


def _upsert(change: sqlite3.Connection, table: str, key: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
    sets = ", ".join(f"{name} = ?" for name in columns)
    where = " AND ".join(f"{name} = ?" for name in key)
    done = change.execute(f"UPDATE {table} SET {sets} WHERE {where}", (*columns.values(), *key.values()))
    if not done.rowcount:
        new = {**key, **columns}
        marks = ", ".join("?" * len(new))
        change.execute(f"INSERT INTO {table} ({', '.join(new)}) VALUES ({marks})", tuple(new.values()))


def _state(row: sqlite3.Row) -> State:
    return State(
        LifeCycle(row["life_cycle"]),
        Result(row["result"]) if row["result"] else None,
        Code(row["code"]) if row["code"] else None,
        row["message"],
    )


def _task(row: sqlite3.Row) -> TaskRun:
    return TaskRun(
        row["run_id"],
        row["task"],
        _iteration(row),
        row["value"],
        _state(row),
        row["attempts"],
        row["started"],
        row["ended"],
    )


def _iteration(row: sqlite3.Row) -> int | None:
    return None if row["iteration"] < 0 else int(row["iteration"])


def _stored(iteration: int | None) -> int:
    return -1 if iteration is None else iteration
