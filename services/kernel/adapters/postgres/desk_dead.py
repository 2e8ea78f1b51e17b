"""Dead letters at the desk: what failed, and what persons do with it. Every deed is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.kernel.adapters.postgres.connection import in_our_words
from services.kernel.adapters.postgres.desk_reads import Row, Rows
from services.kernel.runtime.desk import Word


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which failed items are meant; None leaves a property open. `since` is wall time."""

    failed_ids: tuple[UUID, ...] | None = None
    state: str | None = None
    worker: str | None = None
    type: str | None = None
    reason_contains: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mended:
    """A message put right, as it is to be sent; `routing_key` None: as before."""

    body: bytes
    type: str
    content_type: str
    headers: dict[str, str]
    routing_key: str | None = None


class DeadLetters(Rows):
    """Failed items, by choice."""

    async def dead_letters(self, chosen: Chosen, most: int) -> list[Row]:
        """Failed items, oldest first, with what a replay would meet."""
        ids = None if chosen.failed_ids is None else list(chosen.failed_ids)
        return await self._rows(
            "desk_dead", ids, chosen.state, chosen.worker, chosen.type, chosen.reason_contains, chosen.since, most
        )

    async def dead_letter_whole(self, failed_id: UUID) -> Row:
        """Body, headers and history of one failed item, and what persons did with it."""
        row = await self._one("desk_dead_body", failed_id)
        whole = {name: json.loads(row[name]) for name in ("headers", "history")}
        actions = await self._rows("desk_dead_actions", failed_id)
        return {"content_type": row["content_type"], "body": row["body"], **whole, "actions": actions}

    async def replay(self, failed_ids: Sequence[UUID], said: Word) -> int:
        """Make these due at once; how many were."""
        return await self._deed("desk_dead_replay", failed_ids, said)

    async def discard(self, failed_ids: Sequence[UUID], said: Word) -> int:
        """Give these up; how many were."""
        return await self._deed("desk_dead_discard", failed_ids, said)

    async def _deed(self, statement: str, failed_ids: Sequence[UUID], said: Word) -> int:
        action_ids = [self._ids.uuid7() for _ in failed_ids]
        async with in_our_words():
            return len(await self._all(statement, list(failed_ids), action_ids, said.by, said.reason))

    async def mend(self, failed_id: UUID, mended: Mended, said: Word) -> bool:
        """Replace the body, keeping what it was; False if there is nothing to mend any more."""
        async with in_our_words():
            return bool(
                await self._all(
                    "desk_dead_mend", failed_id, self._ids.uuid7(), said.by, said.reason, mended.body, mended.type,
                    mended.content_type, json.dumps(mended.headers), mended.routing_key,
                )
            )  # fmt: skip
