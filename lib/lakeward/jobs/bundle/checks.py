"""What must hold before anything of a bundle runs.

The Databricks CLI and databricks-bundles check fields and types; a missing task, a misspelt parameter or a reference
to a task that has not run yet shows there only when the job fails.
"""

from collections.abc import Iterable, Iterator, Mapping

from lakeward.jobs.bundle.bundle import Bundle
from lakeward.jobs.bundle.check_graph import graph_faults
from lakeward.jobs.bundle.check_parameters import parameter_faults
from lakeward.jobs.bundle.check_references import reference_faults
from lakeward.jobs.bundle.check_resources import resource_faults
from lakeward.jobs.bundle.faults import BundleRefused, Fault, hint
from lakeward.jobs.bundle.graph import cycle


def check(bundle: Bundle, job: str | None = None, parameters: Mapping[str, str] | None = None) -> None:
    """Refuse a bundle that could not run.

    Parameters
    ----------
    job : str or None
        Only this job, and those that it runs; None for all.
    parameters : mapping of str to str
        Values for parameters of `job`, in place of their defaults.

    Raises
    ------
    BundleRefused
        With everything that was found, each with its file and line.
    """
    given = dict(parameters or {})
    keys = _with_those_it_runs(bundle, job) if job else list(bundle.jobs)
    faults = list(_loops(bundle, keys))
    unreadable: list[Fault] = []
    for key in keys:
        wrong = list(graph_faults(bundle, key))
        faults += wrong
        # What is upstream is known only in a graph that holds.
        faults += [] if wrong else reference_faults(bundle, key, given if key == job else {})
        unreadable += resource_faults(bundle, key)
    if job:
        declared = {parameter.name for parameter in bundle.job(job).parameters}
        unknown = [name for name in given if name not in declared]
        faults += [bundle.fault(job, text=f"it has no parameter {name}{hint(name, declared)}") for name in unknown]
    if not unreadable:
        faults += parameter_faults(bundle, {key: given if key == job else {} for key in keys})
    if faults := faults + unreadable:
        raise BundleRefused(faults)


def _with_those_it_runs(bundle: Bundle, job: str) -> list[str]:
    bundle.job(job)
    keys = [job]
    for key in keys:  # grows as it goes
        keys += [other for other in _runs(bundle, key) if other not in keys]
    return keys


def _runs(bundle: Bundle, key: str) -> list[str]:
    numbers = [task.run_job_task.job_id for task in bundle.jobs[key].every_task() if task.run_job_task]
    others = [bundle.job_of(int(number)) for number in numbers if number.isdecimal()]
    return [other for other in others if other]


def _loops(bundle: Bundle, keys: Iterable[str]) -> Iterator[Fault]:
    if loop := cycle({key: _runs(bundle, key) for key in keys}):
        yield bundle.fault(loop[0], "tasks", text=f"the jobs run each other without end: {' -> '.join(loop)}.")
