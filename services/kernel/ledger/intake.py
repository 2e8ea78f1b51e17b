"""What the door for upstreams over HTTP asks of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol
from uuid import UUID

from services.kernel.ledger import DoorFacts, Ledger, RendererFacts

Pair = tuple[str, str]
"""A source, and an event's id or a reference of its own."""


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event that came before, by this door or another, as it was written then.

    Of one that was `erased` when its time was over, `type` and the hash over the canonical form of its data are left.
    """

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    type: str | None = None
    data_hash: bytes | None = None
    erased: bool = False


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event that is taken in now; `data_hash` is over the canonical form of its data."""

    source: str
    event_id: str
    type: str
    data_hash: bytes
    body: bytes


class IntakeFacts(DoorFacts, RendererFacts, Protocol):
    """What the door reads and writes in one transaction."""

    async def known_events(self, pairs: Sequence[Pair]) -> dict[Pair, KnownEvent]:
        """Those of these (source, event id) that came before."""

    async def keep_events(self, events: Sequence[KeptEvent]) -> int:
        """Keep what is new; how many were. Another process may have kept the same meanwhile."""


class IntakeLedger(Ledger, Protocol):
    """Transactions of the door, and what it shows to the source that asks."""

    def begin_intake(self) -> AbstractAsyncContextManager[IntakeFacts]:
        """A transaction, as `begin` gives one."""

    async def status_by_id(self, source: str, notice_id: UUID) -> str | None:
        """Where a notice of this source stands, as JSON (`schemas.resources.NoticeStatus`); another's is None."""

    async def status_by_reference(self, source: str, source_ref: str) -> str | None:
        """The same, by the source's own reference."""

    async def root(self, day: date) -> str | None:
        """The root of the evidence chains that moved on this UTC day, as JSON (`schemas.resources.EvidenceRoot`)."""
