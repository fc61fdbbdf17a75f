"""The record of runs in SQLite: many processes read and write it at once, and a kill at any moment leaves it true."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lakeward.jobs.record.rows import Attempt, Failure, JobState, Run, State, TaskRun
from lakeward.jobs.record.states import Code, LifeCycle, Result, Started
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.settings import settings

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
CREATE TABLE IF NOT EXISTS jobs (
    job TEXT PRIMARY KEY, paused INTEGER, last_fired INTEGER, cursor TEXT NOT NULL DEFAULT '');
"""


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
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._changed() as change:
            change.executescript(_SCHEMA)

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
        return [self._run(row) for row in self._rows(sql, *values, limit)]

    def last_runs(self, limit: int = 20) -> dict[str, list[Run]]:
        """Return each job's last runs, newest first."""
        jobs = [row["job"] for row in self._rows("SELECT DISTINCT job FROM runs")]
        return {job: self.runs(job, limit) for job in jobs}

    def run(self, run_id: int) -> Run:
        """Return a run.

        Raises
        ------
        NoSuchRun
            If there is none with this number.
        """
        rows = self._rows("SELECT * FROM runs WHERE run_id = ?", run_id)
        if not rows:
            raise NoSuchRun(f"There is no run {run_id}. lakeward jobs runs lists those that there are.")
        return self._run(rows[0])

    def tasks(self, run_id: int) -> list[TaskRun]:
        """Return the tasks of a run, iterations of loops among them."""
        return [
            TaskRun(
                run_id,
                row["task"],
                _iteration(row),
                row["value"],
                _state(row),
                row["attempts"],
                row["started"],
                row["ended"],
            )
            for row in self._rows("SELECT * FROM tasks WHERE run_id = ? ORDER BY task, iteration", run_id)
        ]

    def attempts(self, run_id: int) -> list[Attempt]:
        """Return the tries at a run's tasks, in the order in which they began."""
        rows = self._rows("SELECT * FROM attempts WHERE run_id = ? ORDER BY started, task, iteration, number", run_id)
        return [self._attempt(row) for row in rows]

    def values(self, run_id: int) -> dict[tuple[str, int | None], dict[str, Any]]:
        """Return the task values that were set, by task and iteration."""
        found: dict[tuple[str, int | None], dict[str, Any]] = {}
        for row in self._rows("SELECT * FROM task_values WHERE run_id = ?", run_id):
            found.setdefault((row["task"], _iteration(row)), {})[row["name"]] = json.loads(row["value"])
        return found

    def job(self, job: str) -> JobState:
        """Return what is known of a job beside its runs."""
        rows = self._rows("SELECT * FROM jobs WHERE job = ?", job)
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
    ) -> Run:
        """Note a run before anything of it happens, and return it."""
        with self._changed() as change:
            cursor = change.execute(
                "INSERT INTO runs (job, name, target, started_by, user, settings, parameters, life_cycle, created,"
                " provenance, parent_run, parent_task) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job, settings["name"], target, started_by, user, json.dumps(settings), json.dumps(parameters),
                    state.life_cycle, now(), json.dumps(provenance), *(parent or (None, None)),
                ),
            )  # fmt: skip
        return self.run(cursor.lastrowid or 0)

    def set_run(self, run_id: int, state: State, **columns: Any) -> None:
        """Change a run's state, and any of ``started``, ``ended``, ``repairs``."""
        self._set("runs", {"run_id": run_id}, state, columns)

    def set_task(self, run_id: int, task: str, iteration: int | None, state: State, **columns: Any) -> None:
        """Change or add a task's state, and any of ``value``, ``attempts``, ``started``, ``ended``."""
        key = {"run_id": run_id, "task": task, "iteration": _stored(iteration)}
        self._set("tasks", key, state, columns)

    def set_attempt(
        self, run_id: int, task: str, iteration: int | None, number: int, state: State, **columns: Any
    ) -> None:
        """Change or add an attempt: ``repair``, ``started``, ``ended``, ``exit_code``, ``failure``, ``reads``, ..."""
        key = {"run_id": run_id, "task": task, "iteration": _stored(iteration), "number": number}
        if isinstance(failure := columns.get("failure"), Failure):
            columns["failure"] = json.dumps(vars(failure))
        plain = {
            name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in columns.items()
        }
        self._set("attempts", key, state, plain)

    def set_values(self, run_id: int, task: str, iteration: int | None, values: Mapping[str, Any]) -> None:
        """Keep the values that a task has set."""
        rows = [(run_id, task, _stored(iteration), name, json.dumps(value)) for name, value in values.items()]
        with self._changed() as change:
            change.executemany("INSERT OR REPLACE INTO task_values VALUES (?, ?, ?, ?, ?)", rows)

    def set_job(self, job: str, **columns: Any) -> None:
        """Change any of a job's ``paused``, ``last_fired``, ``cursor``."""
        self._upsert("jobs", {"job": job}, columns)

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
            folder=self.folder / "runs" / str(row["run_id"]),
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

    def attempt_folder(self, run_id: int, task: str, iteration: int | None, number: int) -> Path:
        """Folder of one try at a task."""
        name = task if iteration is None else f"{task}.{iteration}"
        return self.folder / "runs" / str(run_id) / name / str(number)

    # --- SQLite --------------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.folder / "record.sqlite", timeout=60, isolation_level=None)
        connection.row_factory = sqlite3.Row
        # WAL: readers never wait for a writer. FULL: what was said to be written outlives a power cut.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _rows(self, sql: str, *values: Any) -> Sequence[sqlite3.Row]:
        with closing(self._connect()) as connection:
            return connection.execute(sql, values).fetchall()

    @contextmanager
    def _changed(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which takes the writer's place at once, so that two never deadlock half-way."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _set(self, table: str, key: Mapping[str, Any], state: State, columns: Mapping[str, Any]) -> None:
        self._upsert(
            table,
            key,
            {
                "life_cycle": state.life_cycle,
                "result": state.result,
                "code": state.code,
                "message": state.message,
                **columns,
            },
        )

    def _upsert(self, table: str, key: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
        new = {**key, **columns}
        with self._changed() as change:
            sets = ", ".join(f"{name} = ?" for name in columns)
            where = " AND ".join(f"{name} = ?" for name in key)
            done = change.execute(f"UPDATE {table} SET {sets} WHERE {where}", (*columns.values(), *key.values()))
            if not done.rowcount:
                marks = ", ".join("?" * len(new))
                change.execute(f"INSERT INTO {table} ({', '.join(new)}) VALUES ({marks})", tuple(new.values()))


def _state(row: sqlite3.Row) -> State:
    return State(
        LifeCycle(row["life_cycle"]),
        Result(row["result"]) if row["result"] else None,
        Code(row["code"]) if row["code"] else None,
        row["message"],
    )


def _iteration(row: sqlite3.Row) -> int | None:
    return None if row["iteration"] < 0 else int(row["iteration"])


def _stored(iteration: int | None) -> int:
    return -1 if iteration is None else iteration
