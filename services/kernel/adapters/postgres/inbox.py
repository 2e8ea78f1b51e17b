"""`services.kernel.ledger.inbox` over a pool of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from services.kernel.adapters.postgres.connection import in_our_words
from services.kernel.adapters.postgres.queries import sql
from services.kernel.adapters.postgres.sessions import PeopleStatements
from services.kernel.adapters.postgres.transaction import PostgresTransaction
from services.kernel.domain.notice import State
from services.kernel.ledger.inbox import Answer, InboxTransaction, Listed, Opened, Upload, UploadDone
from services.kernel.ledger.people import ActsFor
from services.kernel.ports import Ids
from services.kernel.runtime.tracing import transaction

_LAST = UUID(int=(1 << 128) - 1)
_LISTED = tuple(Listed.__dataclass_fields__)


class PostgresInboxTransaction(PostgresTransaction, PeopleStatements):
    """`services.kernel.ledger.inbox.InboxTransaction` on one connection."""

    async def page(
        self, business_id: str, most: int, *, before: UUID | None = None, after: UUID | None = None
    ) -> list[Listed]:
        """See the port."""
        if after is not None:
            return [_listed(row) for row in await self._all("inbox_newer", business_id, after, most)][::-1]
        return [_listed(row) for row in await self._all("inbox_older", business_id, before or _LAST, most)]

    async def unread(self, business_id: str) -> int:
        """See the port."""
        return int((await self._one("inbox_unread", business_id))["unread"])

    async def message(self, notice_id: UUID, business_ids: Sequence[str]) -> Opened | None:
        """See the port."""
        rows = await self._all("inbox_message", notice_id, list(business_ids))
        if not rows:
            return None
        others = {name: value for name, value in rows[0].items() if name not in _LISTED}
        return Opened(_listed(rows[0]), **others)

    async def answers(self, notice_id: UUID, business_ids: Sequence[str]) -> list[Answer]:
        """See the port."""
        return [Answer(**dict(row.items())) for row in await self._all("inbox_answers", notice_id, list(business_ids))]

    async def file(self, notice_id: UUID, upload_id: UUID, business_ids: Sequence[str]) -> Upload | None:
        """See the port."""
        rows = await self._all("inbox_file", notice_id, upload_id, list(business_ids))
        return Upload(**dict(rows[0].items())) if rows else None

    async def begin_upload(
        self, upload_id: UUID, evidence_id: UUID, notice_id: UUID, number: int, shown_name: str, media_type: str
    ) -> None:
        """See the port."""
        values = upload_id, evidence_id, notice_id, number, shown_name, media_type
        await self._connection.execute(sql("upload_begin"), *values)

    async def add_part(self, upload_id: UUID, number: int, data: bytes) -> None:
        """See the port."""
        await self._connection.execute(sql("upload_part_add"), upload_id, number, data)

    async def part(self, upload_id: UUID, number: int) -> bytes | None:
        """See the port."""
        rows = await self._all("upload_part", upload_id, number)
        return rows[0]["bytes"] if rows else None

    async def complete_answer(self, evidence_id: UUID, body: bytes, uploads: Sequence[UploadDone]) -> bool:
        """See the port."""
        columns = (
            [each.upload_id for each in uploads],
            [each.size for each in uploads],
            [each.digest for each in uploads],
        )
        await self._connection.execute(sql("upload_complete"), *columns)
        return bool(await self._all("answer_complete", evidence_id, body))

    async def refuse_answer(self, evidence_id: UUID, why: str) -> None:
        """See the port."""
        await self._connection.execute(sql("answer_refuse"), evidence_id, why)

    async def businesses(self, most: int) -> list[ActsFor]:
        """See the port."""
        return [ActsFor(row["business_id"], row["name"]) for row in await self._all("inbox_businesses", most)]


class PostgresInbox:
    """`services.kernel.ledger.inbox.InboxLedger` over the pool of a ledger."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], ids: Ids) -> None:
        self._pool, self._ids = pool, ids

    @asynccontextmanager
    async def open(self) -> AsyncIterator[InboxTransaction]:
        """See the port."""
        async with in_our_words(), self._pool.acquire() as connection:
            yield PostgresInboxTransaction(connection, self._ids)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[InboxTransaction]:
        """See the port."""
        with transaction():
            async with in_our_words(), self._pool.acquire() as connection, connection.transaction():
                yield PostgresInboxTransaction(connection, self._ids)


def _listed(row: asyncpg.Record) -> Listed:
    values = {name: row[name] for name in _LISTED}
    return Listed(**{**values, "state": State(values["state"])})
