"""What persons look at before they decide: sanctions that wait for them, and evidence as its door took it in."""

from __future__ import annotations

from uuid import UUID

from services.kernel.adapters.postgres.desk_reads import Row, Rows


class DecisionReads(Rows):
    """`services.kernel.ledger.decisions.DecisionReads`, as far as it is not read elsewhere."""

    async def sanctions_awaiting(self, most: int) -> list[Row]:
        """See the port."""
        return await self._rows("desk_sanctions_awaiting", most)

    async def evidence_one(self, evidence_id: UUID) -> Row | None:
        """See the port."""
        rows = await self._rows("desk_evidence_one", evidence_id)
        return rows[0] if rows else None

    async def evidence_body(self, evidence_id: UUID, most: int) -> bytes:
        """See the port."""
        return bytes((await self._one("desk_evidence_body", evidence_id, most))["body"])

    async def evidence_candidates(self, evidence_id: UUID) -> list[Row]:
        """See the port."""
        return await self._rows("desk_evidence_candidates", evidence_id)
