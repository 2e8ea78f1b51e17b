"""Limits before any work: the length of a body, and how often one client may come."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address, ip_network

from starlette.requests import ClientDisconnect, Request

_MOST_CLIENTS = 50_000
"""Remembered at a time; the one that came longest ago is forgotten first."""
_SUBSCRIBER = 64
"""Leading bits of an IPv6 address that one subscriber has (RFC 6177)."""
BODY_SECONDS = 60.0
"""Within which a body must have come whole: who dawdles keeps a place from others."""


class BodyTooLong(Exception):
    """The body is longer than this door takes; nothing of it was kept."""

    public = True


async def read_body(request: Request, most: int) -> bytes:
    """The raw body, `most` bytes of it at most, whatever the request claims of its length.

    Raises:
        BodyTooLong: it is longer; the rest is not read.
        starlette.requests.ClientDisconnect: the client went away before its end, or took too long.
    """
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and int(claimed) > most:
        raise BodyTooLong(f"more than {most} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise BodyTooLong(f"more than {most} bytes")
    except TimeoutError:
        raise ClientDisconnect from None
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
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv4Address):
        return host
    return str(address.ipv4_mapped or ip_network((int(address), _SUBSCRIBER), strict=False))
