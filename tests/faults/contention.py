"""Contention made on purpose: a sanction that waits for a notice's lock while its rival comes about.

For each notice: lock its row, publish the sanction's message twice, wait until a worker waits for that very lock, let
the rival become known, release. Whoever decides by what was true before the wait decides wrongly, every time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from schemas.messages.hops import DeadlinePassedV1, PassedDeadline
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.changes import Announced, Change, EvidenceStored
from services.kernel.domain.notice import Notice
from services.kernel.ports import Broker, Outgoing
from services.kernel.runtime.decision import announce
from services.kernel.runtime.publishing import publish_unsent
from tests.faults import builder
from tests.rig.system import until

AT_ONCE = 12
"""Notices whose rows are locked at the same time."""
PLANS = {
    "hold": ("hold",), "paid": ("payment",), "bounced": ("bounce",), "hold+bounced": ("hold", "bounce"),
    "paid+bounced": ("payment", "bounce"), "paid+hold": ("payment", "hold"), "free-bounced": (), "late-bounced": (),
}  # fmt: skip
"""What becomes known while the sanction waits. `free`: a bounce as the lock is released; `late`: after the sanction."""
_WAITING = """
    SELECT DISTINCT blocker FROM pg_stat_activity, unnest(pg_blocking_pids(pid)) AS blocker
    WHERE wait_event_type = 'Lock' AND application_name = 'duly sanctions' AND datname = current_database()
"""


@dataclass(frozen=True)
class Case:
    """One notice, its alert, and its rivals."""

    plan: str
    notice: Notice
    attempt_id: UUID


class Contention:
    """The test's own hands on the database and the broker."""

    def __init__(self, url: str, ledger: PostgresLedger, broker: Broker) -> None:
        self._url, self._ledger, self._broker = url, ledger, broker
        self._ids = SystemIds()

    async def build(self, run: str, plans: Sequence[str]) -> list[Case]:
        """As many lapsed notices as plans, in one transaction, and a mark that was committed after their deadlines."""
        async with self._ledger.begin() as tx:
            now = (await tx.clock()).legal
            built = [(plan, builder.lapsed(f"{run}-{plan}-{n}", now, self._ids)) for n, plan in enumerate(plans)]
            await tx.write([change for _, (_, _, changes) in built for change in changes])
            await tx.write([builder.mark(now, self._ids)])
        return [Case(plan, notice, attempt_id) for plan, (notice, attempt_id, _) in built]

    async def run(self, cases: Sequence[Case]) -> None:
        """Let every case happen, a dozen at a time."""
        waiting = iter(cases)
        async with self._lookout() as seen:
            await asyncio.gather(*(self._hands(waiting, seen) for _ in range(AT_ONCE)))

    async def _hands(self, cases: Iterator[Case], seen: Lookout) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            for case in cases:
                await self._contend(case, connection, seen)
        finally:
            await connection.close()

    async def _contend(self, case: Case, connection: asyncpg.Connection, seen: Lookout) -> None:
        notice_id = case.notice.notice_id
        async with connection.transaction():
            await connection.execute("SELECT FROM notice WHERE notice_id = $1 FOR UPDATE", notice_id)
            await self._sanction_twice(notice_id)
            await seen.waits_for(connection.get_server_pid())
            for rival in PLANS[case.plan]:
                await self._rival(rival, case, connection)
        if case.plan == "late-bounced":
            await _sanctioned(connection, notice_id)
        if case.plan in {"free-bounced", "late-bounced"}:
            await self._store(builder.bounce_of(case.attempt_id, case.notice.address, self._ids))

    async def _sanction_twice(self, notice_id: UUID) -> None:
        message = DeadlinePassedV1(deadlines=(PassedDeadline(notice_id=notice_id, version=1),))
        told = [announce("deadline.passed.v1", message, event_id=str(self._ids.uuid7())) for _ in range(2)]
        sent = await self._broker.publish([Outgoing(n, row.type, row.body) for n, row in enumerate(told)])
        assert sent == {0, 1}

    async def _rival(self, rival: str, case: Case, connection: asyncpg.Connection) -> None:
        if rival == "hold":
            await connection.execute(
                "INSERT INTO hold (hold_id, notice_id, kind, reason, placed_by, placed_at)"
                " VALUES ($1, $2, 'special_treatment', 'time to pay', 'R. Bevan', legal_now())",
                self._ids.uuid7(), case.notice.notice_id,
            )  # fmt: skip
        elif rival == "payment":
            await self._store(builder.payment_for(case.notice, self._ids))
        else:
            await self._store(builder.bounce_of(case.attempt_id, case.notice.address, self._ids))

    async def _store(self, changes: tuple[EvidenceStored, Announced]) -> None:
        """As a door does: the raw evidence is committed before its worker hears of it."""
        both: list[Change] = list(changes)
        async with self._ledger.begin() as tx:
            unsent = await tx.write(both)
        assert await publish_unsent(self._broker, self._ledger, unsent) == 1

    @asynccontextmanager
    async def _lookout(self) -> AsyncIterator[Lookout]:
        connection = await asyncpg.connect(self._url)
        seen = Lookout(connection)
        watching = asyncio.create_task(seen.watch())
        try:
            yield seen
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await connection.close()


class Lookout:
    """Tells when a sanctions worker waits for a lock that a given connection holds."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._seen: dict[int, asyncio.Event] = {}

    async def waits_for(self, pid: int, seconds: float = 60) -> None:
        event = self._seen[pid] = asyncio.Event()
        async with asyncio.timeout(seconds):
            await event.wait()

    async def watch(self) -> None:
        while True:
            for row in await self._connection.fetch(_WAITING):
                if row["blocker"] in self._seen:
                    self._seen[row["blocker"]].set()
            await asyncio.sleep(0.002)


async def _sanctioned(connection: asyncpg.Connection, notice_id: UUID) -> None:
    async def holds() -> bool:
        return await connection.fetchval("SELECT state FROM notice WHERE notice_id = $1", notice_id) == "sanctioned"

    await until(holds, 30)
