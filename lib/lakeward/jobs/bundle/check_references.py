"""Checks of a job's dynamic value references: each is documented, and has a value when its task starts."""

from collections.abc import Iterator, Mapping

from lakeward.jobs.bundle.bundle import Bundle
from lakeward.jobs.bundle.check_graph import every_task
from lakeward.jobs.bundle.faults import Fault, hint
from lakeward.jobs.bundle.graph import upstream
from lakeward.jobs.bundle.job import Job
from lakeward.jobs.bundle.places import Step
from lakeward.jobs.bundle.references import Reference, references, texts


def reference_faults(bundle: Bundle, key: str, given: Mapping[str, str]) -> Iterator[Fault]:
    """Yield what is wrong with the references of a job whose graph holds; `given` replaces its parameters' defaults."""
    job = bundle.jobs[key]
    before = upstream(job)
    for index, parameter in enumerate(job.parameters):
        for reference in references(given.get(parameter.name, parameter.default)):
            if reason := _in_parameter(job, reference):
                yield _fault(bundle, key, ("parameters", index, "default"), reference, reason)
    for index, task in enumerate(job.tasks):
        for path, one in every_task(index, task):
            for inner, text in texts(one):
                for reference in references(text):
                    if reason := _in_task(job, before[task.task_key], reference, in_loop=len(path) > 2):
                        yield _fault(bundle, key, (*path, *inner), reference, reason)


def _fault(bundle: Bundle, key: str, path: tuple[Step, ...], reference: Reference, reason: str) -> Fault:
    return bundle.fault(key, *path, text=f"{{{{{reference.text}}}}} {reason}")


def _in_parameter(job: Job, reference: Reference) -> str:
    if reference.wrong:
        return reference.wrong
    if reference.steps[0] in ("task", "tasks", "input") or reference.parameter:
        return "has no value yet when the job's parameters are set; use it in a task."
    return _of_trigger(job, reference)


def _in_task(job: Job, before: frozenset[str], reference: Reference, *, in_loop: bool) -> str:
    if reference.wrong:
        return reference.wrong
    if reference.steps[0] == "input" and not in_loop:
        return "has a value only in the task of a for_each_task."
    names = [parameter.name for parameter in job.parameters]
    if reference.parameter and reference.parameter not in names:
        return f"asks for a parameter that the job has not{hint(reference.parameter, names)}"
    if reference.task:
        return _of_another(job, before, reference)
    return _of_trigger(job, reference)


def _of_trigger(job: Job, reference: Reference) -> str:
    if reference.steps[:3] == ("job", "trigger", "table_update"):
        return "has a value on Databricks alone; here the run's summary tells the versions that a task read."
    if reference.steps[:3] == ("job", "trigger", "file_arrival") and not (job.trigger and job.trigger.file_arrival):
        return "has a value only in a job with the trigger file_arrival."
    return ""


def _of_another(job: Job, before: frozenset[str], reference: Reference) -> str:
    tasks = {task.task_key: task for task in job.tasks}
    asked = tasks.get(str(reference.task))
    if asked is None:
        return f"asks a task that is not in this job{hint(str(reference.task), tasks)}"
    if asked.task_key not in before:
        return f"asks {asked.task_key}, which need not have ended by then; add it to depends_on."
    if reference.steps[2] == "output":
        return "has a value on Databricks alone; hand it on as a task value of a notebook."
    if reference.steps[2] == "notebook_path" and not asked.notebook_task:
        return f"asks for the notebook of {asked.task_key}, which is not a notebook_task."
    return ""
