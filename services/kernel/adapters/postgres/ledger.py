"""`services.kernel.ledger.Ledger` over a pool of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from services.kernel.adapters.postgres.connection import in_our_words, open_pool
from services.kernel.adapters.postgres.queries import sql
from services.kernel.adapters.postgres.transaction import PostgresTransaction
from services.kernel.ledger import Claim, InRun, Named, Rehearsed, Standing, Transaction
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

    async def come_again(self, consumer: str, claims: Sequence[Claim]) -> list[Standing | None]:
        """See the port."""
        columns = [[getattr(claim, name) for claim in claims] for name in Claim.__dataclass_fields__]
        async with in_our_words():
            rows = await self.pool.fetch(sql("come_again"), consumer, *columns)
        known = {row["number"]: _standing(row) for row in rows}
        return [known.get(number) for number, _ in enumerate(claims, 1)]

    async def rehearsal_again(self, named: Named) -> None:
        """See the port."""
        async with in_our_words():
            await self.pool.execute(sql("rehearsal_again"), *named)

    async def rehearsed(self, found: Mapping[Named, Rehearsed]) -> None:
        """See the port."""
        rows = [
            (*named, said.verdict.value, said.why, "\n".join(effect.replace("\n", " ") for effect in said.effects))
            for named, said in found.items()
        ]
        async with in_our_words():
            await self.pool.execute(sql("rehearsals_end"), *map(list, zip(*rows, strict=True)))

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


def _standing(row: asyncpg.Record) -> Standing:
    run = None if row["replays"] is None else InRun(row["replays"], row["begun"], row["ended"])
    return Standing(row["current"], row["superseded"], run)
