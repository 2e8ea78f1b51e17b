"""Fetching a provider's certificate: what is there, and nothing that is elsewhere, long, or away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.callbacks.fetch import fetch
from services.callbacks.providers.call import Refused, Unreachable


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that gives every request this answer; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/certificate.pem"


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_what_is_there_is_fetched() -> None:
    async with answering(answer("200 OK", b"certificate")) as url:
        assert await fetch(url) == b"certificate"


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
async def test_a_redirect_is_not_followed(status: str) -> None:
    async with (
        answering(answer("200 OK", b"theirs")) as theirs,
        answering(answer(status, b"", f"Location: {theirs}")) as url,
    ):
        with pytest.raises(Refused) as refused:
            await fetch(url)
    assert refused.value.status == 403


@pytest.mark.parametrize("given", [answer("404 Not Found"), answer("403 Forbidden"), answer("200 OK", b"x" * 100_000)])
async def test_what_is_not_there_or_too_long_is_no_certificate(given: bytes) -> None:
    async with answering(given) as url:
        with pytest.raises(Refused):
            await fetch(url)


@pytest.mark.parametrize("given", [answer("500 Internal Server Error"), answer("503 Away"), b"", b"not http\r\n\r\n"])
async def test_a_server_that_is_away_or_broken_is_asked_again_later(given: bytes) -> None:
    async with answering(given) as url:
        with pytest.raises(Unreachable):
            await fetch(url)


async def test_where_nobody_answers_the_call_may_come_again() -> None:
    async with answering(b"") as url:
        pass
    with pytest.raises(Unreachable):
        await fetch(url)
