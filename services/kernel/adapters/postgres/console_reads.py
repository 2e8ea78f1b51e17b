"""What only the console shows: `services.kernel.ledger.desk.ConsoleReads` on one connection."""

from __future__ import annotations

from services.kernel.adapters.postgres.desk_reads import Row, Rows
from services.kernel.ledger import Clock
from services.kernel.ledger.desk import NoticesWanted, Standing


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

    async def accesses(self, person: str | None, before: int | None, most: int) -> list[Row]:
        """See the port."""
        return await self._rows("console_accesses", person, before, most)
