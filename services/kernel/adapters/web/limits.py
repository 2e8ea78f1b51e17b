"""Limits before any work: the length of a body, and how often one client may come."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request

_MOST_CLIENTS = 50_000
"""Remembered at a time; the one that came longest ago is forgotten first."""


class BodyTooLong(Exception):
    """The body is longer than this door takes; nothing of it was kept."""

    public = True


async def read_body(request: Request, most: int) -> bytes:
    """The raw body, `most` bytes of it at most, whatever the request claims of its length.

    Raises:
        BodyTooLong: it is longer; the rest is not read.
        starlette.requests.ClientDisconnect: the client went away before its end.
    """
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and int(claimed) > most:
        raise BodyTooLong(f"more than {most} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise BodyTooLong(f"more than {most} bytes")
    return bytes(body)


@dataclass(slots=True)
class RateLimit:
    """A bucket for each client: `burst` at once, `per_second` in the long run. One process counts for itself.

    `clock` is monotonic, in seconds.
    """

    per_second: float
    burst: float
    clock: Callable[[], float] = time.monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait(self, client: str) -> float:
        """Count one request of this client; 0 if it may pass, else the seconds until it may."""
        now = self.clock()
        left, at = self._left.pop(client, (self.burst, now))
        left = min(self.burst, left + (now - at) * self.per_second)
        passes = left >= 1
        self._left[client] = (left - 1 if passes else left, now)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return 0.0 if passes else (1 - left) / self.per_second


def client_of(request: Request) -> str:
    """Whom to count: the address, an IPv6 one by its /64, which is what one subscriber has."""
    host = request.client.host if request.client else "unknown"
    return ":".join(host.split(":")[:4]) if host.count(":") > 3 else host  # noqa: PLR2004 -- four groups are a /64
