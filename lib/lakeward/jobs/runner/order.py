"""What is to be run: a job, where it comes from, and what a process of one of its tasks is told."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeward.jobs.bundle.bundle import Bundle
from lakeward.jobs.bundle.facts import job_id
from lakeward.jobs.bundle.job import BaseTask, Job, RunJobTask
from lakeward.jobs.record.rows import Attempt, Run
from lakeward.workspace.dbutils import CONTEXT
from lakeward.workspace.errors import ParameterError
from lakeward.workspace.notebooks import parameter_names
from lakeward.workspace.settings import settings
from lakeward.workspace.spark import COMMIT_INFO
from lakeward.workspace.tracking import tracking_environment

_MEMORY = "spark.driver.memory"


@dataclass(frozen=True)
class Order:
    """A job as it is to be run.

    Attributes
    ----------
    key : str
        Its key in the bundle.
    settings : dict
        The job as the Jobs API words it, for the record.
    bundle : Path or None
        Folder of the bundle, in which other jobs are found.
    numbers : mapping of str to int
        Numbers of the bundle's jobs, by key.
    variables : mapping of str to str
        Variables of the bundle that a person gave.
    """

    key: str
    job: Job
    settings: Mapping[str, Any]
    target: str = "dev"
    bundle: Path | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The job's own number."""
        return self.numbers.get(self.key, 0)

    def parameters(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return all of the job's parameters, those given in place of the defaults.

        Raises
        ------
        ParameterError
            If the job has no such parameter.
        """
        known = {parameter.name: parameter.default for parameter in self.job.parameters}
        if unknown := [name for name in given if name not in known]:
            raise ParameterError(
                f"The job {self.key} has no parameter {', '.join(unknown)}; it has {', '.join(known) or 'none'}."
            )
        return {**known, **given}

    def memory(self, task: BaseTask) -> str | None:
        """Return the memory of Spark's driver that the task's cluster asks for."""
        shared = {cluster.job_cluster_key: cluster.new_cluster for cluster in self.job.job_clusters}
        cluster = task.new_cluster or shared.get(task.job_cluster_key or "", {})
        return cluster.get("spark_conf", {}).get(_MEMORY)  # type: ignore[no-any-return]

    def command(self, called: RunJobTask) -> list[str]:
        """Return the command line, after ``python``, that runs another job of the bundle.

        Raises
        ------
        ParameterError
            If the bundle has no such job.
        """
        key = next((key for key, number in self.numbers.items() if str(number) == called.job_id), None)
        if key is None or self.bundle is None:
            raise ParameterError(
                f"There is no job with the number {called.job_id} in the bundle of the job {self.key}."
            )
        given = [f"--param={name}={value}" for name, value in called.job_parameters.items()]
        given += [f"--var={name}={value}" for name, value in self.variables.items()]
        options = [f"--bundle={self.bundle}", f"--target={self.target}", "--started-by=RUN_JOB_TASK", *given]
        return ["-m", "lakeward", "jobs", "run", key, *options]


def order_of(bundle: Bundle, key: str, variables: Mapping[str, str]) -> Order:
    """Return the order for a job of a bundle, which was read with these variables."""
    numbers = {each: job_id(bundle.name, each) for each in bundle.jobs}
    return Order(key, bundle.job(key), bundle.settings[key], bundle.target, bundle.root, numbers, variables)


def work(task: BaseTask, job_parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return what the process of a task is to do; all references in the task are resolved already."""
    if notebook := task.notebook_task:
        # A job parameter beats the task's own of the same name, as on Databricks.
        given = {**notebook.base_parameters, **job_parameters}
        declared = parameter_names(Path(notebook.notebook_path))
        injected = {name: given[name] for name in declared if name in given}
        return {"kind": "notebook", "path": notebook.notebook_path, "injected": injected, "parameters": given}
    if file := task.spark_python_task:
        return {"kind": "python_file", "path": file.python_file, "arguments": file.parameters}
    if wheel := task.python_wheel_task:
        named = [f"--{name}={job_parameters.get(name, value)}" for name, value in wheel.named_parameters.items()]
        names = {"package": wheel.package_name, "entry_point": wheel.entry_point}
        return {"kind": "entry_point", **names, "arguments": [*wheel.parameters, *named]}
    if sql := task.sql_task:
        return {"kind": "sql", "path": sql.file.path, "parameters": {**sql.parameters, **job_parameters}}
    raise ParameterError(f"The task {task.task_key} is of a kind that has no process.")


def environment(run: Run, attempt: Attempt, memory: str | None) -> dict[str, str]:
    """Return the environment of an attempt's process."""
    mine = json.dumps({"lakeward.run_id": str(run.run_id), "lakeward.job": run.job, "lakeward.task": label(attempt)})
    return {
        **os.environ,
        **tracking_environment(),
        "LAKEWARD_HOME": str(settings().home),
        CONTEXT: str(attempt.folder / "task.json"),
        # MLflow puts these tags on every run that the process makes, and `spark.session` on every commit to a table.
        "MLFLOW_RUN_CONTEXT": mine,
        COMMIT_INFO: mine,
        **({"LAKEWARD_DRIVER_MEMORY": memory} if memory else {}),
    }


def label(attempt: Attempt) -> str:
    """Return the name that an attempt has in MLflow's tags and Delta's commits: run, task, iteration, number."""
    place = attempt.task if attempt.iteration is None else f"{attempt.task}.{attempt.iteration}"
    return f"{attempt.run_id}/{place}/{attempt.number}"
