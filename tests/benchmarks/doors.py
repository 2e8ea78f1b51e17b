"""Measure the doors: `python -m tests.benchmarks.doors [--requests N] [--runs N]`, also by `make bench`.

One door process, a real PostgreSQL with fsync on, a real RabbitMQ and the load, each a process, on one machine. First
as fast as the answers come; then at half that rate for the latencies. Side by side, in the same run, a handler that
only inserts each request as it is, a batch as one row (`bare_door.py`). What was answered with 2xx must be in the
database: what is missing is counted as lost.

Writes `var/bench/doors.json`, and prints a table (plain when piped).
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.progress import track

from services.cli import screen
from services.kernel.adapters.parts import LIBRARY
from services.kernel.adapters.postgres.migrate import migrate
from services.kernel.domain.verp import Keyring, envelope_sender, token
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode, server_or_skip
from tests.rig.system import CHECKOUT, KEYS, System

LATEST = CHECKOUT / "var" / "bench" / "doors.json"
CONNECTIONS = 64
BATCH = 50
_FEWEST = 600
"""Requests in a run: fewer have no hundredth part worth looking at."""
KEY = bytes(range(32))
API_KEY = "duly_bench_" + "0123456789abcdef" * 2 + "ABCDEFGH"
KEYRING = Keyring({"k1": bytes.fromhex(KEYS.partition(":")[2])}, "k1")
Requests = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Door:
    """A door under load: its worker, its settings, its requests, how many events each has, and where they must be."""

    name: str
    worker: str
    settings: dict[str, str]
    requests: Callable[[int], Iterator[bytes]]
    events: int
    stored: str


def http(path: str, body: bytes, *headers: str) -> bytes:
    """One raw request."""
    lines = (f"POST {path} HTTP/1.1", "Host: door.example", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def webhooks(number: int) -> Iterator[bytes]:
    """Permanent failures of a provider known by name, each signed, each with a token of ours."""
    for _ in range(number):
        sender = envelope_sender(token(uuid4(), KEYRING), "bounces.authority.example")
        told = {"id": str(uuid4()), "event": "failed", "recipient": "owner@business.example", "envelope_sender": sender}
        body, at = json.dumps(told).encode(), str(int(time.time()))
        made = "sha256=" + hmac.new(KEY, f"{at}.".encode() + body, sha256).hexdigest()
        yield http(
            "/callbacks/generic/bench",
            body,
            "Content-Type: application/json",
            f"Duly-Timestamp: {at}",
            f"Duly-Signature: {made}",
        )


def batches(number: int) -> Iterator[bytes]:
    """Facts about notices, fifty in a request."""
    for _ in range(number):
        events = [
            {
                "specversion": "1.0", "id": str(uuid4()), "source": "fees", "type": "obligation.satisfied.v1",
                "data": {"source_ref": f"fees/{uuid4()}", "kind": "payment"},
            }
            for _ in range(BATCH)
        ]  # fmt: skip
        yield http(
            "/v1/events",
            json.dumps(events).encode(),
            "Content-Type: application/cloudevents-batch+json",
            f"Authorization: Bearer {API_KEY}",
        )


DOORS = (
    Door(
        "verified webhooks", "callbacks",
        {"DULY_CALLBACK_PORT": "0", "DULY_CALLBACK_KEYS": f"bench:{KEY.hex()}", "DULY_CALLBACK_RATE": "1000000"},
        webhooks, 1, "SELECT count(*) FROM raw_evidence WHERE door = 'callback'",
    ),
    Door(
        "intake events", "intake",
        {"DULY_INTAKE_PORT": "0", "DULY_INTAKE_RATE": "1000000", "DULY_INTAKE_BURST": "1000000"},
        batches, BATCH, "SELECT count(*) FROM raw_evidence WHERE door = 'http'",
    ),
)  # fmt: skip


def library_with_key(folder: Path) -> Path:
    """Duly's own library, with an API key for the source `fees`."""
    copy = folder / "library"
    shutil.copytree(LIBRARY, copy)
    sources = copy / "sources.yaml"
    known = f"  fees:\n    api_keys: [{{ id: bench, sha256: {sha256(API_KEY.encode()).hexdigest()} }}]\n"
    sources.write_text(sources.read_text().replace("  fees:\n", known))
    return copy


