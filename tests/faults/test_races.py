"""Races: two processes each of `sanctions`, `bounces` and `responses`, and a rival to every sanction.

Judged by the database alone. The same race without the lock, and with facts read while locking, must be lost.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.kernel.adapters.broker import open_broker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from tests.faults.contention import PLANS, Contention
from tests.faults.race_judge import violations
from tests.rig.rabbitmq import RabbitNode
from tests.rig.system import CHECKOUT, Process, System

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
PATCHED = CHECKOUT / "tests" / "faults" / "patched_worker.py"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def duly(
    module_database: str, rabbit_node: RabbitNode, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """Everybody but `sanctions`, which each test brings itself."""
    rabbit_node.delete_all_queues()
    folder: Path = tmp_path_factory.mktemp("races")
    system = System(module_database, rabbit_node.url, "smtp://127.0.0.1:1", folder)
    try:
        await system.start("bounces", "bounces", "responses", "responses")
        yield system
    finally:
        system.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def contention(duly: System) -> AsyncIterator[Contention]:
    ledger = await PostgresLedger.open(duly.database, SystemIds(), name="rivals")
    broker = open_broker(duly.broker, topology_of_catalogue(), "duly rivals")
    await broker.connect()
    yield Contention(duly.database, ledger, broker)
    await broker.close()
    await ledger.close()


async def _two_sanctions(duly: System, *patch: str) -> list[Process]:
    program = [str(PATCHED), *patch, "sanctions"] if patch else ()
    processes = [duly.spawn("sanctions", program=program) for _ in range(2)]
    await duly.ready(*processes)
    return processes


async def _race(duly: System, contention: Contention, run: str, notices: int) -> list[str]:
    """Run so many cases, wait until nothing is left to do, and judge."""
    cases = await contention.build(run, list(itertools.islice(itertools.cycle(PLANS), notices)))
    await contention.run(cases)
    await duly.until("SELECT count(*) FROM raw_evidence WHERE state IN ('waiting', 'retrying')", 0)
    await duly.until(
        "SELECT count(*) FROM (SELECT subject FROM processed WHERE consumer = 'sanctions'"
        " UNION ALL SELECT subject FROM failed_item WHERE worker = 'sanctions') AS ended"
        " JOIN notice n ON n.notice_id = ended.subject WHERE n.source_ref LIKE $1 || '-%'",
        2 * notices, run,
    )  # fmt: skip
    async with duly.sql() as connection:
        return await violations(connection, run)


async def test_no_sanction_wins_against_a_bounce_a_payment_or_a_hold_that_came_while_it_waited_for_the_lock(
    duly: System, contention: Contention
) -> None:
    sanctions = await _two_sanctions(duly)
    try:
        assert await _race(duly, contention, "sound", 400) == []
        ends = await duly.fetch(
            "SELECT substring(source_ref from '-(.*)-') AS plan, state, count(*) FROM notice"
            " WHERE source_ref LIKE 'sound-%' GROUP BY 1, 2"
        )
        ended = {(row["plan"], row["state"]): row["count"] for row in ends}
        each = 400 // len(PLANS)
        assert ended["hold", "lapsed"] == each
        assert ended["paid", "satisfied"] == each
        assert ended["bounced", "unserved"] == ended["hold+bounced", "unserved"] == each
        assert ended["late-bounced", "sanctioned"] == each
        assert await duly.value("SELECT count(*) FROM reversal") >= each
        worked = {process.log.read_text().count("sanction.fired") > 0 for process in sanctions}
        assert worked == {True}, "one of the two processes fired nothing: there was no race"
    finally:
        for process in sanctions:
            process.stop()


@pytest.mark.parametrize("patch", ["--without-lock", "--facts-while-locking"])
async def test_the_same_race_is_lost_without_the_safeguard(patch: str, duly: System, contention: Contention) -> None:
    sanctions = await _two_sanctions(duly, patch)
    try:
        run = patch.strip("-").replace("-", "_")
        wrong = await _race(duly, contention, run, 40)
        assert sum("sanctioned though held" in each for each in wrong) >= 5, wrong
        assert sum("sanctioned though paid in time" in each for each in wrong) >= 5, wrong
        assert sum("sanctioned though its bounce was known" in each for each in wrong) >= 5, wrong
    finally:
        for process in sanctions:
            process.stop()
