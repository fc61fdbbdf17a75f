"""The list of runs."""

from fastapi import APIRouter, Request, Response

from lakeward.jobs.record.rows import Run
from lakeward.pages import states
from lakeward.pages.rendering import page
from lakeward.pages.site import Here

router = APIRouter()

_AT_ONCE = 50
_LOOKED_THROUGH = 1000
"""Runs that are read to fill one page; the next page goes on from there."""

STATES = {
    "running": "running",
    "waiting": "waiting",
    "ok": "succeeded",
    "partly": "succeeded with failures",
    "failed": "failed",
    "timedout": "timed out",
    "canceled": "canceled",
    "skipped": "skipped",
}


@router.get("/runs", name="runs")
def list_runs(request: Request, site: Here, job: str = "", state: str = "", before: int | None = None) -> Response:
    """Show runs, newest first, of one job or in one state if asked for."""
    record = site.record()
    most = _LOOKED_THROUGH if state else _AT_ONCE
    looked = record.runs(job or None, limit=most + 1, before=before)
    found = [run for run in looked[:most] if _has(run, state)]
    runs, more = found[:_AT_ONCE], found[_AT_ONCE:] or looked[most:]
    older = more[0].run_id + 1 if more else None
    jobs = sorted({*record.last_runs(1), *([job] if job else [])})
    return page(
        request,
        "runs.html",
        runs=runs,
        jobs=jobs,
        states=STATES,
        job=job,
        state=state,
        older=older,
        before=before,
    )


def _has(run: Run, state: str) -> bool:
    return not state or states.kind(run.state) == state
