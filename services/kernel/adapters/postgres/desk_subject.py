"""Everything that is kept about one business, as the desk reads it; in pages and one body at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from services.kernel.adapters.postgres.desk_reads import Row, Rows
from services.kernel.adapters.postgres.queries import sql

_PAGE = 500
_FIRST = UUID(int=0)


class SubjectReads(Rows):
    """What there is about a business."""

    async def subject_counts(self, business_id: str) -> Row:
        """How much there is of each kind."""
        return dict((await self._one("subject_counts", business_id)).items())

    async def subject_due(self, business_id: str, most: int) -> list[Row]:
        """Its notices, newest first, and until when their content is kept."""
        return await self._rows("subject_due", business_id, most)

    async def subject_notices(self, business_id: str) -> AsyncIterator[UUID]:
        """The ids of its notices, in order."""
        last = _FIRST
        while found := await self._all("subject_notices", business_id, last, _PAGE):
            for row in found:
                yield row["notice_id"]
            last = found[-1]["notice_id"]

    async def subject_accesses(self, business_id: str) -> AsyncIterator[Row]:
        """Who looked at what, in order."""
        last = 0
        while found := await self._rows("subject_accesses", business_id, last, _PAGE):
            for row in found:
                yield row
            last = int(str(found[-1]["access_id"]))

    async def subject_part(self, part: str, notice_id: UUID) -> list[Row]:
        """One part of what is kept about a notice.

        `part` is words, evidence, files, told, requests, failed or retention.
        """
        return await self._rows(f"subject_{part}", notice_id)

    async def evidence_as_it_came(self, evidence_id: UUID) -> bytes:
        """What a door took in, as it came; empty once it is erased."""
        body: bytes = (await self._one("subject_evidence_body", evidence_id))["body"]
        return body

    async def subject_legal_holds(self, business_id: str) -> list[Row]:
        """Every legal hold that was ever on it, or on a matter or a notice of it."""
        return await self._rows("subject_legal_holds", business_id)

    async def record_subject(self, person: str, act: str, business_id: str, detail: str) -> None:
        """Note who asked for everything about a business, and why."""
        await self._connection.execute(
            sql("access_record"), "desk", person, act, True, business_id, None, detail
        )  # fmt: skip
