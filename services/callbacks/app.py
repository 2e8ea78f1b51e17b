"""The HTTP door for providers: `POST /callbacks/{provider}`, and `/callbacks/generic/{name}` for any other.

In this order: the client's rate, the body's length, the proof of the sender over the raw bytes, its age; then the event
is committed, and only then answered. A sender who proves nothing leaves nothing but a count. What was proved is stored
whatever it says: to understand it is `bounces`' work. An event that came before is answered like the first time.

Answers: 200 stored, or known; 400 the form is wrong; 401 no proof; 403 a wrong, old or strange one; 413; 429;
503 come again in a moment, nothing was lost. Errors are problem details (RFC 9457).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.callbacks.evidence import Ours, taken
from services.callbacks.providers.call import Call, Provider, Refused, Unreachable, stranger
from services.kernel.adapters.web.limits import BodyTooLong, RateLimit, client_of, read_body
from services.kernel.ledger import LedgerUnavailable
from services.kernel.ports import Ids
from services.kernel.runtime.door import EvidenceDoor
from services.kernel.runtime.gathering import DoorBusy, DoorClosed
from services.kernel.runtime.measures import Measures

_COME_AGAIN = 5
"""Seconds after which a sender may try again when we could not take in."""
_TAKEN, _KNOWN = b'{"status":"stored"}', b'{"status":"known"}'


@dataclass(frozen=True, slots=True)
class CallbackDoor:
    """What the routes need. `now` is wall time in Unix seconds."""

    providers: Mapping[str, Provider]
    door: EvidenceDoor
    ours: Ours
    ids: Ids
    measures: Measures
    rate: RateLimit
    most_bytes: int
    now: Callable[[], float]

    def app(self) -> Starlette:
        """The application."""
        app = Starlette(
            routes=[
                Route("/callbacks/{provider}", self.take, methods=["POST"]),
                Route("/callbacks/{provider}/{name}", self.take, methods=["POST"]),
            ]
        )
        app.router.redirect_slashes = False  # it would lead to whatever host the request names
        return app

    async def take(self, request: Request) -> Response:
        """Answer one call, and count what became of it."""
        named = request.path_params["provider"]
        outcome, answer = await self._answer(request, named)
        self.measures.came(f"callbacks.{named}" if named in self.providers else "callbacks.unknown", outcome)
        return answer

    async def _answer(self, request: Request, named: str) -> tuple[str, Response]:
        if wait := self.rate.wait(client_of(request)):
            return "limited", _problem(429, "too many calls from this address", math.ceil(wait))
        try:
            stored = await self._stored(request, named)
        except Refused as refused:
            return refused.outcome, _problem(refused.status, refused.why)
        except BodyTooLong:
            return "long", _problem(413, f"the body is longer than {self.most_bytes} bytes")
        except ClientDisconnect:
            return "broken", _problem(400, "the body did not come to its end")
        except (LedgerUnavailable, DoorBusy, DoorClosed, Unreachable):
            return "away", _problem(503, "nothing was stored; send the same again in a moment", _COME_AGAIN)
        outcome, body = ("stored", _TAKEN) if stored else ("known", _KNOWN)
        return outcome, Response(body, media_type="application/json")

    async def _stored(self, request: Request, named: str) -> bool:
        """Whether the call brought anything new, once that is committed."""
        provider = self.providers.get(named)
        if provider is None:
            raise stranger("no provider of this name is known here")
        body = await read_body(request, self.most_bytes)
        call = Call(body, request.headers, self.now(), request.path_params.get("name", ""))
        verified = await provider.verify(call)
        return bool(verified.events and await self.door.bring(taken(verified, body, self.ours, self.ids)))


def _problem(status: int, detail: str, again: int | None = None) -> Response:
    told = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    headers = {"retry-after": str(again)} if again is not None else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Basic realm="callbacks"'
    return JSONResponse(told, status, headers, media_type="application/problem+json")
