"""Who may see the pages, and change anything: the one who was given the token, in a page that came from here.

As in Jupyter: a token made at the start, in the address that is printed, then a cookie. The browser sends the cookie
from no other site; a form must also hold a second token, since another program's page on this machine counts as the
same site. Names of other hosts that lead here (DNS rebinding) are refused before that.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from lakeward.pages.rendering import page
from lakeward.pages.tokens import derived, same

HOSTS = ["127.0.0.1", "localhost"]
_LARGEST_FORM = 1 << 20

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SEALED = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'none'; base-uri 'none';"
    " webrtc 'block'; frame-ancestors 'self'"
)
ARCHIVE_POLICY = f"sandbox; {_SEALED}"
"""For what notebooks have shown: nothing in it runs, is sent, or is fetched from anywhere."""
FRAMED_ARCHIVE_POLICY = f"sandbox allow-scripts; {_SEALED}; script-src 'unsafe-inline'"
"""The same inside a page of ours, which lets a frame lead nowhere else: there, scripts may draw the charts."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Let through who has the token, and give every answer its headers."""
    response = await _answer(request, call_next)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _answer(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    token: str = request.app.state.site.token
    if same(request.query_params.get("token", ""), token):
        return _signed_in(request, token)
    known = same(request.cookies.get(_cookie(request), ""), derived(token, "cookie"))
    # JupyterLab's proxy, behind Jupyter's own token, speaks for the person.
    known = known or same(request.headers.get("authorization", ""), f"token {token}")
    if known or request.url.path.startswith("/static/"):
        return await call_next(request)
    return page(request, "locked.html", status=403)


def _signed_in(request: Request, token: str) -> Response:
    """Put the token's stand-in into a cookie, and take the token out of the address."""
    response = RedirectResponse(str(request.url.remove_query_params("token").replace(scheme="", netloc="")), 303)
    response.set_cookie(_cookie(request), derived(token, "cookie"), httponly=True, samesite="strict")
    return response


def _cookie(request: Request) -> str:
    """Cookies know no ports, so each server of this machine needs a name of its own."""
    return f"lakeward-{request.url.port or 80}"


async def _checked(request: Request) -> Mapping[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            raise HTTPException(413, "The form is too large.")
    try:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body)))
    except ValueError:
        raise HTTPException(400, "The form can't be read.") from None
    if not same(form.pop("csrf", ""), derived(request.app.state.site.token, "csrf")):
        raise HTTPException(403, "The form is not from this page, or from before a restart. Reload the page.")
    return form


Form = Annotated[Mapping[str, str], Depends(_checked)]
"""What a form of these pages has sent; every route that changes anything asks for it."""
