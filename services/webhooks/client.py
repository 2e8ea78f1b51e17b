"""Posting over HTTP with httpx2: to addresses that were looked at, straight, without redirects, bounded in time.

A name is resolved once, every address that it has is judged, and the connection goes to one of those: a name cannot
point elsewhere between the judgement and the connection. Of an answer, the status and `Retry-After` are read.
Standards: RFC 9110, 8446, 6890.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpcore2
import httpx2

from services.kernel.runtime.fault import Exit, Fault
from services.webhooks.poster import Answer, Reach, url_fault
from services.webhooks.settings import WebhookSettings

_SIP = 4_096
"""So much of an answer's body is read: of a short one all, so that the connection may be used again."""
_SIP_SECONDS = 1.0
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is assigned to be reached (RFC 4291 section 2.4); the rest is of old or of local use."""


class AddressRefused(httpcore2.ConnectError):
    """The name leads to an address that must not be posted to."""


def permitted(reach: Reach, address: str) -> bool:
    """Whether this address may be posted to; what an IPv6 address stands for counts."""
    if reach is Reach.ANY:
        return True
    named = ipaddress.ip_address(address.partition("%")[0])
    if reach is Reach.LOOPBACK:
        return (getattr(named, "ipv4_mapped", None) or named).is_loopback
    meant = _meant(named)
    return meant.is_global and not meant.is_multicast and (meant.version == 4 or meant in _UNICAST)  # noqa: PLR2004


def _meant(named: _Address) -> _Address:
    """Where packets to this address may come out: there, or at the IPv4 address that it carries."""
    if isinstance(named, ipaddress.IPv4Address):
        return named
    if named in _NAT64:
        return ipaddress.IPv4Address(int(named) & 0xFFFFFFFF)
    return named.ipv4_mapped or named.sixtofour or named


class _Judging(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that may be posted to, and to no others."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address that answers.

        Raises:
            httpcore2.ConnectError: none does, or one of them must not be posted to.
            httpcore2.ConnectTimeout: none does in time.
        """
        addresses = await _addresses(host, port)
        if not all(permitted(self._reach, address) for address in addresses):
            raise AddressRefused(self._reach.value)
        for address in addresses[:-1]:
            with suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


async def _addresses(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError("unresolved") from error
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class _Transport(httpx2.AsyncHTTPTransport):
    """The library's transport over connections of ours."""

    def __init__(self, tls: ssl.SSLContext, reach: Reach) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, max_connections=None, keepalive_expiry=30, network_backend=_Judging(reach)
        )


class HttpPoster:
    """`services.webhooks.poster.Poster` over pooled connections.

    Args:
        connect: the most seconds for connecting.
        whole: the most seconds for a whole post.
        authorities: a PEM file of certificates to trust instead of the system's.
    """

    def __init__(self, *, connect: float, whole: float, authorities: Path | None = None) -> None:
        self._tls = ssl.create_default_context(cafile=authorities)
        self._times = httpx2.Timeout(whole, connect=connect)
        self._whole = whole
        self._clients: dict[Reach, httpx2.AsyncClient] = {}

    @classmethod
    def of(cls, settings: WebhookSettings) -> HttpPoster:
        """One as the settings say.

        Raises:
            Fault: the file of certificates cannot be read.
        """
        try:
            return cls(connect=settings.connect, whole=settings.whole, authorities=settings.authorities)
        except OSError as error:  # ssl.SSLError among them
            todo = "name a PEM file of certificates"
            raise Fault("no certificates can be read there", "DULY_WEBHOOK_CA", todo, code=Exit.USAGE) from error

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, reach: Reach) -> Answer:
        """See the port."""
        if fault := url_fault(url):
            return Answer(None, f"its URL cannot be used: {fault}")
        try:
            async with asyncio.timeout(self._whole):
                return await self._posted(self._client(reach), url, headers, body)
        except (TimeoutError, httpx2.TimeoutException) as late:
            connecting = isinstance(late, httpx2.ConnectTimeout)
            return Answer(None, "it could not be reached in time" if connecting else "it did not answer in time")
        except httpx2.HTTPError as error:
            return Answer(None, _failure(error))

    def _client(self, reach: Reach) -> httpx2.AsyncClient:
        if reach not in self._clients:
            self._clients[reach] = httpx2.AsyncClient(
                transport=_Transport(self._tls, reach), timeout=self._times, follow_redirects=False, trust_env=False
            )
        return self._clients[reach]

    async def _posted(self, client: httpx2.AsyncClient, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        async with client.stream("POST", url, headers=headers, content=body) as response:
            answer = Answer(response.status_code, "", _retry_after(response.headers))
            await _sip(response)
        return answer

    async def close(self) -> None:
        """See the port."""
        for client in self._clients.values():
            await client.aclose()


async def _sip(response: httpx2.Response) -> None:
    """Read a short body to its end; what was answered is answered, whatever becomes of it."""
    taken = 0
    with suppress(httpx2.HTTPError, TimeoutError):
        async with asyncio.timeout(_SIP_SECONDS):
            async for chunk in response.aiter_raw(_SIP):
                taken += len(chunk)
                if taken >= _SIP:
                    break


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds to wait, given as such or as a date (RFC 9110 section 10.2.3), which counts from the answer's own."""
    said = headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said[:9])
    try:
        until, now = (parsedate_to_datetime(date) for date in (said, headers.get("date", "")))
    except (ValueError, TypeError):
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now.replace(tzinfo=now.tzinfo or UTC)).total_seconds())


def _failure(error: Exception) -> str:
    """What went wrong, told by its kind alone."""
    for cause in _causes(error):
        if isinstance(cause, AddressRefused):
            return f"its name leads to an address outside of {cause}"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not to be trusted"
        if isinstance(cause, ssl.SSLError):
            return "no TLS connection came about"
        if isinstance(cause, socket.gaierror):
            return "its name cannot be resolved"
        if isinstance(cause, ConnectionRefusedError):
            return "it refused the connection"
    return "it could not be reached" if isinstance(error, httpx2.ConnectError) else "the connection broke"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
