"""The jobs: what there is, when each runs, how it went, and starting one."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from lakeward.jobs.bundle.job import Job
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.record.states import Started
from lakeward.jobs.runner.launch import launch
from lakeward.jobs.schedule import upcoming
from lakeward.jobs.schedule.upcoming import Upcoming
from lakeward.jobs.schedule.words import told
from lakeward.pages.drawings import durations, of_job
from lakeward.pages.forms import fields
from lakeward.pages.rendering import page, redirect
from lakeward.pages.security import Form
from lakeward.pages.site import Here, Site
from lakeward.workspace.errors import ConfigurationError

router = APIRouter()

SQUARES = 20
"""Past runs of a job that the list shows."""


@dataclass(frozen=True)
class Line:
    """A job as the list shows it; `job` is None if only its runs are left."""

    key: str
    job: Job | None
    when: str
    paused: bool
    next_fire: int | None
    trouble: str
    runs: list[Run]


@router.get("/jobs", name="jobs")
def list_jobs(request: Request, site: Here) -> Response:
    """Show all jobs, and those that are gone but have run."""
    record = site.record()
    jobs: Mapping[str, Job] = {}
    starts: dict[str, Upcoming] = {}
    fault = ""
    try:
        jobs = site.bundle().jobs
        starts = _starts(site, record)
    except ConfigurationError as error:
        fault = str(error)
    last = record.last_runs(SQUARES)
    keys = [*jobs, *sorted(last.keys() - jobs.keys())]
    lines = [_line(key, jobs.get(key), starts.get(key), last.get(key, [])) for key in keys]
    idle = any(start.times for start in starts.values()) and not upcoming.is_running()
    return page(request, "jobs.html", lines=lines, fault=fault, squares=SQUARES, idle=idle)


@router.get("/jobs/{job}", name="job")
def show_job(request: Request, site: Here, job: str) -> Response:
    """Show a job: its tasks, what it can be given, and its last runs."""
    found, record = site.job(job), site.record()
    runs = record.runs(job, limit=50)
    return page(
        request,
        "job.html",
        line=_line(job, found, _starts(site, record).get(job), runs),
        graph=of_job(found),
        bars=durations(runs[:SQUARES]),
    )


@router.get("/jobs/{job}/run", name="run_form")
def run_form(request: Request, site: Here, job: str, like: int | None = None) -> Response:
    """Show the form that starts a job, filled as an earlier run was if one is named."""
    return _form(request, site, job, site.record().run(like).parameters if like else {})


@router.post("/jobs/{job}/run", name="start_run")
def start_run(request: Request, site: Here, job: str, form: Form) -> Response:
    """Start a run; parameters that are not sent are what the job says."""
    found = site.job(job)
    given = {name.removeprefix("p-"): text for name, text in form.items() if name.startswith("p-")}
    if any(field.fault for field in fields(found, site.models(found) if given else [], given)):
        return _form(request, site, job, given, status=422)
    bundle = site.bundle()
    run_id = launch(bundle.root, bundle.target, job, given, Started.ONE_TIME)
    return redirect(request, "run", run_id=run_id)


@router.post("/jobs/{job}/pause", name="pause")
def pause(request: Request, site: Here, job: str, form: Form) -> Response:
    """Pause a job's schedule here, or let it go on."""
    site.job(job)
    change = upcoming.pause if form.get("paused") == "true" else upcoming.unpause
    change(job)
    return redirect(
        request, "job" if form.get("back") == "job" else "jobs", **({"job": job} if form.get("back") == "job" else {})
    )


def _starts(site: Site, record: Record) -> dict[str, Upcoming]:
    return {one.job: one for one in upcoming.next_fires(site.bundle(), record)}


def _line(key: str, job: Job | None, next_one: Upcoming | None, runs: list[Run]) -> Line:
    if job is None or next_one is None:
        return Line(key, job, "", False, None, "", runs)
    return Line(key, job, told(job), next_one.paused, next(iter(next_one.times), None), next_one.trouble, runs)


def _form(request: Request, site: Site, key: str, given: Mapping[str, str], status: int = 200) -> Response:
    job = site.job(key)
    made = fields(job, site.models(job), given)
    return page(request, "run_form.html", status, key=key, job=job, fields=made)
