"""The brakes at the desk: the switch, the cap, batches of what they hold, and what the gate would say."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from services.kernel.adapters.postgres.desk_reads import Row, Rows
from services.kernel.adapters.postgres.queries import sql
from services.kernel.adapters.postgres.transaction import PostgresTransaction
from services.kernel.domain.changes import GateWoken
from services.kernel.domain.gate import GateFacts
from services.kernel.domain.library import Library
from services.kernel.domain.notice import Notice
from services.kernel.ledger import SanctionRow
from services.kernel.runtime.desk import Word
from services.kernel.runtime.desk_brakes import BrakeBatch, SampleStanding, Verdict
from services.kernel.runtime.gate_policy import gate_policy


class BrakeTransaction(PostgresTransaction):
    """`services.kernel.runtime.desk_brakes.BrakeActs` on one connection."""

    async def stop_kind(self, kind: str, said: Word, *, stopped: bool) -> None:
        """Stop a kind of sanction, or let it go on and wake what waited for that.

        Every stop counts as a throwing of the switch, also of one that is on: it stops what was released before it.
        """
        if not stopped:
            await self._all("desk_brake_waits_lock", "stopped")
        await self.lock_brake(kind)
        await self._connection.execute(sql("desk_brake_stop"), kind, stopped, said.by, said.reason)
        if not stopped:
            await self.write([GateWoken(reason="stopped")])

    async def cap_kind(self, kind: str, cap: int | None, said: Word) -> None:
        """Set how many of a kind may fire in an hour; None: what the regime says."""
        await self._all("desk_brake_waits_lock", "cap_reached")
        await self.lock_brake(kind)
        await self._connection.execute(sql("desk_brake_cap"), kind, cap, said.by, said.reason)
        await self.write([GateWoken(reason="cap_reached")])

    async def stop_sending(self, said: Word) -> None:
        """Let no mail leave until a person releases it."""
        await self.set_sending_brake(said.reason, None, said.by)

    async def release_sending(self, said: Word) -> None:
        """Let mail leave again."""
        await self._connection.execute(sql("sending_brake_release"), said.reason, said.by)

    async def open_batch(self, kind: str) -> UUID | None:
        """See the port."""
        rows = await self._all("desk_batch_of_kind", kind)
        return rows[0]["batch_id"] if rows else None

    async def held_by_brake(self, kind: str) -> list[UUID]:
        """See the port."""
        return [row["sanction_id"] for row in await self._all("desk_batch_held", kind)]

    async def keep_batch(
        self, batch_id: UUID, kind: str, sanction_ids: list[UUID], sampled: tuple[int, ...], said: Word
    ) -> None:
        """See the port."""
        await self._connection.execute(
            sql("desk_batch_keep"), batch_id, kind, sanction_ids, list(sampled), said.by, said.reason
        )

    async def lock_batch(self, batch_id: UUID) -> BrakeBatch | None:
        """See the port."""
        rows = await self._all("desk_batch_lock", batch_id)
        return BrakeBatch(**dict(rows[0].items())) if rows else None

    async def sample_standing(self, batch_id: UUID) -> SampleStanding:
        """See the port."""
        rows = await self._all("desk_batch_standing", batch_id)
        return SampleStanding(
            drawn=len(rows),
            unjudged=tuple(row["number"] for row in rows if row["verdict"] is None),
            wrong=tuple(row["number"] for row in rows if row["verdict"] == "wrong"),
        )

    async def keep_judgement(self, batch_id: UUID, number: int, verdict: Verdict, said: Word) -> bool:
        """See the port."""
        return bool(await self._all("desk_batch_judge", batch_id, number, verdict, said.by, said.reason))

    async def lock_batch_waits(self, batch_id: UUID) -> None:
        """See the port."""
        await self._all("desk_batch_waits_lock", batch_id)

    async def say_of_batch(self, batch_id: UUID, word: Literal["release", "decline"], said: Word) -> int:
        """See the port."""
        told = await self._connection.execute(sql("desk_batch_say"), batch_id, word, said.by, said.reason)
        return int(told.rpartition(" ")[2])

    async def end_batch(self, batch_id: UUID, state: Literal["released", "rejected"], said: Word) -> None:
        """See the port."""
        await self._connection.execute(sql("desk_batch_end"), batch_id, state, said.by, said.reason)
        await self._connection.execute(sql("desk_batch_wake"), batch_id)


class BrakeReads(Rows):
    """Batches, changes of brakes, and the gate's facts as they stand."""

    async def brakes(self) -> list[Row]:
        """The brake of each kind of sanction that was ever used, with how many it alone holds."""
        return await self._rows("desk_brakes")

    async def brake_changes(self, *, kind: str | None, most: int) -> list[Row]:
        """What was done with the brakes, newest first; `kind` is None in a change of the brake on all mail."""
        return await self._rows("desk_brake_changes", kind, most)

    async def batches(self, *, state: str | None, most: int, batch_id: UUID | None = None) -> list[Row]:
        """Brake batches, open ones first."""
        return await self._rows("desk_batches", batch_id, state, most)

    async def batch_items(self, batch_id: UUID, *, sampled: bool, after: int = 0, most: int = 1000) -> list[Row]:
        """The cases of a batch, or its sample alone, by number."""
        return await self._rows("desk_batch_items", batch_id, sampled, after, most)

    async def judgements(self, batch_id: UUID, number: int) -> list[Row]:
        """All judgements of one case, first to last."""
        return await self._rows("desk_batch_judgements", batch_id, number)

    async def gate_facts_now(self, library: Library, notice: Notice) -> tuple[GateFacts, SanctionRow]:
        """What the gate would weigh for a notice at this instant. Nothing is locked, so the gate may find otherwise.

        Raises:
            NotInLibrary: the library does not have what the notice is.
        """
        reading = PostgresTransaction(self._connection, self._ids)
        return await reading.gate_facts(notice, notice.deadline_version or 0, gate_policy(library, notice))
