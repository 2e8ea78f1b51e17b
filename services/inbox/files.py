"""Downloads, from an origin of their own: no cookie, a link signed for a minute, and never anything but a download.

Standards: RFC 2104 (HMAC-SHA-256), RFC 6266 (`attachment`), CSP Level 3 (`sandbox`).
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from services.kernel.adapters.web.headers import SecurityHeaders
from services.kernel.adapters.web.limits import RateLimit, client_of
from services.kernel.ledger import LedgerRerun, LedgerUnavailable
from services.kernel.ledger.inbox import InboxLedger

SECONDS = 60
_NAME = re.compile(r"evidence-[0-9]{1,3}\.[a-z]{1,5}")
_EXPIRED = "This link is no longer valid. Go back to the notice and open the file again.\n"
_ERASED = "This file has been erased, as the retention rules say. What it was is known by its SHA-256.\n"
_HEADERS = {
    "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


@dataclass(slots=True)
class Links:
    """Makes and checks the signed links. `origin` is the second one, once it listens; `clock` is in seconds."""

    key: bytes = field(repr=False)
    origin: str = ""
    clock: Callable[[], float] = time.time

    def make(self, upload_id: UUID, name: str, size: int) -> str:
        """A link to a file, good for a minute."""
        until = int(self.clock()) + SECONDS
        signature = self._signature(str(upload_id), name, size, until)
        return f"{self.origin}/{upload_id}/{name}?size={size}&until={until}&signature={signature}"

    def opens(self, upload_id: str, name: str, query: dict[str, str]) -> bool:
        """Whether a link is ours and its minute is not over."""
        size, until = query.get("size", ""), query.get("until", "")
        if not (size.isascii() and size.isdigit() and until.isascii() and until.isdigit()) or len(size + until) > 40:  # noqa: PLR2004
            return False
        expected = self._signature(upload_id, name, int(size), int(until))
        given = query.get("signature", "").encode(errors="replace")
        return hmac.compare_digest(expected.encode(), given) and int(until) >= self.clock()

    def _signature(self, upload_id: str, name: str, size: int, until: int) -> str:
        said = f"{upload_id}/{name}/{size}/{until}".encode(errors="replace")
        return hmac.new(self.key, said, sha256).hexdigest()


def files_app(ledger: InboxLedger, links: Links, limit: RateLimit) -> ASGIApp:
    """The application of the second origin."""

    async def file(request: Request) -> Response:
        upload_id, name = request.path_params["upload_id"], request.path_params["name"]
        if seconds := limit.wait(client_of(request)):
            return PlainTextResponse("Too many requests.\n", 429, {"retry-after": str(round(seconds + 0.5))})
        if not _NAME.fullmatch(name) or not links.opens(upload_id, name, dict(request.query_params)):
            return PlainTextResponse(_EXPIRED, 404)
        headers = {
            **_HEADERS,
            "content-disposition": f'attachment; filename="{name}"',
            "content-length": request.query_params["size"],
        }
        async with ledger.open() as tx:  # before anything is answered: the database may be away
            first = await tx.part(UUID(upload_id), 1)
        if first is None and int(request.query_params["size"]):
            return PlainTextResponse(_ERASED, 410)
        parts = _parts(ledger, UUID(upload_id), first, int(request.query_params["size"]))
        return StreamingResponse(parts, media_type="application/octet-stream", headers=headers)

    async def refused(_request: Request, exc: Exception) -> Response:
        status = exc.status_code if isinstance(exc, HTTPException) else 503
        return PlainTextResponse("Not here.\n" if status < 500 else "Try again later.\n", status)  # noqa: PLR2004

    handlers = {HTTPException: refused, LedgerUnavailable: refused, LedgerRerun: refused}
    app = Starlette(routes=[Route("/{upload_id}/{name}", file, methods=["GET"])], exception_handlers=handlers)
    app.router.redirect_slashes = False
    return SecurityHeaders(app)


async def _parts(ledger: InboxLedger, upload_id: UUID, part: bytes | None, left: int) -> AsyncIterator[bytes]:
    """The file, part by part from its first, `left` bytes; none is held while the browser takes its time."""
    number = 1
    while part is not None:
        yield part
        left -= len(part)
        if left <= 0:
            return
        number += 1
        async with ledger.open() as tx:
            part = await tx.part(upload_id, number)
