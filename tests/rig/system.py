"""Duly as operators run it: each worker a process of its own, on a real broker, database and mail system."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from services.upstream import apublish

CHECKOUT = Path(__file__).parents[2]
WORKERS = ("intake", "renderer", "notifier", "bounces", "responses", "deadlines", "sanctions", "relay")
KEYS = "k1:00112233445566778899aabbccddeeff"
BRISK = {
    "DULY_RELAY_EVERY": "0.1", "DULY_DEADLINES_EVERY": "0.1", "DULY_MARK_EVERY": "0.2", "DULY_OUTBOX_GRACE": "0.5",
    "DULY_RESCUE_GRACE": "3", "DULY_HAND_OUT_AGAIN": "2", "DULY_LINGER": "0.005", "DULY_HEALTH_PORT": "0",
}  # fmt: skip


@dataclass
class Process:
    """One worker process; its log is a file, and readiness is asked of its own window."""

    worker: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def events(self) -> list[dict[str, Any]]:
        """Every log line so far."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def port(self) -> int | None:
        return next((event["port"] for event in self.events() if event["event"] == "worker.started"), None)

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def stop(self, seconds: float = 30) -> int:
        self.popen.send_signal(signal.SIGCONT)
        self.popen.terminate()
        return self.popen.wait(seconds)


@dataclass
class System:
    """Workers around one database, one broker, one mail system."""

    database: str
    broker: str
    smtp: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DULY_")}
        return {
            **kept, "DULY_DATABASE_URL": self.database, "DULY_BROKER_URL": self.broker, "DULY_SMTP_URL": self.smtp,
            "DULY_MAIL_FROM": "notices@authority.example", "DULY_BOUNCE_DOMAIN": "bounces.authority.example",
            "DULY_TOKEN_KEYS": KEYS, **BRISK, **self.settings,
        }  # fmt: skip

    def spawn(self, worker: str, *, program: Iterable[str] = (), tree: Path = CHECKOUT, **settings: str) -> Process:
        """Start one worker as a process; `program` replaces `-m services.<worker>`, `tree` is where its code lies."""
        log = self.folder / f"{worker}-{uuid4().hex[:8]}.log"
        command = [sys.executable, *(program or ("-m", f"services.{worker}"))]
        with log.open("wb") as out:
            popen = subprocess.Popen(
                command,
                cwd=tree,
                env={**self.environment(), **settings},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        process = Process(worker, popen, log)
        self.processes.append(process)
        return process

    def of(self, worker: str) -> list[Process]:
        return [process for process in self.processes if process.worker == worker and process.popen.poll() is None]

    async def start(self, *workers: str) -> None:
        """Start workers (all of them by default) and wait until each says that it can work."""
        await self.ready(*(self.spawn(worker) for worker in workers or WORKERS))

    async def ready(self, *processes: Process) -> None:
        await asyncio.gather(*(_ready(process) for process in processes))

    def stop(self) -> None:
        """End all, by their own ids."""
        for process in self.processes:
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGCONT)
                process.popen.terminate()
        for process in self.processes:
            try:
                process.popen.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    async def publish(self, *events: dict[str, Any]) -> tuple[str, ...]:
        """As upstream does: confirmed, or an error after twenty seconds."""
        return await apublish(events, url=self.broker, give_up_after=20)

    @asynccontextmanager
    async def sql(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.database)
        try:
            yield connection
        finally:
            await connection.close()

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self.sql() as connection:
            return await connection.fetch(query, *arguments)

    async def value(self, query: str, *arguments: Any) -> Any:
        async with self.sql() as connection:
            return await connection.fetchval(query, *arguments)

    async def advance(self, **by: float) -> None:
        """Move the trial database's legal clock."""
        interval = " ".join(f"{number} {unit}" for unit, number in by.items())
        await self.value("UPDATE trial_clock SET ahead = ahead + $1::text::interval RETURNING 1", interval)

    async def until(self, query: str, wanted: Any = True, *arguments: Any, seconds: float = 30) -> None:
        """Wait until a query gives what is wanted; says what it gave last."""
        async with self.sql() as connection:

            async def holds() -> bool:
                holds.last = await connection.fetchval(query, *arguments)  # type: ignore[attr-defined]
                return holds.last == wanted  # type: ignore[attr-defined]

            try:
                await until(holds, seconds)
            except TimeoutError:
                last = holds.last  # type: ignore[attr-defined]
                raise AssertionError(
                    f"after {seconds} s: {query} gave {last!r}, wanted {wanted!r}\n{self.complaints()}"
                ) from None

    async def state(self, source_ref: str) -> str | None:
        return await self.value("SELECT state FROM notice WHERE source_ref = $1", source_ref)

    async def until_state(self, source_ref: str, state: str, seconds: float = 30) -> None:
        await self.until("SELECT state FROM notice WHERE source_ref = $1", state, source_ref, seconds=seconds)

    def complaints(self) -> str:
        """The last warnings and errors of every worker, for a failing test's message."""
        told = [
            f"{process.worker}: {json.dumps(event)}"
            for process in self.processes
            for event in process.events()
            if event.get("level") in {"warning", "error"}
        ]
        raw = [
            f"{p.worker}: {line}"
            for p in self.processes
            for line in p.log.read_text().splitlines()[-5:]
            if not line.startswith("{")
        ]
        return "\n".join([*told[-15:], *raw[-20:]])


async def _ready(process: Process, seconds: float = 30) -> None:
    async def answers() -> bool:
        if process.popen.poll() is not None:
            raise AssertionError(
                f"{process.worker} ended with {process.popen.returncode}:\n{process.log.read_text()[-3000:]}"
            )
        port = process.port()
        return port is not None and await _readyz(port)

    await until(answers, seconds)


async def _readyz(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readline()
        writer.close()
    except OSError:
        return False
    return b" 200 " in head


async def until(holds: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Ask a fact of the outside again and again until it holds.

    Raises:
        TimeoutError: it does not within so many seconds.
    """
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 -- another process's fact: nothing here can be awaited
            await asyncio.sleep(0.05)


def fee_outstanding(ref: str, **more: Any) -> dict[str, Any]:
    """A request: the last notice before a registration is cancelled."""
    data = {
        "source_ref": ref, "regime": "aml-supervision", "notice_type": "fee-outstanding", "business_id": f"B-{ref}",
        "address": f"{ref}@business.example", "origin": "automatic",
        "values": {
            "business_name": "Harbour & Sons", "fee_amount": "300.00", "payment_reference": "PAY-1",
            "fee_due_on": "2026-10-01",
        },
    }  # fmt: skip
    return {"type": "notice.requested.v1", "source": "fees", "data": {**data, **more}}


def information_request(ref: str, **more: Any) -> dict[str, Any]:
    """A request for information by a caseworker."""
    data = {
        "source_ref": ref, "regime": "aml-supervision", "notice_type": "request-for-information-ownership",
        "business_id": f"B-{ref}", "address": f"{ref}@business.example", "origin": "manual", "requested_by": "R. Bevan",
        "values": {"business_name": "Harbour & Sons", "case_reference": "CASE-7"},
    }  # fmt: skip
    return {"type": "notice.requested.v1", "source": "caseworking", "data": {**data, **more}}


def paid(ref: str, **more: Any) -> dict[str, Any]:
    return {"type": "obligation.satisfied.v1", "source": "fees", "data": {"source_ref": ref, "kind": "payment", **more}}


def responded(ref: str, kind: str, source: str = "caseworking") -> dict[str, Any]:
    return {"type": "response.reported.v1", "source": source, "data": {"source_ref": ref, "kind": kind}}
