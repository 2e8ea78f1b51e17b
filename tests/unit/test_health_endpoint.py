"""A worker's window tells whether it lives, whether it can work, and its figures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from services.kernel.runtime import health
from services.kernel.runtime.fault import Fault
from services.kernel.runtime.health import HealthEndpoint


class World:
    """What the checks see; a test changes it."""

    database = ""
    broker = ""
    hangs = False
    breaks = False

    async def ask_database(self) -> str:
        if self.hangs:
            await asyncio.Event().wait()
        return self.database

    async def ask_broker(self) -> str:
        if self.breaks:
            raise ConnectionResetError("amqp://duly:canary@broker")
        return self.broker


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def port(world: World) -> AsyncIterator[int]:
    registry = CollectorRegistry()
    Counter("duly_items", "Items settled.", registry=registry).inc(3)
    endpoint = HealthEndpoint({"database": world.ask_database, "broker": world.ask_broker}, registry)
    bound = await endpoint.start("127.0.0.1", 0)
    assert bound
    yield bound
    await endpoint.close()


async def ask(port: int, request: str | bytes) -> tuple[int, dict[str, str], str]:
    """Send a path (as a GET) or raw bytes; returns status, headers in lower case, body."""
    raw = request if isinstance(request, bytes) else f"GET {request} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    first, *rest = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    assert len(body.encode()) == int(headers["content-length"]) or raw.startswith(b"HEAD")
    return int(first.split()[1]), headers, body


async def test_a_living_worker_says_so(port: int) -> None:
    status, headers, body = await ask(port, "/healthz?probe=1")
    assert (status, json.loads(body)) == (200, {"alive": True})
    assert headers["content-type"] == "application/json"


async def test_ready_when_every_check_is(port: int) -> None:
    status, _, body = await ask(port, "/readyz")
    assert (status, json.loads(body)) == (200, {"ready": True, "checks": {"database": "ok", "broker": "ok"}})


async def test_not_ready_names_the_check_and_its_reason(port: int, world: World) -> None:
    world.database = "migration 7 is missing"
    status, _, body = await ask(port, "/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "checks": {"database": "migration 7 is missing", "broker": "ok"}}
    assert (await ask(port, "/healthz"))[0] == 200


async def test_a_check_that_hangs_is_a_reason(port: int, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
    world.hangs = True
    status, _, body = await ask(port, "/readyz")
    assert status == 503
    assert json.loads(body)["checks"]["database"] == "no answer in 0.05 s"


async def test_a_check_that_breaks_is_told_by_class_only(port: int, world: World) -> None:
    world.breaks = True
    status, _, body = await ask(port, "/readyz")
    assert status == 503
    assert json.loads(body)["checks"]["broker"] == "ConnectionResetError"
    assert "canary" not in body


async def test_metrics_are_those_of_the_given_registry(port: int) -> None:
    status, headers, body = await ask(port, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    assert "duly_items_total 3.0" in body
    assert "python_info" not in body


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"POST /healthz HTTP/1.1\r\n\r\n", 405),
        (b"DELETE /metrics HTTP/1.0\r\n\r\n", 405),
        (b"hello\r\n\r\n", 400),
        (b"GET /healthz SMTP/1.0\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000, 400),
        (b"HEAD /healthz HTTP/1.1\r\n\r\n", 200),
    ],
)
async def test_other_requests_get_a_clear_refusal(port: int, request_bytes: bytes, expected: int) -> None:
    status, _, body = await ask(port, request_bytes)
    assert status == expected
    assert bool(body) != request_bytes.startswith(b"HEAD")


async def test_a_silent_client_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REQUEST_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_no_port_means_no_window() -> None:
    endpoint = HealthEndpoint({}, CollectorRegistry())
    assert await endpoint.start("127.0.0.1", None) is None
    await endpoint.close()


async def test_a_taken_port_says_what_to_set(port: int) -> None:
    with pytest.raises(Fault, match="DULY_HEALTH_PORT"):
        await HealthEndpoint({}, CollectorRegistry()).start("127.0.0.1", port)
