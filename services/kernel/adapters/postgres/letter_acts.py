"""Dead letters in PostgreSQL: the writes of `services.kernel.runtime.dead_letters.port.DeadLetterFacts`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from services.kernel.adapters.postgres.desk_letters import LetterReads, RunReads, arguments
from services.kernel.adapters.postgres.queries import sql
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.records import Edit, Kind, Run, Whole
from services.kernel.runtime.desk import Word


class LetterActs(LetterReads, RunReads):
    """On one connection, within a transaction."""

    async def dead_act(self, action: str, chosen: Chosen, act_id: UUID, said: Word) -> int:
        """See the port."""
        return await self._met(f"letters_{action}", *arguments(chosen), act_id, said.by, said.reason)

    async def dead_note(self, failed_id: UUID, act_id: UUID, said: Word) -> bool:
        """See the port."""
        return bool(await self._all("letter_act", act_id, failed_id, said.by, "note", said.reason))

    async def run_begin(
        self, run_id: UUID, kind: Kind, chosen: Chosen, said: Word, steps: Sequence[int], per_second: float | None
    ) -> int:
        """See the port."""
        begun = said.by, said.reason, chosen.words(), list(steps), per_second
        await self._met("run_begin", run_id, kind.value, *begun)
        number = await self._met("run_fill", *arguments(chosen), run_id, kind is Kind.REPLAY)
        if number:
            await self._met("run_count", run_id)
        return number

    async def run_locked(self, run_id: UUID) -> Run | None:
        """See the port."""
        return await self.run(run_id) if await self._all("run_lock", run_id) else None

    async def run_change(self, run_id: UUID, state: str, said: Word) -> None:
        """See the port."""
        await self._met("run_change", run_id, state, said.by, said.reason)
        if state == "cancelled":
            await self._met("run_give_up", run_id)

    async def dead_locked(self, failed_id: UUID) -> Whole | None:
        """See the port."""
        return await self.letter_whole(failed_id) if await self._all("letter_lock", failed_id) else None

    async def edit_locked(self, edit_id: UUID) -> tuple[Edit, bool] | None:
        """See the port."""
        rows = await self._all("edit_lock", edit_id)
        edit = await self.edit(edit_id)
        return (edit, bool(rows[0]["current"])) if rows and edit else None

    async def edit_propose(self, edit: Edit, headers: dict[str, str], act_id: UUID) -> bool:
        """See the port."""
        kept = edit.raw, edit.body, edit.content_type, json.dumps(headers), edit.proposed_by, edit.reason
        return bool(await self._all("edit_propose", edit.edit_id, edit.failed_id, *kept, act_id))

    async def edit_decide(self, edit: Edit, state: str, act_id: UUID, said: Word) -> None:
        """See the port."""
        await self._met("edit_close", edit.edit_id, state, said.by, said.reason, act_id)
        if state == "approved":
            await self._met("edit_apply", edit.edit_id)

    async def _met(self, statement: str, *values: object) -> int:
        """How many rows a statement met."""
        return int((await self._connection.execute(sql(statement), *values)).rpartition(" ")[2])
