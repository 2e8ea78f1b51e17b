"""A site of pages behind a sign-in, as an application: one table of routes, and every fault as a page.

Every page works without script; every form brings the session's token. Standards: RFC 9110, 6265bis; OWASP ASVS 5
(sessions, forms, uploads).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.kernel.adapters.web.forms import FormUnreadable
from services.kernel.adapters.web.headers import SecurityHeaders
from services.kernel.adapters.web.limits import BodyTooLong
from services.kernel.adapters.web.visits import Problem, Site, Visit, to
from services.kernel.ledger import LedgerRerun, LedgerUnavailable
from services.kernel.runtime.fault import Fault
from services.kernel.runtime.logging import logger

_RERUNS = 5
_TEN_MINUTES = 600
_AGAIN_SECONDS = 5
_V = TypeVar("_V", bound=Visit)
_C_contra = TypeVar("_C_contra", bound=Visit, contravariant=True)


class AnyPage(Protocol[_C_contra]):
    """One route. `alone`: also for who is not signed in."""

    @property
    def method(self) -> str:
        """GET (and with it HEAD) or POST."""

    @property
    def path(self) -> str:
        """Its path, with names in braces."""

    @property
    def alone(self) -> bool:
        """Whether it is for everybody."""

    @property
    def show(self) -> Callable[[_C_contra], Awaitable[Response]]:
        """What answers it."""


@dataclass(frozen=True)
class Page(Generic[_V]):
    """See the protocol."""

    method: str
    path: str
    show: Callable[[_V], Awaitable[Response]]
    alone: bool = False


@dataclass(frozen=True)
class Doorway(Generic[_V]):
    """How a request becomes a visit. `admit` is asked before any page is shown to somebody who is signed in."""

    site: Site
    visit: Callable[[Request], _V]
    admit: Callable[[_V, AnyPage[_V]], Awaitable[None]] | None = None
    script: bool = False


def site_app(doorway: Doorway[_V], pages: Sequence[AnyPage[_V]]) -> ASGIApp:
    """The application of a site with these pages."""
    routes: dict[str, dict[str, AnyPage[_V]]] = {}
    for page in pages:
        routes.setdefault(page.path, {})[page.method] = page
    site = doorway.site
    app = Starlette(
        routes=[
            *(Route(path, _endpoint(doorway, methods), methods=list(methods)) for path, methods in routes.items()),
            site.pages.static,
        ],
        exception_handlers={HTTPException: _not_here(doorway), Exception: _unexpected(doorway)},
    )
    app.router.redirect_slashes = False  # it would lead to whatever host the request names
    reached = TrustedHostMiddleware(app, _names(site), www_redirect=False)
    return SecurityHeaders(reached, forms=site.sign_in.forms, hsts=site.hsts, script=doorway.script)


def _names(site: Site) -> Sequence[str]:
    """What a browser may call us: a trial's sign-in must not be reached by another site's name that leads here."""
    if not site.sign_in.is_trial:
        return ("*",)
    return ("127.0.0.1", "localhost", urlsplit(site.url).hostname or "localhost")


def _endpoint(doorway: Doorway[_V], methods: dict[str, AnyPage[_V]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        page = methods["GET" if request.method == "HEAD" else request.method]
        return await _shown(doorway, doorway.visit(request), page)

    return endpoint


async def _shown(doorway: Doorway[_V], visit: _V, page: AnyPage[_V]) -> Response:
    """The page, or the one that says why not."""
    try:
        visit.limit(visit.site.limits.pages)
        _refuse_prefetch(visit.request)
        async with visit.site.people.open() as tx:
            visit.session = await visit.site.sessions.of(visit.request, tx, seen=not visit.is_by_itself())
        if visit.session is None and not page.alone:
            return _sign_in_first(visit)
        if doorway.admit is not None and visit.session is not None:
            await doorway.admit(visit, page)
        return await _again(visit, page)
    except (Problem, Fault, LedgerUnavailable, LedgerRerun, BodyTooLong, FormUnreadable, ClientDisconnect) as fault:
        return visit.problem(_problem(fault))


async def _again(visit: _V, page: AnyPage[_V]) -> Response:
    """A page that only reads is shown again where another transaction stood in its way."""
    for _ in range(_RERUNS if visit.request.method in {"GET", "HEAD"} else 0):
        try:
            return await page.show(visit)
        except LedgerRerun:
            continue
    return await page.show(visit)


def _refuse_prefetch(request: Request) -> None:
    """What a browser loads on suspicion nobody has read: it must not count as a view."""
    if "prefetch" in request.headers.get("sec-purpose", "") or request.headers.get("purpose") == "prefetch":
        raise Problem(HTTPStatus.FORBIDDEN, "not_allowed")


def _sign_in_first(visit: Visit) -> Response:
    """To the sign-in, and from there to the page that was asked for."""
    if visit.request.method not in {"GET", "HEAD"}:
        raise Problem(HTTPStatus.FORBIDDEN, "session_ended")
    response = to("/sign-in")
    visit.site.cookies.asked.give(response, quote(visit.request.url.path), _TEN_MINUTES)
    return response


def _problem(fault: Exception) -> Problem:
    match fault:
        case Problem():
            return fault
        case LedgerUnavailable() | LedgerRerun():
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", _AGAIN_SECONDS)
        case Fault():  # the sign-in must not be used here
            return Problem(HTTPStatus.FORBIDDEN, "not_allowed")
        case BodyTooLong():
            return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
        case _:
            return Problem(HTTPStatus.BAD_REQUEST, "incomplete")


def _not_here(doorway: Doorway[_V]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """What the router itself refuses: no such page, or not this way."""

    async def handler(request: Request, exc: Exception) -> Response:
        status = exc.status_code if isinstance(exc, HTTPException) else HTTPStatus.NOT_FOUND
        key = "method" if status == HTTPStatus.METHOD_NOT_ALLOWED else "not_found"

        async def show(_visit: Visit) -> Response:
            raise Problem(status, key)

        plain = Doorway(doorway.site, doorway.visit)
        response = await _shown(plain, doorway.visit(request), Page("GET", "", show, alone=True))
        if isinstance(exc, HTTPException) and exc.headers:
            response.headers.update(exc.headers)
        return response

    return handler


def _unexpected(doorway: Doorway[_V]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """A fault of ours: told to the log, and to the reader without its words."""

    async def handler(request: Request, exc: Exception) -> Response:
        logger().error("page.failed", exc_info=exc)
        return doorway.visit(request).problem(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected"))

    return handler
