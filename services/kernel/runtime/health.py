"""A worker's small window: `/healthz` (alive), `/readyz` (can work, with reasons), `/metrics` (Prometheus).

A hundred lines instead of a web framework: it answers GET and HEAD on three paths, reads no body, and closes each
connection. Loopback unless told otherwise; nothing here says more than counts and names of checks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from services.kernel.runtime.fault import Fault

Check = Callable[[], Awaitable[str]]
"""Answers an empty string when the worker can work, as far as this check sees, else the reason in a few words."""

REQUEST_SECONDS = 5.0
CHECK_SECONDS = 2.0
_HEAD_BYTES = 8192
_JSON = "application/json"


class HealthEndpoint:
    """The window of one worker process.

    Args:
        checks: what must hold for the worker to be ready, by name.
        registry: this process's metrics.
    """

    def __init__(self, checks: Mapping[str, Check], registry: CollectorRegistry) -> None:
        self._checks = checks
        self._registry = registry
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int | None) -> int | None:
        """Listen; returns the port (a free one for 0), or None when `port` is None: then there is no window.

        Raises:
            Fault: the port is taken or the host is not ours.
        """
        if port is None:
            return None
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=_HEAD_BYTES)
        except OSError as error:
            todo = "set DULY_HEALTH_PORT to a free port (0: any) or DULY_HEALTH_HOST to an address of this machine"
            raise Fault("the health endpoint cannot listen", f"{host}:{port}", todo) from error
        bound: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return bound[1]

    async def close(self) -> None:
        """Stop listening. Never raises."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(OSError):
                await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(REQUEST_SECONDS + CHECK_SECONDS):
                method, path = await _request(reader)
                status, kind, body = await self._answer(method, path)
                writer.write(_response(status, kind, body, with_body=method != "HEAD"))
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _answer(self, method: str, path: str) -> tuple[HTTPStatus, str, bytes]:
        if not method:
            return HTTPStatus.BAD_REQUEST, _JSON, _json({"error": "not an HTTP request"})
        if method not in {"GET", "HEAD"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, _JSON, _json({"error": "only GET"})
        if path == "/healthz":
            return HTTPStatus.OK, _JSON, _json({"alive": True})
        if path == "/readyz":
            return await self._readiness()
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registry)
        return HTTPStatus.NOT_FOUND, _JSON, _json({"error": "here are /healthz, /readyz and /metrics"})

    async def _readiness(self) -> tuple[HTTPStatus, str, bytes]:
        reasons = await asyncio.gather(*(_ask(check) for check in self._checks.values()))
        told = {name: reason or "ok" for name, reason in zip(self._checks, reasons, strict=True)}
        ready = not any(reasons)
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return status, _JSON, _json({"ready": ready, "checks": told})


async def _ask(check: Check) -> str:
    """One check's reason; a check that hangs or breaks is a reason too, told by its class alone."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer in {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 -- whatever it is, the worker is not ready
        return type(error).__name__


async def _request(reader: asyncio.StreamReader) -> tuple[str, str]:
    """The method and path of a request; empty when it is none."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return "", ""
    parts = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # noqa: PLR2004 -- method, target, version
        return "", ""
    return parts[0], parts[1].partition("?")[0]


def _response(status: HTTPStatus, kind: str, body: bytes, *, with_body: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: GET, HEAD")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + (body if with_body else b"")


def _json(told: Mapping[str, object]) -> bytes:
    return json.dumps(told).encode() + b"\n"
