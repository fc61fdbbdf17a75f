"""The web application."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount, Route

from lakeward.jobs.record.record import NoSuchRun
from lakeward.pages import catalog, jobs, run, runs, security
from lakeward.pages.rendering import page, redirect
from lakeward.pages.site import NotFound, Site
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.scrub import places

if TYPE_CHECKING:
    from lakeward.workspace.tables import Table


def create_app(
    tables: "Callable[[], Sequence[Table]]",
    bundle_root: Path | None,
    *,
    token: str,
    target: str | None = None,
    links: Mapping[str, str] | None = None,
) -> FastAPI:
    """Make the application; see `Site` for what it is given."""
    app = FastAPI(title="Lakeward", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.site = Site(tables, bundle_root, target, token, links or {})
    app.middleware("http")(_contained)
    app.middleware("http")(security.guard)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=security.HOSTS)
    routers = (jobs.router, runs.router, run.router, catalog.router)
    for router in routers:
        app.include_router(router)
    app.add_api_route("/", _start)
    static = Mount("/static", StaticFiles(packages=[("lakeward.pages", "static")]), name="static")
    app.router.routes.append(static)
    routes = [static, *(route for router in routers for route in router.routes)]
    app.state.routes = {route.name: route for route in routes if isinstance(route, Mount | Route)}
    app.add_exception_handler(LakewardError, _refused)
    app.add_exception_handler(HTTPException, _refused)
    return app


def _start(request: Request) -> RedirectResponse:
    return redirect(request, "jobs")


def _refused(request: Request, error: Exception) -> Response:
    """Say what is wrong and how to mend it."""
    if isinstance(error, HTTPException):
        text = "There is no such page." if error.status_code == 404 else str(error.detail)
        return page(request, "error.html", status=error.status_code, message=text)
    return page(request, "error.html", status=404 if isinstance(error, NoSuchRun | NotFound) else 400, message=error)


async def _contained(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Tell of a defect where it came from, and no more: its own text may quote patient data."""
    try:
        return await call_next(request)
    except Exception as error:
        where = "\n".join(f"  {place.splitlines()[0]}" for place in places(error))
        print(f"A defect in Lakeward: {type(error).__name__} (its text is withheld) at\n{where}", file=sys.stderr)
        text = f"A defect in Lakeward: {type(error).__name__}. The terminal shows where it is."
    return page(request, "error.html", status=500, message=text)
