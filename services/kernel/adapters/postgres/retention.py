"""The port `services.kernel.ledger.retention` in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg

from schemas.cloudevents import EnvelopeRefused, read
from services.kernel.adapters.postgres.connection import in_our_words
from services.kernel.adapters.postgres.desk_reads import Row, Rows
from services.kernel.adapters.postgres.due import Statements
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.postgres.queries import sql
from services.kernel.adapters.postgres.transaction import PostgresTransaction
from services.kernel.domain.chain import Json, NotCanonical, data_hash
from services.kernel.domain.gate import Reason
from services.kernel.ledger.retention import Kept, LegalHold, Looked, Piece
from services.kernel.ports import Ids

_PIECES = {"erase_words": "words", "erase_files": "file", "erase_requests": "request", "erase_told": "told"}
"""What each statement erases of a notice, by the kind that its chain tells."""
_NAMELESS = {
    "erase_nameless_callbacks": "callback", "erase_nameless_requests": "request", "erase_nameless_told": "told",
    "erase_nameless_failed": "failed", "erase_carried": "carried",
}  # fmt: skip


class RetentionStatements(Statements):
    """Everything that decides about erasing, and erasing itself."""

    async def erasing_turn(self) -> None:
        """See the port."""
        await self._all("retention_turn")

    async def enlist(self, most: int, days: int, regimes: Collection[str]) -> int:
        """See the port."""
        return len(await self._all("retention_enlist", most, days, list(regimes)))

    async def claim_retention(self, most: int) -> list[UUID]:
        """See the port."""
        return [row["notice_id"] for row in await self._all("retention_claim", most)]

    async def kept(self, notice_ids: Iterable[UUID]) -> dict[UUID, Kept]:
        """See the port."""
        return {row["notice_id"]: _kept(row) for row in await self._all("retention_facts", list(notice_ids))}

    async def erase(self, notice_ids: Sequence[UUID], at: datetime) -> dict[UUID, list[Piece]]:
        """See the port."""
        ids = list(notice_ids)
        rows = [(kind, row) for name, kind in _PIECES.items() for row in await self._all(name, ids, at)]
        rows += [("evidence", row) for row in await self._erase_evidence(await self._all("evidence_to_erase", ids), at)]
        failed = await self._all("erase_failed", ids, at)
        await self._connection.execute(sql("erase_edits"), [UUID(row["of"]) for row in failed], at)
        rows += [("failed", row) for row in failed]
        pieces: dict[UUID, list[Piece]] = {notice_id: [] for notice_id in ids}
        for kind, row in rows:
            pieces[row["notice_id"]].append(Piece(kind, row["of"], row["sha256"]))
        return pieces

    async def looked(self, looked: Sequence[Looked]) -> None:
        """See the port."""
        rows = [(each.notice_id, each.look_again_at, each.kept_until, "\n".join(each.kept_for), each.erased_at)
                for each in looked]  # fmt: skip
        if rows:
            await self._connection.execute(sql("retention_kept"), *map(list, zip(*rows, strict=True)))

    async def erase_nameless(self, most: int, days: int) -> dict[str, int]:
        """See the port."""
        found = await self._all("nameless_evidence", most, days)
        now = (await self._one("clock"))["legal"]
        erased = {"evidence": len(await self._erase_evidence(found, now))}
        for name, kind in _NAMELESS.items():
            rows = await self._all(name, most, days)
            if name == "erase_nameless_failed":
                await self._connection.execute(sql("erase_edits"), [row["failed_id"] for row in rows], now)
            erased[kind] = erased.get(kind, 0) + len(rows)
        return erased

    async def _erase_evidence(self, found: Sequence[asyncpg.Record], at: datetime) -> list[asyncpg.Record]:
        ids, hashes = [row["evidence_id"] for row in found], list(map(_hash_of_data, found))
        return await self._all("erase_evidence", ids, hashes, at)


class RetentionActs(PostgresTransaction, RetentionStatements):
    """`services.kernel.ledger.retention.RetentionActs` on one connection."""

    async def legal_hold_turn(self) -> None:
        """See the port."""
        await self._all("legal_hold_turn")

    async def legal_hold(self, legal_hold_id: UUID) -> LegalHold | None:
        """See the port."""
        rows = await self._all("desk_legal_holds", True, legal_hold_id, 1)
        return LegalHold(**dict(rows[0].items())) if rows else None

    async def place_legal_hold(self, hold: LegalHold) -> None:
        """See the port."""
        values = (hold.legal_hold_id, hold.notice_id, hold.regime, hold.matter, hold.business_id, hold.reason,
                  hold.placed_by, hold.placed_at)  # fmt: skip
        await self._connection.execute(sql("legal_hold_place"), *values)

    async def lift_legal_hold(self, hold: LegalHold) -> None:
        """See the port."""
        values = hold.legal_hold_id, hold.lifted_by, hold.lifted_at, hold.lift_reason
        await self._connection.execute(sql("legal_hold_lift"), *values)

    async def ask_erasure(self, notice_id: UUID, by: str, reason: str) -> None:
        """See the port."""
        await self._connection.execute(sql("retention_ask"), notice_id, by, reason)


class RetentionReads(Rows):
    """What the desk shows of retention."""

    async def legal_holds(self, *, lifted: bool, most: int) -> list[Row]:
        """Open legal holds, oldest first; with `lifted`, all."""
        return await self._rows("desk_legal_holds", lifted, None, most)

    async def legal_hold(self, legal_hold_id: UUID) -> LegalHold | None:
        """A legal hold."""
        rows = await self._all("desk_legal_holds", True, legal_hold_id, 1)
        return LegalHold(**dict(rows[0].items())) if rows else None

    async def legal_holds_of(self, notice_id: UUID) -> list[Row]:
        """Every legal hold that was ever on a notice, its matter or its business."""
        return await self._rows("desk_legal_holds_of", notice_id)

    async def exports(self, most: int) -> list[Row]:
        """Who asked for everything about a business, newest first."""
        return await self._rows("subject_exports", most)

    async def covered(self, legal_hold_id: UUID) -> int:
        """How many notices a legal hold is on by now."""
        return int((await self._one("desk_legal_hold_covers", legal_hold_id))["notices"])

    async def retention(
        self, *, reason: str | None, erased: bool, due: bool, business: str | None, most: int
    ) -> list[Row]:
        """What was found when content was looked at, the longest due first; without `erased`, what is still there."""
        return await self._rows("desk_retention", reason, erased, due, business, most)

    async def retention_of(self, notice_id: UUID) -> Row:
        """What is known of the content of one notice."""
        return dict((await self._one("desk_retention_of", notice_id)).items())


class ErasingTransaction(PostgresTransaction, RetentionStatements):
    """`services.kernel.ledger.retention.ErasingFacts` on one connection."""


class PostgresErasing(PostgresLedger):
    """A ledger that erases; it shares the pool of another."""

    @classmethod
    def beside(cls, ledger: PostgresLedger, ids: Ids) -> PostgresErasing:
        """The same database, through the same connections."""
        return cls(ledger.pool, ids)

    @asynccontextmanager
    async def begin_erasing(self) -> AsyncIterator[ErasingTransaction]:
        """See the port."""
        async with in_our_words(), self.pool.acquire() as connection, connection.transaction():
            yield ErasingTransaction(connection, self._ids)


def _kept(row: asyncpg.Record) -> Kept:
    values = {name: row[name] for name in Kept.__dataclass_fields__}
    for name in ("matter_running", "legal_holds"):
        values[name] = tuple(values[name])
    values["waiting"] = tuple(Reason(*text.split("\n", 1)) for text in row["waiting"])
    return Kept(**values)


def _hash_of_data(row: asyncpg.Record) -> bytes | None:
    """The hash of what an upstream said, by which the same event is known again; None where there is no such thing."""
    if not row["body"]:
        return None
    try:
        data = read(row["body"], row["content_type"], json.loads(row["headers"])).data
        return data_hash(cast("dict[str, Json]", data))
    except (EnvelopeRefused, NotCanonical):
        return None
