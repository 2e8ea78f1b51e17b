"""The desk in PostgreSQL, one connection a command: the port `services.kernel.runtime.desk.Desk`, and the reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from services.kernel.adapters.postgres.connection import Link, connect, in_our_words
from services.kernel.adapters.postgres.desk_brakes import BrakeReads, BrakeTransaction
from services.kernel.adapters.postgres.desk_decisions import DecisionReads
from services.kernel.adapters.postgres.desk_letters import LetterReads, RunReads
from services.kernel.adapters.postgres.desk_reads import DeskReads
from services.kernel.adapters.postgres.desk_subject import SubjectReads
from services.kernel.adapters.postgres.letter_acts import LetterActs
from services.kernel.adapters.postgres.queries import sql
from services.kernel.adapters.postgres.retention import RetentionActs, RetentionReads
from services.kernel.domain.holds import Hold, HoldKind
from services.kernel.ledger import LedgerUnavailable
from services.kernel.ports import Ids
from services.kernel.runtime.desk import SanctionCase, Word
from services.kernel.runtime.fault import Fault
from services.kernel.runtime.tracing import transaction


class DeskTransaction(BrakeTransaction, LetterActs, RetentionActs):
    """`services.kernel.runtime.desk.DeskFacts` on one connection, and the brakes."""

    async def hold(self, hold_id: UUID) -> tuple[UUID, Hold] | None:
        """See the port."""
        rows = await self._all("desk_hold", hold_id)
        if not rows:
            return None
        values = dict(rows[0].items())
        notice_id = values.pop("notice_id")
        return notice_id, Hold(**{**values, "kind": HoldKind(values["kind"])})

    async def sanction_case(self, sanction_id: UUID) -> SanctionCase | None:
        """See the port."""
        rows = await self._all("desk_sanction_case", sanction_id)
        return SanctionCase(**dict(rows[0].items())) if rows else None

    async def sign_sanction(self, sanction_id: UUID, decided_by: str, approved_by: str | None) -> None:
        """See the port."""
        await self._connection.execute(sql("desk_sanction_sign"), sanction_id, decided_by, approved_by)

    async def decline_sanction(self, sanction_id: UUID, said: Word) -> None:
        """See the port."""
        await self._connection.execute(sql("desk_sanction_decline"), sanction_id, said.by, said.reason)

    async def suppress(self, address: str, said: Word) -> bool:
        """Write to this address (lower case) no more; whether that is new."""
        return bool(await self._all("desk_address_suppress", address, f"{said.reason} ({said.by})"))

    async def release_address(self, address: str) -> bool:
        """Write to this address again; whether it was suppressed."""
        return bool(await self._all("desk_address_release", address))

    async def add_webhook(self, source: str, url: str, by: str) -> None:
        """Tell this upstream by webhook from now on, or elsewhere than until now."""
        await self._connection.execute(sql("desk_webhook_add"), source, url, by)

    async def remove_webhook(self, source: str) -> tuple[bool, int]:
        """Tell this upstream by webhook no more: whether it was, and how many events it is owed no more.

        In two statements: what others add meanwhile is there for the second.
        """
        was = bool(await self._all("desk_webhook_remove", source))
        return was, len(await self._all("desk_webhook_forget", source))

    async def tell(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Leave messages, by type and body, for `relay` to publish."""
        types, bodies = [kind for kind, _ in messages], [body for _, body in messages]
        await self._connection.execute(sql("desk_outbox"), types, bodies)


class PostgresDesk(DeskReads, BrakeReads, DecisionReads, LetterReads, RunReads, RetentionReads, SubjectReads):
    """One connection: transactions for acts, statements for reads."""

    def __init__(self, connection: Link, ids: Ids) -> None:
        super().__init__(connection, ids)
        self.ids = ids

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[DeskTransaction]:
        """See the port."""
        with transaction():
            async with in_our_words(), self._connection.transaction():
                yield DeskTransaction(self._connection, self.ids)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """All reads within the block see the same instant."""
        async with in_our_words(), self._connection.transaction(isolation="repeatable_read", readonly=True):
            yield


@asynccontextmanager
async def open_desk(url: str, ids: Ids) -> AsyncIterator[PostgresDesk]:
    """A desk on the database of this DSN, closed at the end of the block.

    Raises:
        Fault: the database cannot be reached, or it has no schema yet.
    """
    try:
        connection = await connect(url)
    except LedgerUnavailable as away:
        raise Fault(str(away), "DULY_DATABASE_URL", "start that database, or correct the setting") from away
    try:
        if not await connection.fetchval(sql("desk_ready")):
            raise Fault("the database has no schema yet", "", "duly migrate makes it")
        yield PostgresDesk(connection, ids)
    finally:
        await connection.close(timeout=5)


async def examine(url: str) -> dict[str, object]:
    """What a database server says of itself.

    Raises:
        LedgerUnavailable: with the place that was tried.
    """
    connection = await connect(url)
    try:
        row = await connection.fetchrow(sql("desk_doctor"))
        return dict(row.items()) if row else {}
    finally:
        await connection.close(timeout=5)
