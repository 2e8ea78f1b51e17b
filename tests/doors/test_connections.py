"""Clients that dawdle or never come to the point: they are given up, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web import connections, limits
from services.kernel.adapters.web.limits import client_of, read_body
from services.kernel.adapters.web.server import WebWorker
from tests.doors.conftest import serving

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"


async def echo(request: Request) -> Response:
    try:
        return PlainTextResponse(await read_body(request, 1_000))
    except ClientDisconnect:
        return PlainTextResponse("too slow", 400)


async def refuse(_request: Request) -> Response:
    return PlainTextResponse("no", 403)


@pytest.fixture
async def door(ledger: PostgresLedger) -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/", echo, methods=["POST"]), Route("/no", refuse, methods=["POST"])])
    async with serving(WebWorker("test", app, ledger, "127.0.0.1", 0, "X")) as url:
        yield int(url.rpartition(":")[2])


async def told(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What a client is told that sends these and never hangs up itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(heard(reader))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
    except ConnectionError:
        pass
    finally:
        found = await asyncio.wait_for(answer, 5)
        writer.close()
    return found


async def heard(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server hangs up, however it does."""
    found = bytearray()
    try:
        while data := await reader.read(65_536):
            found += data
    except ConnectionError:
        pass
    return bytes(found)


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        (b"GET / HTTP/1.1\r\nX-Long: ", b"x" * 50_000),
        (b"GET /", b"x" * 50_000),
        (HEAD, b"X-Short: y\r\n" * 5_000),
        (CHUNKED + b"0\r\n", b"X-Trailer: y\r\n" * 5_000),
        (CHUNKED + b"1;", b"x" * 50_000),
    ],
    ids=["header", "url", "headers", "trailers", "chunk extension"],
)
async def test_what_has_no_end_is_cut_off_before_it_fills_the_memory(door: int, begun: bytes, more: bytes) -> None:
    answer = await told(door, begun, *[more] * 3)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "begun",
    [(), (b"GET / HT",), (HEAD,), (CHUNKED, b"0\r\nX: y"), (b"\r\n",)],
    ids=["nothing", "line", "head", "trailer", "empty line"],
)
async def test_who_does_not_come_to_the_point_is_given_up(
    door: int, begun: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SECONDS", 0.1)
    assert await told(door, *begun, pause=0.02) == b""


async def test_a_body_that_drips_is_given_up_and_its_rest_not_awaited(
    door: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.1)
    monkeypatch.setattr(connections, "_LINGER_SECONDS", 0.1)
    dripping = [HEAD + b"Content-Length: 500\r\n\r\n", *[b"x"] * 30]
    assert b"too slow" in await told(door, *dripping, pause=0.02)


async def test_who_is_answered_early_may_finish_and_ask_again(door: int) -> None:
    long = b"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n"
    again = HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi"
    answer = await told(door, long, b"x" * 300_000, again)
    assert answer.count(b"HTTP/1.1 403 ") == 1
    assert answer.endswith(b"hi")


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::1:2", "2001:db8::/64"),
        ("2001:db8:1::5", "2001:db8:1::/64"),
        ("2001:db8:1:0:5:6:7:8", "2001:db8:1::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_client_is_counted_by_its_64_however_it_is_written(host: str, client: str) -> None:
    assert client_of(Request({"type": "http", "client": (host, 1)})) == client
