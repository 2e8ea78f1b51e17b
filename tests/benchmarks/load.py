"""Load on an HTTP door, from a process of its own: `python -m tests.benchmarks.load PORT CONNECTIONS RATE < requests`.

Standard input has the requests, each as its length in four bytes and its raw bytes; standard output gets one JSON
object: statuses, seconds, and the latencies' percentiles in milliseconds. RATE 0: as fast as answers come; otherwise so
many a second, and a latency counts from when its request was due, so that a door that stalls cannot hide it.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections import Counter


class Client(asyncio.Protocol):
    """One keep-alive connection: a request out, its answer's status and latency in."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.answer: asyncio.Future[int] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) >= length and self.answer and not self.answer.done():
            self.buffer.clear()
            self.answer.set_result(int(head[9:12]))

    def connection_lost(self, _exc: Exception | None) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_result(0)

    async def ask(self, request: bytes) -> int:
        assert self.transport
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answer


async def fire(port: int, connections: int, rate: float, requests: list[bytes]) -> dict[str, object]:
    """Send all, each once; what came back."""
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(Client, "127.0.0.1", port))[1] for _ in range(connections)]
    waiting = iter(enumerate(requests))
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    began = time.perf_counter()

    async def work(client: Client) -> None:
        for number, request in waiting:
            due = began + number / rate if rate else time.perf_counter()
            if (left := due - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            statuses[await client.ask(request)] += 1
            latencies.append(time.perf_counter() - due)

    await asyncio.gather(*map(work, clients))
    seconds = time.perf_counter() - began
    latencies.sort()
    at = {p: round(latencies[min(len(latencies) - 1, len(latencies) * p // 100)] * 1000, 1) for p in (50, 95, 99)}
    return {"statuses": dict(statuses), "seconds": seconds, "percentiles": at, "worst": round(latencies[-1] * 1000, 1)}


def main() -> None:
    """Read the requests, then fire."""
    port, connections, rate = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    raw, requests, at = sys.stdin.buffer.read(), [], 0
    while at < len(raw):
        (length,) = struct.unpack_from("!I", raw, at)
        requests.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    print(json.dumps(asyncio.run(fire(port, connections, rate, requests))))  # noqa: T201 -- its answer


if __name__ == "__main__":
    main()