def fire(port: int, requests: Requests, rate: float = 0) -> dict[str, Any]:
    """Load from a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.load", str(port), str(CONNECTIONS), str(rate)]
    raw = b"".join(struct.pack("!I", len(request)) + request for request in requests)
    done = subprocess.run(command, input=raw, capture_output=True, check=True, cwd=CHECKOUT)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def measured(port: int, make: Callable[[int], Iterator[bytes]], number: int, events: int) -> tuple[dict[str, Any], int]:
    """As fast as it goes, then at half that rate; the figures, and how many events were answered with 2xx."""
    flat = fire(port, list(make(number)))
    rate = number / flat["seconds"]
    half = fire(port, list(make(number // 2)), rate / 2)
    taken = sum(count for run in (flat, half) for status, count in run["statuses"].items() if status.startswith("2"))
    figures = {
        "per_second": round(rate * events),
        "p99_ms_at_half": half["percentiles"]["99"],
        "worst_ms_at_half": half["worst"],
        "statuses": [flat["statuses"], half["statuses"]],
    }
    return figures, taken * events


def bare(database: str, door: Door, number: int) -> dict[str, Any]:
    """The same requests to the handler that only inserts."""
    command = [sys.executable, "-m", "tests.benchmarks.bare_door", database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT) as process:
        assert process.stdout is not None
        try:
            return measured(int(process.stdout.readline()), door.requests, number, door.events)[0]
        finally:
            process.terminate()


@asynccontextmanager
async def system_on(server: PrivatePostgres, node: RabbitNode) -> AsyncIterator[tuple[System, Path]]:
    """A fresh database and an empty broker."""
    node.delete_all_queues()
    database = server.new_database()
    await migrate(database)
    with tempfile.TemporaryDirectory() as folder:
        system = System(database, node.url, "smtp://127.0.0.1:9", Path(folder))
        try:
            yield system, Path(folder)
        finally:
            system.stop()
            server.drop_database(database.partition("@/")[2].partition("?")[0])


async def one_run(server: PrivatePostgres, node: RabbitNode, door: Door, requests: int) -> dict[str, Any]:
    """The door and the bare handler, one after the other, on the same server."""
    number = max(requests // door.events, _FEWEST)
    async with system_on(server, node) as (system, folder):
        worker = system.spawn(door.worker, **door.settings, DULY_LIBRARY=str(library_with_key(folder)))
        await system.ready(worker)
        port = next(event["port"] for event in worker.events() if event["event"] == "door.opened")
        figures, taken = await asyncio.to_thread(measured, port, door.requests, number, door.events)
        figures["lost"] = taken - int(await system.value(door.stored))
        figures["bare"] = await asyncio.to_thread(bare, system.database, door, number)
    return figures


async def run(requests: int, runs: int) -> dict[str, Any]:
    """Several runs of each door; medians."""
    found: dict[str, list[dict[str, Any]]] = {door.name: [] for door in DOORS}
    with RabbitNode(server_or_skip()) as node:
        server = PrivatePostgres(fsync=True)
        server.start()
        try:
            for _ in track(range(runs), "measuring", disable=not screen.console().is_terminal):
                for door in DOORS:
                    found[door.name].append(await one_run(server, node, door, requests))
        finally:
            server.remove()
    return {
        "requests": requests,
        "doors": {name: {"median": medians(each), "runs": each} for name, each in found.items()},
    }


def medians(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The middle of each figure; of what is lost, the sum."""
    named = ("per_second", "p99_ms_at_half", "worst_ms_at_half")
    return {
        **{name: statistics.median(each[name] for each in runs) for name in named},
        "bare_per_second": statistics.median(each["bare"]["per_second"] for each in runs),
        "bare_p99_ms_at_half": statistics.median(each["bare"]["p99_ms_at_half"] for each in runs),
        "lost": sum(each["lost"] for each in runs),
    }


def show(figures: dict[str, Any]) -> None:
    """The medians as a table."""
    names = ("a second", "p99 ms at half", "worst", "bare a second", "bare p99 ms", "lost")
    screen.table(
        (screen.Column("door"), *(screen.Column(name, number=True) for name in names)),
        [
            (
                name, f"{m['per_second']:,.0f}", m["p99_ms_at_half"], m["worst_ms_at_half"],
                f"{m['bare_per_second']:,.0f}", m["bare_p99_ms_at_half"], m["lost"],
            )
            for name, m in ((name, each["median"]) for name, each in figures["doors"].items())
        ],
    )  # fmt: skip


def main() -> None:
    """Measure, keep, show."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=10_000, help="events in the first part of a run")
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    figures = asyncio.run(run(asked.requests, asked.runs))
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(json.dumps(figures, indent=2) + "\n")
    show(figures)


if __name__ == "__main__":
    main()
