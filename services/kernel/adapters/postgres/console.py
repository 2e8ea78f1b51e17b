"""The console's desk: one connection of a pool at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from services.kernel.adapters.postgres.connection import in_our_words
from services.kernel.adapters.postgres.console_reads import ConsoleReads
from services.kernel.adapters.postgres.desk import PostgresDesk
from services.kernel.ports import Ids


class PostgresConsoleDesk(PostgresDesk, ConsoleReads):
    """`services.console.ports.ConsoleDesk` on one connection."""


class PostgresDesks:
    """`services.console.ports.ConsoleDesks` over the pool of a ledger."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], ids: Ids) -> None:
        self._pool, self._ids = pool, ids

    @asynccontextmanager
    async def open(self) -> AsyncIterator[PostgresConsoleDesk]:
        """See the port."""
        async with in_our_words(), self._pool.acquire() as connection:
            yield PostgresConsoleDesk(connection, self._ids)
