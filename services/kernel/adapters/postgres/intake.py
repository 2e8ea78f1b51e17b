"""The port `services.kernel.ledger.intake.IntakeLedger` in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from uuid import UUID

from services.kernel.adapters.postgres.connection import in_our_words
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.postgres.queries import sql
from services.kernel.adapters.postgres.transaction import PostgresTransaction
from services.kernel.ledger.intake import KeptEvent, KnownEvent, Pair
from services.kernel.ports import Ids
from services.kernel.runtime.tracing import transaction


class IntakeTransaction(PostgresTransaction):
    """`services.kernel.ledger.intake.IntakeFacts` on one connection."""

    async def known_events(self, pairs: Sequence[Pair]) -> dict[Pair, KnownEvent]:
        """See the port."""
        sources, ids = [source for source, _ in pairs], [event_id for _, event_id in pairs]
        return {
            (row["source"], row["event_id"]): KnownEvent(
                row["body"],
                row["content_type"],
                json.loads(row["headers"]),
                row["type"],
                row["data_hash"],
                row["erased"],
            )
            for row in await self._all("intake_known", sources, ids)
        }

    async def keep_events(self, events: Sequence[KeptEvent]) -> int:
        """See the port."""
        rows = sorted(events, key=lambda event: (event.source, event.event_id))  # no two wait for each other in a ring
        columns = [[getattr(row, name) for row in rows] for name in KeptEvent.__dataclass_fields__]
        return len(await self._all("intake_keep", *columns))


class PostgresIntake(PostgresLedger):
    """A ledger with the door's own reads; it shares the pool of another."""

    @classmethod
    def beside(cls, ledger: PostgresLedger, ids: Ids) -> PostgresIntake:
        """The same database, through the same connections."""
        return cls(ledger.pool, ids)

    @asynccontextmanager
    async def begin_intake(self) -> AsyncIterator[IntakeTransaction]:
        """See the port."""
        with transaction():
            async with in_our_words(), self.pool.acquire() as connection, connection.transaction():
                yield IntakeTransaction(connection, self._ids)

    async def status_by_id(self, source: str, notice_id: UUID) -> str | None:
        """See the port."""
        return await self._text("intake_status", source, notice_id, None)

    async def status_by_reference(self, source: str, source_ref: str) -> str | None:
        """See the port."""
        return await self._text("intake_status", source, None, source_ref)

    async def root(self, day: date) -> str | None:
        """See the port."""
        return await self._text("intake_root", day)

    async def _text(self, statement: str, *arguments: object) -> str | None:
        async with in_our_words():
            found: str | None = await self.pool.fetchval(sql(statement), *arguments)
        return found
