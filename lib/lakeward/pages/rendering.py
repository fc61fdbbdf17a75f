"""Pages from templates; all that is put into them is escaped."""

import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from lakeward.jobs.record.record import now
from lakeward.pages import states
from lakeward.pages.tokens import derived

_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_PREFIX = re.compile(r"(/[\w.~-]+)*")


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template."""
    site = request.app.state.site
    csrf = derived(site.token, "csrf")
    text = _environment().get_template(template).render(request=request, site=site, csrf=csrf, **values)
    return HTMLResponse(text, status)


def path(request: Request, name: str, /, **values: Any) -> str:
    """Return the path of a page; values that are not in the path itself become its query.

    JupyterLab's proxy shows the pages under a prefix, which it tells in a header.
    """
    prefix = request.headers.get("x-forwarded-context", "")
    return (prefix if _PREFIX.fullmatch(prefix) else "") + _own_path(request, name, **values)


def redirect(request: Request, name: str, /, **values: Any) -> RedirectResponse:
    """Send the browser on to a page, after something was done; JupyterLab's proxy adds its prefix to that."""
    return RedirectResponse(_own_path(request, name, **values), status_code=303)


def _own_path(request: Request, name: str, /, **values: Any) -> str:
    route = request.app.state.routes[name]
    own = {key: value for key, value in values.items() if key in route.param_convertors}
    own = {key: quote(str(value), safe="") for key, value in own.items()}
    query = {key: value for key, value in values.items() if key not in own and value not in (None, "")}
    return f"{route.url_path_for(name, **own)}{'?' + urlencode(query) if query else ''}"


def duration(milliseconds: int | None) -> str:
    """Return a duration in its two largest units.

    Examples
    --------
    >>> duration(65_000)
    '1 min 5 s'
    """
    if milliseconds is None:
        return ""
    if milliseconds < 10_000:
        return f"{max(milliseconds, 0) / 1000:.1f} s"
    rest = milliseconds // 1000
    parts: list[str] = []
    for size, unit in _SPANS:
        if rest >= size or parts:
            parts.append(f"{rest // size} {unit}")
            rest %= size
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def took(thing: Any) -> str:
    """Return how long a run, task or attempt took, or takes until now."""
    if thing is None or thing.started is None:
        return ""
    return duration((thing.ended or now()) - thing.started)


def away(milliseconds: int) -> str:
    """Return how far a moment is from now, in its largest unit."""
    seconds = abs(milliseconds - now()) // 1000
    size, unit = next((span for span in _SPANS if seconds >= span[0]), (1, "s"))
    span = f"{seconds // size} {unit}"
    return f"in {span}" if milliseconds > now() else f"{span} ago"


def moment(milliseconds: int | None) -> str:
    """Return a moment in this machine's time zone."""
    return "" if milliseconds is None else f"{_local(milliseconds):%Y-%m-%d %H:%M:%S}"


def iso(milliseconds: int) -> str:
    """Return a moment as a ``time`` element wants it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def size(count: int) -> str:
    """Return a number of bytes in a unit that suits it."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"


def _local(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()


@pass_context
def _to(context: Context, name: str, /, **values: Any) -> str:
    return path(context["request"], name, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("lakeward.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(to=_to, kind=states.kind, word=states.word)
    environment.filters.update(
        duration=duration, took=took, away=away, moment=moment, iso=iso, size=size, as_json=json.dumps
    )
    return environment
