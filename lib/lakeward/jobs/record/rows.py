"""Rows of the record; times are milliseconds since 1970-01-01 UTC, as in the Jobs API, and None until they come."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeward.jobs.record.states import Code, LifeCycle, Result, Started


@dataclass(frozen=True)
class Failure:
    """What a person looks at first: the failing cell, what it raised, and the cure. Free of patient data.

    Attributes
    ----------
    cell : int or None
        Number of the cell in the notebook, from 1.
    error : str
        Name of the exception.
    message : str
        Its text, where that is known to be free of patient data; else a sentence that says that it is withheld.
    """

    error: str
    message: str
    cell: int | None = None
    source: str = ""

    @property
    def what(self) -> str:
        """Name and text of what was raised; a process that died raised nothing."""
        return ": ".join(filter(None, [self.error, self.message]))


@dataclass(frozen=True)
class State:
    """State of a run, a task or an attempt."""

    life_cycle: LifeCycle
    result: Result | None = None
    code: Code | None = None
    message: str = ""

    def __str__(self) -> str:
        """Return the one word that a list shows: how it ended, or where it is."""
        return str(self.result or self.life_cycle)


@dataclass(frozen=True)
class Run:
    """One run of a job.

    Attributes
    ----------
    run_id : int
        Counts from 1 in this record.
    job : str
        Key of the job in the bundle; `name` is its name for people.
    settings : dict
        The job as it was run: targets, variables and overrides applied, as the Jobs API words it.
    parameters : dict of str to str
        All parameters of the job, defaults included; references in them are filled in when the run begins.
    parent : tuple of int and str, or None
        Run and task whose ``run_job_task`` this is.
    repairs : int
        How often it was repaired.
    folder : Path
        Its archive: a folder for each task, log and ``run.json``.
    provenance : dict
        ``git_commit``, ``git_dirty``, ``environment`` (hash of what is installed), ``host``, ``bundle``.
    """

    run_id: int
    job: str
    name: str
    target: str
    started_by: Started
    user: str
    settings: dict[str, Any]
    parameters: dict[str, str]
    state: State
    created: int
    started: int | None
    ended: int | None
    repairs: int
    folder: Path
    provenance: dict[str, Any] = field(default_factory=dict)
    parent: tuple[int, str] | None = None

    @property
    def repairable(self) -> bool:
        """Whether it ran and did not succeed."""
        done = (Result.SUCCESS, Result.MAXIMUM_CONCURRENT_RUNS_REACHED)
        return self.state.life_cycle.ended and self.state.result not in done


@dataclass(frozen=True)
class TaskRun:
    """A task of a run; `iteration` counts from 0 in a loop and is None elsewhere, `value` is the iteration's input.

    The task of a loop itself has a row with no iteration, and a row for each iteration under the same key.
    """

    run_id: int
    task: str
    iteration: int | None
    value: str | None
    state: State
    attempts: int
    started: int | None
    ended: int | None


@dataclass(frozen=True)
class Attempt:
    """One try at a task.

    Attributes
    ----------
    number : int
        Counts from 0 over all repairs; its `repair` is the one that it belongs to.
    folder : Path
        Its executed notebook (``notebook.ipynb``, ``notebook.html``), its log (``log.txt``), and what it returned.
    reads, writes : dict of str to int
        Tables by name, with the version at the start, and with the last version that it wrote itself.
    mlflow_runs : list of str
        Ids of the MLflow runs that it made.
    """

    run_id: int
    task: str
    iteration: int | None
    number: int
    repair: int
    state: State
    started: int
    ended: int | None
    exit_code: int | None
    folder: Path
    failure: Failure | None = None
    reads: dict[str, int] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    mlflow_runs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class JobState:
    """What the record knows of a job beside its runs: whether a person has paused it here, and when it last fired."""

    job: str
    paused: bool | None
    last_fired: int | None
    cursor: str
