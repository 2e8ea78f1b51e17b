"""The port to what persons look at before they decide: sanctions, brakes and their batches, holds, evidence."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from services.kernel.domain.gate import GateFacts
from services.kernel.domain.library import Library
from services.kernel.domain.notice import Notice
from services.kernel.ledger import SanctionRow
from services.kernel.ledger.desk import Row


class SanctionReads(Protocol):
    """Sanctions, and what the gate says of them."""

    async def sanctions(
        self, *, state: str | None, kind: str | None, most: int, sanction_id: UUID | None = None
    ) -> list[Row]:
        """Sanctions, newest first, with what the gate waits for, what persons said, and the reversal."""

    async def sanctions_awaiting(self, most: int) -> list[Row]:
        """Proposed sanctions of discretionary kinds, the first to be decided before the others."""

    async def gate_facts_now(self, library: Library, notice: Notice) -> tuple[GateFacts, SanctionRow]:
        """What the gate would weigh for a notice at this instant. Nothing is locked, so the gate may find otherwise.

        Raises:
            NotInLibrary: the library does not have what the notice is.
        """


class BrakeReads(Protocol):
    """Brakes, their history, and batches of what they hold."""

    async def brakes(self) -> list[Row]:
        """The brake of each kind of sanction that was ever used, with how many it alone holds."""

    async def brake_changes(self, *, kind: str | None, most: int) -> list[Row]:
        """What was done with the brakes, newest first; `kind` is None in a change of the brake on all mail."""

    async def batches(self, *, state: str | None, most: int, batch_id: UUID | None = None) -> list[Row]:
        """Brake batches, open ones first."""

    async def batch_items(self, batch_id: UUID, *, sampled: bool, after: int = 0, most: int = 1000) -> list[Row]:
        """The cases of a batch, or its sample alone, by number."""

    async def judgements(self, batch_id: UUID, number: int) -> list[Row]:
        """All judgements of one case, first to last."""


class EvidenceReads(Protocol):
    """Holds, and raw evidence."""

    async def holds(self, *, lifted: bool, kind: str | None, notice_id: UUID | None, most: int) -> list[Row]:
        """Open holds, oldest first; with `lifted`, all."""

    async def raw_evidence(self, *, settled: bool, state: str | None, door: str | None, most: int) -> list[Row]:
        """Raw evidence that is open, oldest first; with `settled`, all."""

    async def evidence_one(self, evidence_id: UUID) -> Row | None:
        """One piece of raw evidence, without its body."""

    async def evidence_body(self, evidence_id: UUID, most: int) -> bytes:
        """The beginning of its body, so many bytes at most.

        Raises:
            LookupError: there is no such evidence.
        """

    async def evidence_candidates(self, evidence_id: UUID) -> list[Row]:
        """Notices of which a mail went to an address that the evidence names, newest first; ten at most."""

    async def find(self, what: str, text: str) -> list[UUID]:
        """The ids that a text means; three at most."""


class DecisionReads(SanctionReads, BrakeReads, EvidenceReads, Protocol):
    """All of it."""
