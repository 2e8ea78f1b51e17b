"""Runs over dead letters on a real broker: they outlive `relay`, do each item once, and rehearse by real workers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.desk import open_desk
from services.kernel.runtime.dead_letters import runs
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.records import Kind
from services.kernel.runtime.desk import Word
from tests.rig.rabbitmq import RabbitNode
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System, fee_outstanding

IDS = SystemIds()
SAID = Word("O. Perator", "the cause is mended")
DEAD = Chosen(states=("dead",))
NUMBER = 1500


@pytest.fixture
async def duly(
    trial_database_url: str, rabbit_node: RabbitNode, smtp_sink: SinkProcess, tmp_path: Path
) -> AsyncIterator[System]:
    rabbit_node.delete_all_queues()
    system = System(trial_database_url, rabbit_node.url, f"smtp://127.0.0.1:{smtp_sink.port}", tmp_path)
    yield system
    system.stop()


async def let_die(duly: System, number: int) -> None:
    """Requests that failed for good, as `failed_item` keeps them."""
    columns = ("failed_id", "worker", "state", "source", "event_id", "type", "subject", "routing_key", "content_type",
               "headers", "body", "reason", "attempts", "history")  # fmt: skip
    async with duly.sql() as connection:
        now = await connection.fetchval("SELECT clock_timestamp()")
        await connection.copy_records_to_table(
            "failed_item",
            records=[(*_row(each), now, now) for each in range(number)],
            columns=[*columns, "created_at", "changed_at"],
        )


def _row(number: int) -> tuple[Any, ...]:
    event = {"specversion": "1.0", "id": str(uuid4()), **fee_outstanding(f"d{number}")}
    nobody = "00000000-0000-0000-0000-000000000000"
    kept = nobody, event["type"], "application/cloudevents+json", "{}", json.dumps(event).encode()
    known = "renderer", "dead", event["source"], event["id"], event["type"]
    return (IDS.uuid7(), *known, *kept, "KeyError at x.py:1", 7, "[]")


async def test_a_replay_goes_on_where_relay_was_killed_and_does_every_item_once(duly: System) -> None:
    await let_die(duly, NUMBER)
    await duly.start("renderer", "relay")
    async with open_desk(duly.database, IDS) as desk:
        run = await runs.begin(desk, IDS, Kind.REPLAY, DEAD, SAID, per_second=None)
        await duly.until("SELECT count(*) >= 100 FROM replay_item WHERE outcome = 'done'", True, seconds=60)
        [relay] = duly.of("relay")
        relay.kill()
        assert await duly.value("SELECT state FROM replay_run") == "running", "it was killed in the middle"
        await duly.start("relay")
        await duly.until("SELECT state FROM replay_run", "finished", seconds=120)
        ended = await desk.run(run.run_id)
    assert ended is not None
    assert ended.outcomes == {"done": NUMBER}
    assert await duly.value("SELECT count(*) FROM notice") == NUMBER
    assert await duly.value("SELECT count(*) FROM failed_item WHERE state = 'resolved'") == NUMBER
    assert await duly.value("SELECT count(*) FROM failed_item_action WHERE action = 'replay'") == NUMBER
    assert await duly.value("SELECT count(*) FROM outbox WHERE type = 'notice.accepted.v1'") == NUMBER
    assert await _unresolved(duly) == []


async def test_a_rehearsal_by_real_workers_changes_nothing(duly: System) -> None:
    await let_die(duly, 300)
    await duly.start("renderer", "relay")
    async with open_desk(duly.database, IDS) as desk:
        run = await runs.begin(desk, IDS, Kind.REHEARSAL, DEAD, SAID, per_second=None)
        await duly.until("SELECT state FROM replay_run", "finished", seconds=120)
        ended = await desk.run(run.run_id)
    assert ended is not None
    assert ended.outcomes == {"safe": 300}
    for table in ("notice", "outbox", "processed", "failed_item_action"):
        assert await duly.value(f"SELECT count(*) FROM {table}") == 0, table
    assert await duly.value("SELECT count(*) FROM failed_item WHERE state = 'dead' AND attempts = 7") == 300


async def _unresolved(duly: System) -> list[asyncpg.Record]:
    return await duly.fetch("SELECT failed_id, state, reason FROM failed_item WHERE state <> 'resolved'")
