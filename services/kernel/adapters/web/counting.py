"""Counts what comes to an HTTP door, for `/metrics`: by what became of a call, never by what it brought (RFC 9110)."""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kernel.runtime.measures import Measures

ANSWERED, REFUSED, LIMITED, AWAY, FAILED, BROKEN = "answered", "refused", "limited", "away", "failed", "broken"
OUTCOMES = (ANSWERED, REFUSED, LIMITED, AWAY, FAILED, BROKEN)
_OF_THEIR_OWN = {HTTPStatus.TOO_MANY_REQUESTS: LIMITED, HTTPStatus.SERVICE_UNAVAILABLE: AWAY}


class Counted:
    """An application whose answers count under the name of a door."""

    def __init__(self, app: ASGIApp, measures: Measures, door: str) -> None:
        self._app, self._measures, self._door = app, measures, door
        measures.expect(door, OUTCOMES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        outcome = BROKEN  # the caller left before there was an answer

        async def noted(message: Message) -> None:
            nonlocal outcome
            if message["type"] == "http.response.start":
                outcome = _outcome(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            outcome = FAILED
            raise
        finally:
            self._measures.came(self._door, outcome)


def _outcome(status: int) -> str:
    if status in _OF_THEIR_OWN:
        return _OF_THEIR_OWN[HTTPStatus(status)]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return FAILED
    return REFUSED if status >= HTTPStatus.BAD_REQUEST else ANSWERED
