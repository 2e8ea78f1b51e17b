"""The secure inbox is stopped for two hours: exactly the deadlines that run out meanwhile move; the evidence says why.

Real processes. A trial's clock makes the two hours, and what the inbox last said in wall time is dated back by as much.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.notice import State
from tests.rig.notices import make
from tests.rig.rabbitmq import RabbitNode
from tests.rig.system import System

DUE = """UPDATE deadline SET due_at = legal_now() + $2::text::interval WHERE notice_id = $1 RETURNING due_at"""
INBOX = {
    "DULY_INBOX_PORT": "0", "DULY_OIDC_ISSUER": "http://127.0.0.1:9", "DULY_OIDC_CLIENT_ID": "inbox",
    "DULY_OIDC_CLIENT_SECRET": "not used: nobody signs in",
}  # fmt: skip


@pytest.fixture
async def duly(trial_database_url: str, rabbit_node: RabbitNode, tmp_path: Path) -> AsyncIterator[System]:
    rabbit_node.delete_all_queues()
    system = System(trial_database_url, rabbit_node.url, "smtp://127.0.0.1:9", tmp_path)
    yield system
    system.stop()


async def due(duly: System, ledger: PostgresLedger, when: str) -> UUID:
    """A served notice whose deadline runs out then, counted from now."""
    notice_id = (await make(ledger, State.SERVED, days_ago=21)).notice_id
    at = await duly.value(DUE, notice_id, when)
    await duly.value("UPDATE notice SET deadline_at = $2 WHERE notice_id = $1 RETURNING 1", notice_id, at)
    return notice_id


async def state(duly: System, notice_id: UUID) -> str:
    return str(await duly.value("SELECT state FROM notice WHERE notice_id = $1", notice_id))


async def lapsed(duly: System, notice_id: UUID) -> None:
    await duly.until("SELECT state FROM notice WHERE notice_id = $1", "lapsed", notice_id)


async def test_exactly_the_deadlines_that_ran_out_while_the_inbox_was_stopped_move(duly: System) -> None:
    ledger = await PostgresLedger.open(duly.database, SystemIds(), name="test")
    before = await due(duly, ledger, "-5 seconds")
    meanwhile = [await due(duly, ledger, when) for when in ("10 minutes", "1 hour", "119 minutes")]
    inbox = duly.spawn("inbox", **INBOX)
    await duly.ready(inbox)
    await duly.until("SELECT count(*) FROM inbox_up", 1)
    await duly.value("UPDATE inbox_up SET from_at = from_at - interval '1 day' RETURNING 1")  # up since yesterday
    assert await asyncio.to_thread(inbox.stop) == 0

    await duly.advance(hours=2)
    await duly.value("UPDATE inbox_up SET beat_at = beat_at - interval '2 hours' RETURNING 1")
    await duly.start("deadlines")
    await lapsed(duly, before)
    assert [await state(duly, notice_id) for notice_id in meanwhile] == ["served"] * 3, "what runs out meanwhile waits"

    await duly.ready(duly.spawn("inbox", **INBOX))
    for notice_id in meanwhile:
        await duly.until("SELECT deadline_version FROM notice WHERE notice_id = $1", 2, notice_id)
    after = await due(duly, ledger, "0 seconds")
    await lapsed(duly, after)

    assert [await state(duly, notice_id) for notice_id in meanwhile] == ["served"] * 3
    facts = await duly.fetch("SELECT notice_id, data FROM notice_event WHERE kind = 'deadline.extended'")
    assert {row["notice_id"] for row in facts} == set(meanwhile)
    for row in facts:
        fact = json.loads(row["data"])
        assert fact["reason"] == "the secure inbox was down when the deadline ran out"
        assert fact["inbox_down_from"] < fact["inbox_down_until"] < fact["due_at"]
    await ledger.close()
