"""The HTTP door for upstreams without AMQP: events in, and where their notices stand.

`POST /v1/events` takes CloudEvents, structured, binary or in batches; `GET /v1/notices/{id}`, `GET
/v1/notices?source_ref=` and `GET /v1/evidence-roots/{day}` answer what the caller's source may see, and nothing of
others. Standards: CloudEvents over HTTP 1.0, RFC 9110 (HTTP), RFC 9457 (problem details), RFC 6750 (bearer tokens),
OpenAPI 3.1. Settings: `services/intake/settings.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from schemas.openapi import document
from schemas.resources import EvidenceRoot, NoticeStatus, Taken, TakenEvent
from services.intake import problems
from services.intake.callers import Caller, Callers
from services.intake.door import Brought, IntakeDoor
from services.intake.judging import Judge, Sound, asks_for_a_notice
from services.intake.keysets import KeysAway
from services.intake.problems import Refusal, come_again
from services.intake.reading import BATCH, read_events
from services.kernel.adapters.web.headers import SecurityHeaders
from services.kernel.adapters.web.limits import BodyTooLong, RateLimit, client_of, read_body
from services.kernel.adapters.web.tracing import go_on
from services.kernel.domain.library import Library
from services.kernel.ledger import LedgerUnavailable
from services.kernel.ledger.intake import IntakeLedger
from services.kernel.runtime.gathering import DoorBusy, DoorClosed
from services.kernel.runtime.logging import logger

_COME_AGAIN_SECONDS = 2.0
_MOST_REFERENCE = 200
_JSON = "application/json"
Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken. `calls` counts for each credential, `strangers` those of an address that fail to sign in."""

    most_events: int
    most_bytes: int
    calls: RateLimit
    strangers: RateLimit


class IntakeApp:
    """The routes, over their parts."""

    def __init__(
        self, library: Library, ledger: IntakeLedger, door: IntakeDoor, callers: Callers, limits: Limits
    ) -> None:
        self._library, self._ledger, self._door = library, ledger, door
        self._callers, self._limits = callers, limits
        self._openapi = to_json(document())

    def asgi(self) -> ASGIApp:
        """The application."""
        routes = [
            Route("/v1/events", self._told(self.take), methods=["POST"]),
            Route("/v1/notices", self._told(self.status_by_reference)),
            Route("/v1/notices/{notice_id}", self._told(self.status_by_id)),
            Route("/v1/evidence-roots/{day}", self._told(self.root)),
            Route("/v1/openapi.json", self.openapi),
            Route("/problems/{name}", self._told(self.problem)),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _http_refusal})
        app.router.redirect_slashes = False  # it would lead to whatever host the request names
        return SecurityHeaders(app)

    # --- events in ------------------------------------------------------------------------------------------------

    async def take(self, request: Request) -> Response:
        """Take in all events of a request, or none."""
        caller = await self._caller(request)
        body = await read_body(request, self._limits.most_bytes)
        form = request.headers.get("content-type", "")
        values = read_events(form, request.headers.items(), body, self._limits.most_events)
        batch = form.partition(";")[0].strip().lower() == BATCH
        now = await self._legal_now() if asks_for_a_notice(values) else datetime.now(UTC)
        verdict = Judge(self._library, caller.source, now, request.headers.get("traceparent")).judge(
            values, batch=batch
        )
        if verdict.foreign:
            raise Refusal(problems.NOT_ALLOWED, "events of another source", verdict.wrong)
        if verdict.wrong:
            raise Refusal(problems.FAULTY_EVENTS, _counted(len(verdict.wrong), len(values)), verdict.wrong)
        clashes = await self._door.bring(Brought(tuple(verdict.sound), caller.credential, batch))
        if clashes:
            raise Refusal(problems.KNOWN_OTHERWISE, f"{len(clashes)} of {len(values)} events", clashes)
        return _shown(Taken(events=tuple(map(_taken, verdict.sound))), 202)

    async def _legal_now(self) -> datetime:
        async with self._ledger.begin() as tx:
            return (await tx.clock()).legal

    # --- where things stand -----------------------------------------------------------------------------------------

    async def status_by_id(self, request: Request) -> Response:
        """Where one notice stands."""
        caller = await self._caller(request)
        try:
            notice_id = UUID(request.path_params["notice_id"])
        except ValueError:
            raise Refusal(problems.NOT_FOUND, "a notice's id is a UUID") from None
        return _status(request, await self._ledger.status_by_id(caller.source.name, notice_id))

    async def status_by_reference(self, request: Request) -> Response:
        """The same, by the caller's own reference."""
        caller = await self._caller(request)
        asked = request.query_params.getlist("source_ref")
        if len(asked) != 1 or not 0 < len(asked[0]) <= _MOST_REFERENCE:
            raise Refusal(problems.NOT_READABLE, f"name one source_ref, of {_MOST_REFERENCE} characters at most")
        if not asked[0].isprintable():
            return _status(request, None)
        return _status(request, await self._ledger.status_by_reference(caller.source.name, asked[0]))

    async def root(self, request: Request) -> Response:
        """The root of one day's evidence."""
        await self._caller(request)
        try:
            day = date.fromisoformat(request.path_params["day"])
        except ValueError:
            raise Refusal(problems.NOT_FOUND, "a day is written 2026-11-22") from None
        found = await self._ledger.root(day)
        if found is None:
            raise Refusal(problems.NOT_FOUND, "no root: the day is not over, or no evidence was written on it")
        return _tagged(request, EvidenceRoot.model_validate_json(found))

    # --- about the door itself ----------------------------------------------------------------------------------------

    async def openapi(self, _request: Request) -> Response:
        """This interface, for machines."""
        return Response(self._openapi, media_type=_JSON)

    async def problem(self, request: Request) -> Response:
        """What a kind of problem means."""
        kind = problems.KINDS.get(request.path_params["name"])
        if kind is None:
            raise Refusal(problems.NOT_FOUND, "no kind of problem has this name")
        text = f"{kind.title} (status {kind.status})\n\n{kind.todo}\n"
        return Response(text, media_type="text/plain")

    # --- every request ------------------------------------------------------------------------------------------------

    async def _caller(self, request: Request) -> Caller:
        try:
            caller = await self._callers.of(request.headers)
        except Refusal:
            if wait := self._limits.strangers.wait(client_of(request)):
                raise come_again(problems.TOO_MANY, "too many failed to sign in from your address", wait) from None
            raise
        if wait := self._limits.calls.wait(caller.credential):
            raise come_again(problems.TOO_MANY, "more requests than this key or client may make", wait)
        go_on(request.scope)
        return caller

    def _told(self, answer: Answer) -> Answer:
        """Every fault in problem details; nothing of a body reaches a log."""

        async def told(request: Request) -> Response:
            try:
                return await answer(request)
            except Refusal as refusal:
                return refusal.answer()
            except BodyTooLong as fault:
                return Refusal(problems.TOO_LONG, str(fault)).answer()
            except ClientDisconnect:
                return Refusal(problems.NOT_READABLE, "the body ended early").answer()
            except (DoorBusy, DoorClosed, LedgerUnavailable, KeysAway) as away:
                logger().warning("request.put_off", exc_info=away)
                return come_again(problems.UNAVAILABLE, "try again in a moment", _COME_AGAIN_SECONDS).answer()
            except Exception as fault:  # noqa: BLE001 -- told to the caller, and to the operators
                logger().error("request.failed", exc_info=fault)
                return Refusal(problems.BROKEN, "nothing was taken in, or all of it").answer()

        return told


