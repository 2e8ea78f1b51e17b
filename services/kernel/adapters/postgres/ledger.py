"""`services.kernel.ledger.Ledger` over a pool of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from services.kernel.adapters.postgres.connection import in_our_words, open_pool
from services.kernel.adapters.postgres.queries import sql
from services.kernel.adapters.postgres.transaction import PostgresTransaction
from services.kernel.ledger import Rehearsed, Rehearsing, Transaction
from services.kernel.ports import Ids
from services.kernel.runtime.tracing import transaction


class PostgresLedger:
    """The ledger in PostgreSQL 14 or later, read committed."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], ids: Ids) -> None:
        self.pool = pool
        self._ids = ids

    @classmethod
    async def open(cls, url: str, ids: Ids, *, name: str, most: int = 4) -> PostgresLedger:
        """Open a pool for one program.

        Raises:
            LedgerUnavailable: the database cannot be reached.
        """
        return cls(await open_pool(url, name=name, most=most), ids)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """See the port."""
        with transaction():
            async with in_our_words(), self.pool.acquire() as connection, connection.transaction():
                yield PostgresTransaction(connection, self._ids)

    @asynccontextmanager
    async def rehearse(self) -> AsyncIterator[Transaction]:
        """See the port."""
        async with in_our_words(), self.pool.acquire() as connection:
            undone = connection.transaction()
            await undone.start()
            try:
                yield PostgresTransaction(connection, self._ids)
            finally:
                await undone.rollback()

    async def rehearsal_begin(self, run_id: UUID, failed_id: UUID, *, again: bool) -> Rehearsing | None:
        """See the port."""
        async with in_our_words():
            row = await self.pool.fetchrow(sql("rehearsal_begin"), run_id, failed_id, int(again))
        return None if row is None else Rehearsing(**dict(row.items()))

    async def rehearsal_end(self, run_id: UUID, failed_id: UUID, rehearsed: Rehearsed) -> None:
        """See the port."""
        said = rehearsed.verdict.value, rehearsed.why, list(rehearsed.effects)
        async with in_our_words():
            await self.pool.execute(sql("rehearsal_end"), run_id, failed_id, *said)

    async def sent(self, outbox_ids: Sequence[int]) -> None:
        """See the port."""
        if outbox_ids:
            async with in_our_words():
                await self.pool.execute(sql("outbox_sent"), list(outbox_ids))

    async def begin_again(self, failed_id: UUID) -> None:
        """See the port."""
        async with in_our_words():
            await self.pool.execute(sql("failed_begin"), failed_id)

    async def ping(self) -> None:
        """See the port."""
        async with in_our_words():
            await self.pool.fetchval("SELECT 1")

    async def close(self) -> None:
        """Close the pool, however its connections are."""
        self.pool.terminate()
