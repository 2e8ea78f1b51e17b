"""The samples for Node in `deploy/samples/node` do what they say, against a real broker and the real door."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from schemas.catalogue import CATALOGUE
from schemas.cloudevents import read
from schemas.messages.outcomes import NoticeClosedV1
from services.kernel.adapters.broker import open_broker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.ports import Broker, Outgoing
from services.kernel.runtime.decision import announce
from services.webhooks.signing import signed
from tests.doors.conftest import serving
from tests.rig.intake import KEYS, Keeping, door
from tests.rig.rabbitmq import RabbitNode
from tests.rig.system import CHECKOUT

pytestmark = pytest.mark.asyncio(loop_scope="module")
SAMPLES = CHECKOUT / "deploy" / "samples" / "node"
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples with what their lock file names, installed."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("npm and node are not installed")
    copy = tmp_path_factory.mktemp("samples") / "node"
    shutil.copytree(SAMPLES, copy, ignore=shutil.ignore_patterns("node_modules"))
    install = ["npm", "ci", "--no-audit", "--no-fund", "--no-update-notifier", "--prefix", str(copy)]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return copy


@pytest_asyncio.fixture(loop_scope="module")
async def duly(rabbit_node: RabbitNode) -> AsyncIterator[Broker]:
    """Duly's own end of the broker, with its queues."""
    rabbit_node.delete_all_queues()
    broker = open_broker(rabbit_node.url, topology_of_catalogue(), "duly")
    await broker.connect()
    yield broker
    await broker.close()


@asynccontextmanager
async def node(folder: Path, *arguments: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One sample as a process, ended with the block."""
    pipe = asyncio.subprocess.PIPE
    environment = {**os.environ, **settings}
    process = await asyncio.create_subprocess_exec(
        "node", *arguments, cwd=folder, env=environment, stdout=pipe, stderr=pipe
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def finished(folder: Path, *arguments: str, **settings: str) -> tuple[int, list[dict[str, Any]], str]:
    """Run a sample to its end: exit status, its lines, its complaints."""
    async with node(folder, *arguments, **settings) as process, asyncio.timeout(60):
        out, said = await process.communicate()
    return process.returncode or 0, [json.loads(line) for line in out.splitlines()], said.decode()


async def line_of(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    async with asyncio.timeout(30):
        return (await stream.readline()).decode().strip()


async def test_what_is_published_over_amqp_is_confirmed_and_read_by_duly(
    folder: Path, duly: Broker, rabbit_node: RabbitNode
) -> None:
    code, lines, said = await finished(
        folder, "publish-amqp.mjs", "fees", "events.json", DULY_BROKER_URL=rabbit_node.url
    )
    assert (code, [line["confirmed"] for line in lines]) == (0, [True, True]), said
    for queue, line in zip(("duly.renderer", "duly.intake"), lines, strict=True):
        subscription = await duly.subscribe(queue, prefetch=1)
        (delivery,) = await subscription.take(1, 10.0)
        event = read(delivery.body, delivery.content_type, delivery.headers)
        assert (event.id, event.source, delivery.message_id, delivery.user_id) == (
            line["id"],
            "fees",
            event.id,
            "guest",
        )
        CATALOGUE[event.type].model.model_validate(event.data)
        await subscription.settle([delivery])


@pytest.mark.usefixtures("duly")
async def test_what_no_queue_takes_is_told_as_not_confirmed(folder: Path, rabbit_node: RabbitNode) -> None:
    rabbit_node.delete_queue("duly.intake")
    code, lines, _ = await finished(folder, "publish-amqp.mjs", "fees", "events.json", DULY_BROKER_URL=rabbit_node.url)
    assert (code, [line["confirmed"] for line in lines]) == (1, [True, False])


async def test_what_duly_tells_is_heard_over_amqp(folder: Path, duly: Broker, rabbit_node: RabbitNode) -> None:
    closed = NoticeClosedV1(notice_id=uuid4(), source_ref="fees/1", reason="no sanction follows")
    told = announce("notice.closed.v1", closed, event_id="closed-1", notice_id=closed.notice_id, sequence=3, to="fees")
    async with node(folder, "consume-amqp.mjs", "fees.notices", "1", DULY_BROKER_URL=rabbit_node.url) as consumer:
        assert await line_of(consumer.stderr) == "consuming"
        assert await duly.publish([Outgoing(1, told.type, told.body)]) == {1}
        heard = json.loads(await line_of(consumer.stdout))
        async with asyncio.timeout(20):
            assert await consumer.wait() == 0
    assert heard == {
        "id": "closed-1", "type": "notice.closed.v1", "sequence": "3", "notice_id": str(closed.notice_id),
        "source_ref": "fees/1",
    }  # fmt: skip


async def test_what_is_published_over_http_is_committed(folder: Path, ledger: PostgresLedger) -> None:
    async with serving(door(ledger, Keeping())) as url:
        settings = {"DULY_URL": url, "DULY_API_KEY": KEYS["fees"]}
        code, lines, said = await finished(folder, "publish-http.mjs", "fees", "events.json", **settings)
        refused, nothing, faults = await finished(folder, "publish-http.mjs", "registry", "events.json", **settings)
    assert (code, [line["type"] for line in lines]) == (0, ["notice.requested.v1", "obligation.satisfied.v1"]), said
    kept = await ledger.pool.fetch("SELECT event_id FROM intake_event")
    assert {row["event_id"] for row in kept} == {line["id"] for line in lines}
    assert (refused, nothing) == (1, [])
    assert "/0/source: you speak for fees alone" in faults


async def test_a_webhook_that_duly_signed_is_dealt_with_once_and_any_other_refused(folder: Path) -> None:
    event = {"id": "closed:1.5", "type": "notice.closed.v1", "sequence": "3", "data": {"source_ref": "fees/1"}}
    body, now = json.dumps(event).encode(), datetime.now(UTC)
    sound = signed([b"old" * 10, KEY], event["id"], now, body)
    stale = signed([KEY], event["id"], now - timedelta(minutes=6), body)
    forged = signed([b"x" * 32], event["id"], now, body)
    other_id = {**sound, "webhook-id": "another"}
    keys = {"DULY_WEBHOOK_KEYS": f"{'00' * 32},{KEY.hex()}", "PORT": "0"}
    async with node(folder, "receive-webhook.mjs", **keys) as receiver, httpx2.AsyncClient() as client:
        url = f"http://127.0.0.1:{(await line_of(receiver.stderr)).rpartition(' ')[2]}"
        tries = [(forged, body), (stale, body), (other_id, body), ({}, body), (sound, body + b" ")]
        tries += [(sound, body), (sound, body)]
        answers = [await client.post(url, content=sent, headers=headers) for headers, sent in tries]
        assert [answer.status_code for answer in answers] == [401] * 5 + [204] * 2
        receiver.terminate()
        out, _ = await receiver.communicate()
    (line,) = out.splitlines()
    assert json.loads(line) == {"id": event["id"], "type": event["type"], "sequence": "3", "source_ref": "fees/1"}


async def test_the_lock_file_names_no_registry() -> None:
    text = (SAMPLES / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in text
    assert "http" not in text
