"""What the desk shows: rows as they are, for screens and for JSON. No words of a notice, and no body, among them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date
from typing import TypeAlias
from uuid import UUID

from services.kernel.adapters.postgres import rows
from services.kernel.adapters.postgres.due import Statements
from services.kernel.adapters.postgres.queries import sql
from services.kernel.domain.chain import GENESIS, Fact
from services.kernel.domain.notice import Notice
from services.kernel.domain.proof import DayRoot

Row: TypeAlias = dict[str, object]
"""One record, by column."""

_ID = 16
_HEAD = _ID + 32


class Rows(Statements):
    """Statements whose rows are shown as they are."""

    async def _rows(self, statement: str, *arguments: object) -> list[Row]:
        return [dict(row.items()) for row in await self._all(statement, *arguments)]

    async def find(self, what: str, text: str) -> list[UUID]:
        """The ids that a text means: a whole id, or the end of one; of a `notice`, upstream's reference as well.

        `what` is notice, hold, sanction, batch, evidence, dead, run or edit. Three at most: more than one means that it
        is not clear.
        """
        return [row[0] for row in await self._all(f"desk_{what}_find", text)]


class DeskReads(Rows):
    """Lists and single records."""

    async def notices(
        self, *, state: str | None, regime: str | None, business: str | None, source_ref: str | None, most: int
    ) -> list[Row]:
        """Notices, newest first."""
        return await self._rows("desk_notices", state, regime, business, source_ref, most)

    async def notice(self, notice_id: UUID) -> Row:
        """Everything known about one notice, except its words. LookupError if there is none."""
        hot = dict((await self._one("desk_notice", notice_id)).items())
        parts = ("attempts", "deadlines", "sanctions", "evidence", "wait")
        shown = {part: await self._rows(f"desk_notice_{part}", notice_id) for part in parts}
        return {**hot, **shown, "holds": await self._rows("holds_of", notice_id)}

    async def holds(self, *, lifted: bool, kind: str | None, notice_id: UUID | None, most: int) -> list[Row]:
        """Open holds, oldest first; with `lifted`, all."""
        return await self._rows("desk_holds", lifted, kind, notice_id, most)

    async def sanctions(
        self, *, state: str | None, kind: str | None, most: int, sanction_id: UUID | None = None
    ) -> list[Row]:
        """Sanctions, newest first, with what the gate waits for."""
        return await self._rows("desk_sanctions", state, kind, sanction_id, most)

    async def raw_evidence(self, *, settled: bool, state: str | None, door: str | None, most: int) -> list[Row]:
        """Raw evidence that is open, oldest first; with `settled`, all."""
        return await self._rows("desk_evidence", settled, state, door, most)

    async def answer(self, evidence_id: UUID) -> Row | None:
        """An answer that came through the inbox, with its body; None if the evidence came by another door."""
        rows = await self._rows("desk_answer", evidence_id)
        return rows[0] if rows else None

    async def file_part(self, upload_id: UUID, number: int) -> bytes | None:
        """A part of a file that came with an answer; numbers begin at 1, None after the last."""
        found: list[bytes] = [row["bytes"] for row in await self._all("upload_part", upload_id, number)]
        return found[0] if found else None

    async def record_access(self, person: str, act: str, notice_id: UUID, detail: str) -> None:
        """Note who read what a business gave."""
        await self._connection.execute(sql("access_record"), "desk", person, act, True, None, notice_id, detail)

    async def sending(self) -> Row:
        """The sending brake."""
        return dict((await self._one("desk_sending")).items())

    async def addresses(self, *, like: str | None, most: int) -> list[Row]:
        """Suppressed addresses, newest first."""
        return await self._rows("desk_addresses", like, most)

    async def webhooks(self, source: str | None = None) -> list[Row]:
        """Who is told by webhook, with how much is owed, failing and delivered."""
        return await self._rows("desk_webhooks", source)

    async def count_notices(self) -> int:
        """How many notices there are."""
        return int((await self._one("desk_notice_count"))["notices"])

    async def notices_after(self, notice_id: UUID, most: int) -> list[Notice]:
        """The next notices in id order."""
        return [rows.notice(row) for row in await self._all("desk_chain_page", notice_id, most)]

    async def notices_named(self, notice_ids: Sequence[UUID]) -> list[Notice]:
        """These notices."""
        return [rows.notice(row) for row in await self._all("desk_chain_some", list(notice_ids))]

    async def chains(self, notice_ids: Sequence[UUID]) -> dict[UUID, list[Fact]]:
        """The evidence of these notices, first fact first. What a fact follows is the one stored before it."""
        found: dict[UUID, list[Fact]] = {notice_id: [] for notice_id in notice_ids}
        for row in await self._all("desk_chain_facts", list(notice_ids)):
            chain = found[row["notice_id"]]
            previous = chain[-1].digest if chain else GENESIS(row["notice_id"])
            values = {**dict(row.items()), "data": json.loads(row["data"]), "previous": previous}
            chain.append(Fact(**values))
        return found

    async def contents(self, notice_ids: Sequence[UUID]) -> dict[UUID, tuple[bytes, bool]]:
        """The hash of the words of these notices, and whether they were erased."""
        found = await self._all("desk_chain_contents", list(notice_ids))
        return {row["notice_id"]: (row["content_hash"], row["erased_at"] is not None) for row in found}

    async def orphans(self) -> list[UUID]:
        """Notices that have evidence and are not there; 100 at most."""
        return [row["notice_id"] for row in await self._all("desk_chain_orphans")]

    async def roots(self, days: Collection[date] | None = None) -> list[DayRoot]:
        """The roots of these days, or all, oldest first."""
        asked = None if days is None else list(days)
        return [
            DayRoot(row["day"], row["chains"], row["root"], _heads(row["heads"]))
            for row in await self._all("desk_roots", asked)
        ]


def _heads(kept: bytes) -> tuple[tuple[UUID, bytes], ...]:
    return tuple(
        (UUID(bytes=kept[at : at + _ID]), kept[at + _ID : at + _HEAD]) for at in range(0, len(kept) - _HEAD + 1, _HEAD)
    )
