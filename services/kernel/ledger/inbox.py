"""The port to what the secure inbox shows and takes in. Whatever names a notice takes the businesses of its reader."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from services.kernel.domain.notice import State
from services.kernel.ledger import InboxFacts
from services.kernel.ledger.people import ActsFor, People


@dataclass(frozen=True, slots=True)
class Listed:
    """One notice as a list needs it. Instants are UTC, `now` is legal time.

    `held`: a hold is open. `looked_at`: an answer was received that has not had its effect yet. `sanction`: the state
    of the one that fired, None if none has. `ended_at`: when the notice was over, `erased_at`: when its words were
    erased; None before.
    """

    notice_id: UUID
    source_ref: str
    regime: str
    notice_type: str
    state: State
    content_available_at: datetime
    deadline_at: datetime | None
    subject: str
    language: str
    first_viewed_at: datetime | None
    due_on: date | None
    due_at: datetime | None
    version: int | None
    reason: str | None
    now: datetime
    held: bool
    looked_at: bool
    sanction: str | None = None
    ended_at: datetime | None = None
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """One notice with its words, as they were stored when it was rendered; `first_viewed_by` names its first reader."""

    listed: Listed
    business_id: str
    body_text: str
    body_html: str
    content_hash: bytes
    first_viewed_by: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was stored: `body` is its CloudEvent; once it is erased, its SHA-256 is left."""

    evidence_id: UUID
    received_at: datetime
    body: bytes
    erased_at: datetime | None = None
    body_sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with an answer, complete; `erased_at` once it is gone."""

    upload_id: UUID
    number: int
    media_type: str
    size: int
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UploadDone:
    """What a file turned out to be when its last byte had come."""

    upload_id: UUID
    size: int
    digest: bytes


class InboxTransaction(InboxFacts, People, Protocol):
    """All that a page of the inbox may ask; outside a transaction each statement commits by itself."""

    async def page(
        self, business_id: str, most: int, *, before: UUID | None = None, after: UUID | None = None
    ) -> list[Listed]:
        """A business's notices, the newest first; those older than `before`, or the nearest newer than `after`."""

    async def unread(self, business_id: str) -> int:
        """How many of a business's notices nobody has opened."""

    async def message(self, notice_id: UUID, business_ids: Sequence[str]) -> Opened | None:
        """One notice, if it is one of these businesses'."""

    async def answers(self, notice_id: UUID, business_ids: Sequence[str]) -> list[Answer]:
        """What was received through the inbox about it, complete and sound, the oldest first."""

    async def file(self, notice_id: UUID, upload_id: UUID, business_ids: Sequence[str]) -> Upload | None:
        """One file that came with such an answer."""

    async def begin_upload(
        self, upload_id: UUID, evidence_id: UUID, notice_id: UUID, number: int, shown_name: str, media_type: str
    ) -> None:
        """A file begins to come in."""

    async def add_part(self, upload_id: UUID, number: int, data: bytes) -> None:
        """The next part of a file; numbers begin at 1."""

    async def part(self, upload_id: UUID, number: int) -> bytes | None:
        """A part of a file; None after the last."""

    async def complete_answer(self, evidence_id: UUID, body: bytes, uploads: Sequence[UploadDone]) -> bool:
        """The answer is complete and sound; False if it was given up meanwhile."""

    async def refuse_answer(self, evidence_id: UUID, why: str) -> None:
        """The answer cannot be taken; what had come of its files is deleted."""

    async def businesses(self, most: int) -> list[ActsFor]:
        """Businesses that have notices: for a trial alone."""


class InboxLedger(Protocol):
    """Where the inbox's pages get them from."""

    def open(self) -> AbstractAsyncContextManager[InboxTransaction]:
        """A connection; each statement commits by itself.

        Raises:
            LedgerUnavailable: the database cannot be reached.
            LedgerRerun: do it again.
        """

    def begin(self) -> AbstractAsyncContextManager[InboxTransaction]:
        """A transaction: committed when the block ends, rolled back when it raises.

        Raises:
            LedgerUnavailable: the database cannot be reached.
            LedgerRerun: run the block again.
        """
