"""A receiver of webhooks over real sockets, which answers as it is told and verifies signatures by the book.

The verification is written from the text of Standard Webhooks, not with Duly's own code.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

OK = "HTTP/1.1 204 No Content\r\n\r\n"


@dataclass(frozen=True)
class Got:
    """One request as it came."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    def verified_by(self, key: bytes) -> bool:
        """Whether one of the signatures is this key's."""
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        given = [part.partition(",") for part in self.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and hmac.compare_digest(text, wanted) for version, _, text in given)


@dataclass
class Receiver:
    """`answers` are given one by one, then 204 for ever; None: say nothing. Nothing is answered until `held` is set."""

    answers: list[str | None] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    on_request: Callable[[Got], None] = lambda _got: None
    serving: list[Any] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    port: int = 0
    tls: bool = False

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/events"

    def ids(self) -> list[str]:
        return [got.event["id"] for got in self.got]

    async def until(self, number: int, seconds: float = 10) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(seconds):
            while len(self.got) < number:  # noqa: ASYNC110 -- another task's list
                await asyncio.sleep(0.005)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.serving.append(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        got = Got(head[0].split(" ")[1], headers, body)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.got.append(got)
        try:
            self.on_request(got)
            answer = self.answers.pop(0) if self.answers else OK
            await self.held.wait()
        finally:
            self.at_once -= 1
        if answer is None:
            await reader.read()
            return False
        writer.write(answer.encode())
        await writer.drain()
        return True


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None, **how: Any) -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine, answering at once unless it is held."""
    receiver = Receiver(**how, tls=tls is not None)
    receiver.held.set()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in receiver.serving:
            task.cancel()
        await asyncio.gather(*receiver.serving)


@contextmanager
def receiving_beside() -> Iterator[Receiver]:
    """A receiver in a thread of its own, for commands that have a loop of their own."""
    opened: Future[tuple[Receiver, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def receive() -> None:
        async with receiving() as receiver:
            opened.set_result((receiver, asyncio.get_running_loop(), ends := asyncio.Event()))
            await ends.wait()

    thread = Thread(target=lambda: asyncio.run(receive()))
    thread.start()
    receiver, loop, ends = opened.result(10)
    yield receiver
    loop.call_soon_threadsafe(ends.set)
    thread.join(10)


def answer(status: int, *headers: str, body: str = "") -> str:
    lines = (f"HTTP/1.1 {status} Told", f"content-length: {len(body)}", *headers)
    return "\r\n".join(lines) + "\r\n\r\n" + body


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, in one file; it is its own authority."""
    file = folder / "receiver.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=receiver.test"
    )
    more = [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(folder / "key"),
        "-out",
        str(folder / "certificate"),
    ]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    file.write_bytes((folder / "certificate").read_bytes() + (folder / "key").read_bytes())
    return file
