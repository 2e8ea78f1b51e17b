"""`services.kernel.runtime.alive.Beats` over a pool of connections."""

from __future__ import annotations

import asyncpg

from services.kernel.adapters.postgres.connection import in_our_words
from services.kernel.adapters.postgres.queries import sql


class PostgresBeats:
    """Which workers live, in `worker_alive`."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def beat(self, worker: str, instance: str, version: str) -> None:
        """See the port."""
        async with in_our_words():
            await self._pool.execute(sql("worker_beat"), worker, instance, version)

    async def gone(self, worker: str, instance: str) -> None:
        """See the port."""
        async with in_our_words():
            await self._pool.execute(sql("worker_gone"), worker, instance)
