"""What only the console shows: `services.kernel.ledger.desk.ConsoleReads` on one connection."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.kernel.adapters.postgres.desk_reads import Row, Rows
from services.kernel.ledger import Clock, Figure, Waiting
from services.kernel.ledger.desk import AccessesWanted, NoticesWanted, Standing


class ConsoleReads(Rows):
    """Each is one statement."""

    async def clock(self) -> Clock:
        """See the port."""
        return Clock(**dict((await self._one("clock")).items()))

    async def standing(self) -> Standing:
        """See the port."""
        values = dict((await self._one("console_standing")).items())
        return Standing(trial=(await self.clock()).trial, **{**values, "stopped": tuple(values["stopped"])})

    async def notices_page(self, wanted: NoticesWanted, most: int) -> list[Row]:
        """See the port."""
        return await self._rows(
            "console_notices", wanted.state, wanted.regime, wanted.notice_type, wanted.business_id, wanted.source,
            wanted.held, wanted.before, wanted.after, most,
        )  # fmt: skip

    async def words(self, notice_id: UUID) -> Row | None:
        """See the port."""
        rows = await self._rows("console_words", notice_id)
        return rows[0] if rows else None

    async def accesses(self, wanted: AccessesWanted, most: int) -> list[Row]:
        """See the port."""
        return await self._rows(
            "console_accesses", wanted.person, wanted.notice_id, wanted.refused, wanted.before, most
        )  # fmt: skip

    async def waiting(self) -> list[Waiting]:
        """See the port."""
        return [Waiting(**dict(row.items())) for row in await self._all("waiting")]

    async def figures(self) -> list[Figure]:
        """See the port."""
        return [Figure(**dict(row.items())) for row in await self._all("figures")]

    async def throughput(self, kinds: Sequence[str], seconds: int, spans: int) -> dict[str, list[int]]:
        """See the port."""
        counts = {kind: [0] * spans for kind in kinds}
        for row in await self._all("console_throughput", list(kinds), seconds, spans):
            counts[row["kind"]][spans - 1 - min(row["ago"], spans - 1)] += row["number"]
        return counts

    async def workers(self) -> list[Row]:
        """See the port."""
        return await self._rows("console_workers")

    async def failing(self) -> list[Row]:
        """See the port."""
        return await self._rows("console_failing")

    async def open_holds(self) -> list[Row]:
        """See the port."""
        return await self._rows("console_holds")

    async def named(self, text: str, sources: Sequence[str], most: int) -> list[Row]:
        """See the port."""
        return await self._rows("console_named", text, list(sources), most)
