"""What is due: the reads of `relay`, each claiming what it answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from uuid import UUID

import asyncpg

from services.kernel.adapters.postgres.connection import Link
from services.kernel.adapters.postgres.queries import sql
from services.kernel.ledger import FailedDue, Figure, Unsent, Waiting
from services.kernel.ports import Ids


class Statements:
    """One connection, and named statements on it."""

    def __init__(self, connection: Link, ids: Ids) -> None:
        self._connection = connection
        self._ids = ids

    async def _all(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        return await self._connection.fetch(sql(statement), *arguments)

    async def _one(self, statement: str, *arguments: object) -> asyncpg.Record:
        row = await self._connection.fetchrow(sql(statement), *arguments)
        if row is None:
            raise LookupError(f"{statement} found no row")
        return row


class RelayReads(Statements):
    """`services.kernel.ledger.RelayFacts` on one connection."""

    async def alone(self, what: str) -> bool:
        """See the port."""
        return bool((await self._one("alone", what))["alone"])

    async def unsent(self, most: int, grace: float) -> list[Unsent]:
        """See the port."""
        return [Unsent(**dict(row.items())) for row in await self._all("outbox_unsent", most, grace)]

    async def failed_due(self, most: int, again: float) -> list[FailedDue]:
        """See the port."""
        return [
            FailedDue(
                row["failed_id"],
                row["routing_key"],
                row["attempts"],
                row["content_type"],
                json.loads(row["headers"]),
                row["body"],
            )
            for row in await self._all("failed_due", most, again)
        ]

    async def begun(self, failed_id: UUID) -> int:
        """See the port."""
        return sum(row["begun"] for row in await self._all("failed_begun", failed_id))

    async def abandon_attempts(self, most: int) -> int:
        """See the port."""
        return int((await self._connection.execute(sql("attempts_abandon"), most)).rpartition(" ")[2])

    async def alerts_due(self, most: int, again: float) -> list[UUID]:
        """See the port."""
        return [row["notice_id"] for row in await self._all("attempts_due", most, again)]

    async def unalerted(self, most: int, grace: float) -> list[UUID]:
        """See the port."""
        return [row["notice_id"] for row in await self._all("notices_unalerted", most, grace)]

    async def evidence_unlooked(self, most: int, again: float) -> list[tuple[UUID, str]]:
        """See the port."""
        return [(row["evidence_id"], row["door"]) for row in await self._all("evidence_unlooked", most, again)]

    async def forsake_answers(self, most: int, after: float) -> list[UUID]:
        """See the port."""
        return [row["notice_id"] for row in await self._all("evidence_forsake", most, after)]

    async def waits_due(self, most: int, again: float) -> list[tuple[UUID, int]]:
        """See the port."""
        return [(row["notice_id"], row["version"]) for row in await self._all("gate_waits_due", most, again)]

    async def webhooks_due(self, most: int, again: float) -> dict[str, list[int]]:
        """See the port."""
        owed: dict[str, list[int]] = {}
        for row in await self._all("webhooks_due", most, again):
            if row["ready"]:
                owed.setdefault(row["source"], []).append(row["outbox_id"])
        return owed

    async def gate_waits(self) -> bool:
        """See the port."""
        return bool((await self._one("gate_waits_any"))["exists"])

    async def waiting(self) -> list[Waiting]:
        """See the port."""
        return [Waiting(**dict(row.items())) for row in await self._all("waiting")]

    async def figures(self) -> list[Figure]:
        """See the port."""
        return [Figure(**dict(row.items())) for row in await self._all("figures")]

    async def rootless_days(self, before: date) -> list[date]:
        """See the port."""
        return [row["day"] for row in await self._all("root_days", before)]

    async def heads(self, day: date) -> list[tuple[UUID, bytes]]:
        """See the port."""
        return [(row["notice_id"], row["digest"]) for row in await self._all("root_heads", day)]

    async def store_root(self, day: date, root: bytes, heads: Sequence[tuple[UUID, bytes]]) -> None:
        """See the port."""
        kept = b"".join(notice_id.bytes + digest for notice_id, digest in heads)
        await self._connection.execute(sql("root_store"), day, len(heads), root, kept)