async def _http_refusal(_request: Request, fault: Exception) -> Response:
    """What the router itself refuses."""
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    kind = {404: problems.NOT_FOUND, 405: problems.NO_SUCH_METHOD}.get(status, problems.NOT_READABLE)
    headers = fault.headers if isinstance(fault, HTTPException) else None
    return Refusal(kind, kind.title, headers=headers).answer()


def _taken(sound: Sound) -> TakenEvent:
    about = sound.about
    if about is not None and about.notice_id is not None:
        status = f"/v1/notices/{about.notice_id}"
    else:
        status = f"/v1/notices?source_ref={quote(str(sound.envelope.data['source_ref']), safe='')}"
    return TakenEvent(id=sound.envelope.id, type=sound.envelope.type, status=status)


def _counted(faults: int, events: int) -> str:
    return f"{faults} fault{'s' * (faults > 1)} in {events} event{'s' * (events > 1)}; nothing was taken in"


def _status(request: Request, found: str | None) -> Response:
    if found is None:
        detail = "no notice of yours; a request that was taken in becomes one when it is rendered, in a moment"
        raise Refusal(problems.NOT_FOUND, detail)
    status = NoticeStatus.model_validate_json(found)
    return _tagged(request, status, {"content-location": f"/v1/notices/{status.notice_id}"})


def _tagged(request: Request, resource: BaseModel, headers: dict[str, str] | None = None) -> Response:
    """The resource, or only that it is as the caller knows it already (RFC 9110 section 13.1.2)."""
    answer = _shown(resource, 200, headers)
    tag = f'"{sha256(bytes(answer.body)).hexdigest()[:32]}"'
    answer.headers.update({"etag": tag, "cache-control": "private, no-cache"})
    asked = request.headers.get("if-none-match", "")
    if tag in (part.strip().removeprefix("W/") for part in asked.split(",")) or asked.strip() == "*":
        kept = {
            name: answer.headers[name]
            for name in ("etag", "cache-control", "content-location")
            if name in answer.headers
        }
        return Response(status_code=304, headers=kept)
    return answer


def _shown(resource: BaseModel, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(resource.model_dump_json(), status, headers, _JSON)
