"""A span for each request to a door: its method, its route's pattern, its answer; never what was asked for or brought.

Standards: W3C Trace Context; OpenTelemetry's conventions for HTTP servers.
"""

from __future__ import annotations

import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kernel.domain.trace import SpanContext, parse, span_in
from services.kernel.ports import Span, Tracer
from services.kernel.runtime.tracing import Attributes, tracer

_PARTNER = "duly.partner"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


def go_on(scope: Scope) -> None:
    """This request comes from a partner, who has proved it: the trace that it brings goes on."""
    scope[_PARTNER] = True


class Traced:
    """An application whose answers are spans, while this process is traced.

    A partner's trace goes on here, once the door knows who calls (`go_on`). The trace that a stranger names is only
    linked, so that nobody outside decides what is recorded, or writes into a trace of ours.
    """

    def __init__(self, app: ASGIApp, door: str) -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        recording = tracer()
        if recording is None or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, fault, began = 0, "", time.time_ns()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except BaseException as error:
            fault = type(error).__name__
            raise
        finally:
            fault = fault or (str(status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "")
            recording.record([self._span(recording, scope, status, fault, began)])

    def _span(self, recording: Tracer, scope: Scope, status: int, fault: str, began: int) -> Span:
        theirs, method = _theirs(scope), scope["method"] if scope["method"] in _METHODS else "_OTHER"
        parent = theirs if scope.get(_PARTNER) else None
        context = recording.fresh()
        if parent is not None:
            context = span_in(parent, context.span_id).but(sampled=recording.samples(parent.trace_id, parent))
        route = _route(scope)
        attributes: Attributes = {"duly.door": self._door, "http.request.method": method}
        attributes |= {"http.response.status_code": status} if status else {}
        attributes |= {"http.route": route} if route else {}
        links = (theirs,) if theirs and parent is None else ()
        return Span(
            f"{method} {route}".strip(), "server", context, parent, began, time.time_ns(), attributes, links, fault
        )


def _theirs(scope: Scope) -> SpanContext | None:
    given = [value for name, value in scope["headers"] if name == b"traceparent"]
    return parse(given[0].decode("latin-1")) if len(given) == 1 else None


def _route(scope: Scope) -> str:
    """The pattern of the path that a route took; nothing where none did: a path may say whose notice it is."""
    if "endpoint" not in scope:
        return ""
    names = {str(value): name for name, value in scope.get("path_params", {}).items()}
    return "/".join(f"{{{names[part]}}}" if part in names else part for part in str(scope["path"]).split("/"))
