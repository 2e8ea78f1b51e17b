"""The port to what the desk shows: rows as they are, by column. No words of a notice, and no body, among them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from services.kernel.domain.chain import Fact
from services.kernel.domain.notice import Notice
from services.kernel.domain.proof import DayRoot
from services.kernel.ledger import Clock, Figure, Waiting

Row: TypeAlias = dict[str, object]
"""One record, by column."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What whoever works here must know at once. `legal` is legal time, `wall` wall time.

    `stopped`: the kinds of sanction that the stop switch stops. `mail_stopped`: the sending brake is on.
    """

    trial: bool
    legal: datetime
    wall: datetime
    stopped: tuple[str, ...]
    mail_stopped: bool


@dataclass(frozen=True, slots=True)
class NoticesWanted:
    """Which notices a list shows; None leaves a property open. `before` and `after` are the ids at a page's ends."""

    state: str | None = None
    regime: str | None = None
    notice_type: str | None = None
    business_id: str | None = None
    source: str | None = None
    held: bool = False
    before: UUID | None = None
    after: UUID | None = None


@dataclass(frozen=True, slots=True)
class AccessesWanted:
    """Which part of the access record; None leaves a property open. `before` is the id at the last page's end."""

    person: str | None = None
    notice_id: UUID | None = None
    refused: bool = False
    before: int | None = None


class DeskReads(Protocol):
    """Lists and single records. Lists that take `most` answer no more than that many."""

    async def find(self, what: str, text: str) -> list[UUID]:
        """The ids that a text means, three at most: a whole id, or the end of one; `what` is notice, hold and so on."""

    async def notice(self, notice_id: UUID) -> Row:
        """Everything known about one notice, except its words.

        Raises:
            LookupError: there is none.
        """

    async def brakes(self) -> list[Row]:
        """The brake of each kind of sanction."""

    async def sending(self) -> Row:
        """The sending brake."""

    async def notices_named(self, notice_ids: Sequence[UUID]) -> list[Notice]:
        """These notices."""

    async def chains(self, notice_ids: Sequence[UUID]) -> dict[UUID, list[Fact]]:
        """The evidence of these notices, first fact first."""

    async def contents(self, notice_ids: Sequence[UUID]) -> dict[UUID, tuple[bytes, bool]]:
        """The hash of the words of these notices, and whether they were erased."""

    async def roots(self, days: Collection[date] | None = None) -> list[DayRoot]:
        """The roots of these days, or all, oldest first."""


class ConsoleReads(Protocol):
    """What only the console shows."""

    async def clock(self) -> Clock:
        """The database's clock."""

    async def standing(self) -> Standing:
        """What whoever works here must know at once."""

    async def notices_page(self, wanted: NoticesWanted, most: int) -> list[Row]:
        """Notices, newest first."""

    async def words(self, notice_id: UUID) -> Row | None:
        """The words of a notice as they were stored, None if there is none; `erased_at` once they are gone."""

    async def accesses(self, wanted: AccessesWanted, most: int) -> list[Row]:
        """Who looked at and did what, newest first."""

    async def waiting(self) -> list[Waiting]:
        """Everything that waits."""

    async def figures(self) -> list[Figure]:
        """What stands still, and why: brakes, reasons of the gate, dead letters by worker."""

    async def throughput(self, kinds: Sequence[str], seconds: int, spans: int) -> dict[str, list[int]]:
        """How many facts of each kind there were in each of the last `spans` times `seconds`, the oldest span first."""

    async def workers(self) -> list[Row]:
        """Which worker processes say that they live, and which have fallen silent."""

    async def failing(self) -> list[Row]:
        """How many items of each worker are retried, and how many are dead."""

    async def open_holds(self) -> list[Row]:
        """Open holds by kind, with the oldest of each."""

    async def named(self, text: str, sources: Sequence[str], most: int) -> list[Row]:
        """Notices that a text names: as reference, business, address or event id; `by` says how. See `find` for ids."""
