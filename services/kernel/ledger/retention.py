"""The port to what erasing reads and writes. Whoever erases takes a turn first, so that no legal hold comes between."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from services.kernel.domain.gate import Reason
from services.kernel.ledger import Locks
from services.kernel.ledger.desk import Row


@dataclass(frozen=True, slots=True)
class Kept:
    """What the ledger knows of one notice beside its hot row; see `domain.retention.RetentionFacts`."""

    now: datetime
    matter_ended_at: datetime | None
    matter_running: tuple[str, ...]
    sanction_stands_since: datetime | None
    last_evidence_at: datetime | None
    waiting: tuple[Reason, ...]
    legal_holds: tuple[str, ...]
    asked_by: str | None
    asked_reason: str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of content that was erased: of what kind, which, and the SHA-256 of what it was."""

    kind: str
    of: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking at one notice. `look_again_at` and `erased_at` are legal time."""

    notice_id: UUID
    look_again_at: datetime
    kept_until: date | None
    kept_for: tuple[str, ...]
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LegalHold:
    """What stops erasing, on exactly one of a notice, a matter (`regime` and its name) and a business."""

    legal_hold_id: UUID
    notice_id: UUID | None
    regime: str | None
    matter: str | None
    business_id: str | None
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_by: str | None = None
    lifted_at: datetime | None = None
    lift_reason: str | None = None


class ErasingFacts(Locks, Protocol):
    """What erasing reads and writes, in this order: the turn, the notices' locks, the facts, the pieces."""

    async def erasing_turn(self) -> None:
        """Erase beside others; no legal hold is placed or lifted until this transaction ends."""

    async def enlist(self, most: int, days: int, regimes: Collection[str]) -> int:
        """Note notices of these regimes, accepted more than `days` ago, that nobody looked at yet; how many."""

    async def claim_retention(self, most: int) -> list[UUID]:
        """Claim notices that are to be looked at, skipping those that others hold."""

    async def kept(self, notice_ids: Iterable[UUID]) -> dict[UUID, Kept]:
        """What stands against erasing the content of these notices."""

    async def erase(self, notice_ids: Sequence[UUID], at: datetime) -> dict[UUID, list[Piece]]:
        """Erase all settled content of these notices; what it was, by notice."""

    async def looked(self, looked: Sequence[Looked]) -> None:
        """Keep what came of it; what a person asked for is answered by it."""

    async def erase_nameless(self, most: int, days: int) -> dict[str, int]:
        """Erase settled content that names no notice and is older than so many days; how many pieces, by kind."""


class RetentionActs(ErasingFacts, Protocol):
    """What named persons do about retention."""

    async def legal_hold_turn(self) -> None:
        """Place or lift a legal hold, alone; what is being erased is finished first."""

    async def legal_hold(self, legal_hold_id: UUID) -> LegalHold | None:
        """A legal hold."""

    async def place_legal_hold(self, hold: LegalHold) -> None:
        """Keep a new one."""

    async def lift_legal_hold(self, hold: LegalHold) -> None:
        """Keep who lifted it, when and why."""

    async def ask_erasure(self, notice_id: UUID, by: str, reason: str) -> None:
        """Ask `relay` to erase before the period is over."""


class RetentionReads(Protocol):
    """What pages show of retention: rows as they are, by column."""

    async def legal_holds(self, *, lifted: bool, most: int) -> list[Row]:
        """Open legal holds, oldest first; with `lifted`, all."""

    async def legal_hold(self, legal_hold_id: UUID) -> LegalHold | None:
        """A legal hold."""

    async def retention(
        self, *, reason: str | None, erased: bool, due: bool, business: str | None, most: int
    ) -> list[Row]:
        """What was found when content was looked at, the longest due first; without `erased`, what is still there."""

    async def exports(self, most: int) -> list[Row]:
        """Who asked for everything about a business, newest first."""

    async def covered(self, legal_hold_id: UUID) -> int:
        """How many notices a legal hold is on by now."""


class RetentionDesk(Protocol):
    """Where these acts' transactions come from."""

    def begin(self) -> AbstractAsyncContextManager[RetentionActs]:
        """A transaction: committed when the block ends, rolled back when it raises."""


class ErasingLedger(Protocol):
    """Where the transactions of erasing come from."""

    def begin_erasing(self) -> AbstractAsyncContextManager[ErasingFacts]:
        """A transaction: committed when the block ends, rolled back when it raises.

        Raises:
            LedgerUnavailable: the database cannot be reached.
            LedgerRerun: run the block again.
        """
