"""inbox: the recipient's secure inbox, as pages.

One table of routes; whoever asks, what they may see is decided in SQL by the businesses of their session, and what is
not theirs is 404, as what does not exist. Every page works without script; every form brings the session's token.
Standards: RFC 9110, 6265bis; OWASP ASVS 5 (sessions, forms, uploads). Settings: `services/inbox/settings.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.inbox import answering, entry, reading
from services.inbox.visit import Inbox, Problem, Visit, to
from services.kernel.adapters.web.forms import FormUnreadable
from services.kernel.adapters.web.headers import SecurityHeaders
from services.kernel.adapters.web.limits import BodyTooLong
from services.kernel.ledger import LedgerRerun, LedgerUnavailable
from services.kernel.runtime.fault import Fault
from services.kernel.runtime.logging import logger

_RERUNS = 5
_TEN_MINUTES = 600
_AGAIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Page:
    """One route. `alone`: also for who is not signed in."""

    method: str
    path: str
    show: Callable[[Visit], Awaitable[Response]]
    alone: bool = False


PAGES = (
    Page("GET", "/", entry.home, alone=True),
    Page("GET", "/sign-in", entry.sign_in_page, alone=True),
    Page("POST", "/sign-in", entry.begin_sign_in, alone=True),
    Page("GET", "/signed-in", entry.end_sign_in, alone=True),
    Page("POST", "/sign-out", entry.sign_out),
    Page("GET", "/signed-out", entry.signed_out, alone=True),
    Page("POST", "/language", entry.change_language, alone=True),
    Page("GET", "/businesses", entry.businesses),
    Page("POST", "/businesses", entry.choose_business),
    Page("GET", "/notices", reading.notices),
    Page("GET", "/notices/{notice_id}", reading.notice),
    Page("GET", "/notices/{notice_id}/print", reading.print_view),
    Page("GET", "/notices/{notice_id}/answer", answering.form),
    Page("POST", "/notices/{notice_id}/answer", answering.answer),
    Page("GET", "/notices/{notice_id}/answers/{evidence_id}", answering.receipt),
    Page("GET", "/notices/{notice_id}/files/{upload_id}", reading.file),
)
"""Every page there is."""


def inbox_app(inbox: Inbox) -> ASGIApp:
    """The application of the inbox."""
    routes: dict[str, dict[str, Page]] = {}
    for page in PAGES:
        routes.setdefault(page.path, {})[page.method] = page
    app = Starlette(
        routes=[
            *(Route(path, _endpoint(inbox, pages), methods=list(pages)) for path, pages in routes.items()),
            inbox.pages.static,
        ],
        exception_handlers={HTTPException: _not_here(inbox), Exception: _unexpected(inbox)},
    )
    app.router.redirect_slashes = False  # it would lead to whatever host the request names
    reached = TrustedHostMiddleware(app, _names(inbox), www_redirect=False)
    return SecurityHeaders(reached, forms=inbox.sign_in.forms, hsts=inbox.settings.hsts)


def _names(inbox: Inbox) -> Sequence[str]:
    """What a browser may call us: a trial's sign-in must not be reached by another site's name that leads here."""
    if not inbox.sign_in.is_trial:
        return ("*",)
    return ("127.0.0.1", "localhost", urlsplit(inbox.settings.url).hostname or "localhost")


def _endpoint(inbox: Inbox, pages: dict[str, Page]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        page = pages["GET" if request.method == "HEAD" else request.method]
        return await _shown(Visit(inbox, request), page)

    return endpoint


async def _shown(visit: Visit, page: Page) -> Response:
    """The page, or the one that says why not."""
    try:
        visit.limit(visit.inbox.limits.pages)
        _refuse_prefetch(visit.request)
        async with visit.inbox.ledger.open() as tx:
            visit.session = await visit.inbox.sessions.of(visit.request, tx)
        if visit.session is None and not page.alone:
            return _sign_in_first(visit)
        return await _again(visit, page)
    except (Problem, Fault, LedgerUnavailable, LedgerRerun, BodyTooLong, FormUnreadable, ClientDisconnect) as fault:
        return visit.problem(_problem(fault))


async def _again(visit: Visit, page: Page) -> Response:
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
    visit.inbox.asked.give(response, quote(visit.request.url.path), _TEN_MINUTES)
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


def _not_here(inbox: Inbox) -> Callable[[Request, Exception], Awaitable[Response]]:
    """What the router itself refuses: no such page, or not this way."""

    async def handler(request: Request, exc: Exception) -> Response:
        status = exc.status_code if isinstance(exc, HTTPException) else HTTPStatus.NOT_FOUND
        key = "method" if status == HTTPStatus.METHOD_NOT_ALLOWED else "not_found"

        async def show(_visit: Visit) -> Response:
            raise Problem(status, key)

        response = await _shown(Visit(inbox, request), Page("GET", "", show, alone=True))
        if isinstance(exc, HTTPException) and exc.headers:
            response.headers.update(exc.headers)
        return response

    return handler


def _unexpected(inbox: Inbox) -> Callable[[Request, Exception], Awaitable[Response]]:
    """A fault of ours: told to the log, and to the reader without its words."""

    async def handler(request: Request, exc: Exception) -> Response:
        logger().error("page.failed", exc_info=exc)
        return Visit(inbox, request).problem(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected"))

    return handler
