"""Workers say that they live for as long as they do; that they cannot say so keeps none from working."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.alive import PostgresBeats
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.runtime.alive import Alive, instance
from services.kernel.runtime.fault import Fault
from services.kernel.runtime.health import Check


async def ready() -> str:
    return ""


@dataclass
class Working:
    """Works until it is told to stop, or fails."""

    fails: bool = False
    checks: Mapping[str, Check] = field(default_factory=lambda: {"work": ready})
    name: str = "renderer"
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    done: bool = False

    async def run(self, stopping: asyncio.Event) -> None:
        self.begun.set()
        if self.fails:
            raise Fault("it cannot work")
        await stopping.wait()
        self.done = True


class Heard(PostgresBeats):
    """Lets a test wait for beats, whatever becomes of them."""

    def __init__(self, ledger: PostgresLedger, beats: int = 1) -> None:
        super().__init__(ledger.pool)
        self.left, self.enough = beats, asyncio.Event()

    async def beat(self, worker: str, instance: str, version: str) -> None:
        try:
            await super().beat(worker, instance, version)
        finally:
            self.left -= 1
            if self.left <= 0:
                self.enough.set()


async def listed(ledger: PostgresLedger) -> list[tuple[str, str]]:
    return [tuple(row) for row in await ledger.pool.fetch("SELECT worker, instance FROM worker_alive ORDER BY worker")]


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[PostgresLedger]:
    opened = await PostgresLedger.open(database_url, SystemIds(), name="test")
    yield opened
    await opened.close()


async def test_a_worker_is_listed_while_it_works_and_gone_when_it_has_ended(ledger: PostgresLedger) -> None:
    stopping, beats = asyncio.Event(), Heard(ledger)
    running = asyncio.create_task(Alive(Working(), beats, every=0.05).run(stopping))
    await asyncio.wait_for(beats.enough.wait(), 20)
    assert await listed(ledger) == [("renderer", instance())]
    stopping.set()
    await running
    assert await listed(ledger) == []


async def test_since_stays_while_it_beats_and_begins_anew_after_a_silence(ledger: PostgresLedger) -> None:
    beats, pool = PostgresBeats(ledger.pool), ledger.pool
    await beats.beat("relay", "pod:1", "0.1.0")
    since = await pool.fetchval("SELECT since FROM worker_alive")
    await beats.beat("relay", "pod:1", "0.1.0")
    assert await pool.fetchval("SELECT since FROM worker_alive") == since
    await pool.execute("UPDATE worker_alive SET beat_at = beat_at - interval '2 minutes'")
    await beats.beat("relay", "pod:1", "0.2.0")
    row = await pool.fetchrow("SELECT since > $1 AS anew, version FROM worker_alive", since)
    assert row is not None
    assert (row["anew"], row["version"]) == (True, "0.2.0")


async def test_who_fell_silent_a_day_ago_is_forgotten(ledger: PostgresLedger) -> None:
    beats = PostgresBeats(ledger.pool)
    await beats.beat("relay", "old:1", "0.1.0")
    await ledger.pool.execute("UPDATE worker_alive SET beat_at = beat_at - interval '25 hours'")
    await beats.beat("relay", "new:1", "0.1.0")
    assert await listed(ledger) == [("relay", "new:1")]


async def test_what_cannot_be_said_keeps_nobody_from_working(ledger: PostgresLedger) -> None:
    await ledger.pool.execute("DROP TABLE worker_alive")
    stopping, work, beats = asyncio.Event(), Working(), Heard(ledger, beats=3)
    running = asyncio.create_task(Alive(work, beats, every=0.01).run(stopping))
    await asyncio.wait_for(beats.enough.wait(), 20)
    stopping.set()
    await running
    assert work.done


async def test_the_fault_of_a_worker_is_its_own(ledger: PostgresLedger) -> None:
    with pytest.raises(Fault, match="it cannot work"):
        await Alive(Working(fails=True), PostgresBeats(ledger.pool)).run(asyncio.Event())
    assert await listed(ledger) == []


async def test_what_is_off_is_not_listed(ledger: PostgresLedger) -> None:
    stopping, work = asyncio.Event(), Working(checks={})
    running = asyncio.create_task(Alive(work, PostgresBeats(ledger.pool), every=0.01).run(stopping))
    await work.begun.wait()
    stopping.set()
    await running
    assert work.done
    assert await listed(ledger) == []
