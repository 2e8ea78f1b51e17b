"""Workers as operators run them: stopped in good order, asked how they are, and given a mended message again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.catalogue import EXCHANGE
from services.kernel.adapters.broker import Topology, open_broker
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.desk import open_desk
from services.kernel.ports import Outgoing
from services.kernel.runtime.dead_letters import edits, runs
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.records import Kind
from services.kernel.runtime.desk import Word
from services.kernel.runtime.fault import Fault
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System, fee_outstanding, until

SAID, AGREED = Word("A. Lewis", "put right"), Word("B. Moore", "agreed")


@pytest.fixture
async def duly(
    trial_database_url: str, rabbit_node: RabbitNode, smtp_sink: SinkProcess, tmp_path: Path
) -> AsyncIterator[System]:
    rabbit_node.delete_all_queues()
    system = System(trial_database_url, rabbit_node.url, f"smtp://127.0.0.1:{smtp_sink.port}", tmp_path)
    yield system
    system.stop()


async def asked(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]


async def test_sigterm_finishes_what_is_in_work_and_loses_nothing(duly: System, smtp_sink: SinkProcess) -> None:
    smtp_sink.misbehave("dot", "250 2.0.0 taken", after=0.5)
    await duly.start("renderer", "notifier", "relay")
    refs = [f"n{number}" for number in range(60)]
    await duly.publish(*map(fee_outstanding, refs))
    await duly.until("SELECT count(*) > 0 FROM attempt WHERE state = 'sending'")
    notifier, renderer = duly.of("notifier")[0], duly.of("renderer")[0]
    assert await asyncio.to_thread(notifier.stop) == 0
    assert await asyncio.to_thread(renderer.stop) == 0
    assert await duly.value("SELECT count(*) FROM attempt WHERE state = 'sending'") == 0, "settled what was begun"
    assert len(smtp_sink.mails()) == await duly.value("SELECT count(*) FROM attempt WHERE state = 'accepted'")
    smtp_sink.behave()
    await duly.start("renderer", "notifier")
    await duly.until("SELECT count(*) FROM notice WHERE state = 'served'", len(refs))
    assert len(smtp_sink.mails()) == len(refs), "no mail twice"
    assert await duly.value("SELECT lost FROM conservation") == 0


async def test_a_worker_says_whether_it_lives_can_work_and_what_it_did(
    duly: System, postgres_server: PrivatePostgres
) -> None:
    await duly.start("renderer", "relay")
    ports = {process.worker: process.port() for process in duly.processes}
    database = duly.database.partition("@/")[2].partition("?")[0]
    await duly.publish(fee_outstanding("n"))
    await duly.until_state("n", "rendered")
    for port in ports.values():
        assert (await asked(port, "/healthz"))[0] == 200
        assert (await asked(port, "/readyz"))[0] == 200
    for worker, port in ports.items():
        assert f'duly_worker_started_timestamp_seconds{{worker="{worker}"}}' in (await asked(port, "/metrics"))[1]
    assert 'duly_items_total{worker="renderer"} 1.0' in (await asked(ports["renderer"], "/metrics"))[1]
    postgres_server.sql(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false', "postgres")
    away = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{database}'"
    postgres_server.sql(away, "postgres")
    await duly_says(ports["relay"], 503)
    assert (await asked(ports["relay"], "/healthz"))[0] == 200, "away is not dead"
    await duly.publish(fee_outstanding("meanwhile"))
    await duly_says(ports["renderer"], 503)
    postgres_server.sql(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true', "postgres")
    for port in ports.values():
        await duly_says(port, 200)
    await duly.until_state("meanwhile", "rendered")


async def duly_says(port: int, status: int) -> None:
    async def says() -> bool:
        return (await asked(port, "/readyz"))[0] == status

    await until(says, 20)


async def test_a_dead_letter_that_is_mended_and_replayed_is_done_once(duly: System) -> None:
    await duly.start("renderer", "relay")
    request = json.dumps({"specversion": "1.0", "id": "m", **fee_outstanding("mended")}).encode()
    broker = open_broker(duly.broker, Topology(exchange=EXCHANGE, queues=()), "upstream")
    try:
        assert await broker.publish([Outgoing(0, "notice.requested.v1", request[:-1], mandatory=True)]) == {0}
    finally:
        await broker.close()
    await duly.until("SELECT state FROM failed_item", "dead")
    (row,) = await duly.fetch("SELECT failed_id FROM failed_item")
    async with open_desk(duly.database, SystemIds()) as desk:
        edit = await edits.propose(desk, desk.ids, row["failed_id"], request, SAID)
        run = await edits.approve(desk, desk.ids, edit.edit_id, AGREED)
        await duly.until("SELECT state FROM replay_run", "finished")
        with pytest.raises(Fault, match="nothing is there for a replay"):
            await runs.begin(desk, desk.ids, Kind.REPLAY, Chosen(ids=(row["failed_id"],)), SAID)
        ended = await desk.run(run.run_id)
    assert ended is not None
    assert ended.outcomes == {"done": 1}
    assert await duly.value("SELECT state FROM failed_item") == "resolved"
    assert await duly.value("SELECT count(*) FROM notice WHERE source_ref = 'mended'") == 1
    assert await duly.value("SELECT array_agg(action ORDER BY at) FROM failed_item_action") == [
        "propose", "mend", "replay",
    ]  # fmt: skip
