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
from services.kernel.ledger import Clock

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


class DeskReads(Protocol):
    """Lists and single records. Lists that take `most` answer no more than that many."""

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

    async def accesses(self, person: str | None, before: int | None, most: int) -> list[Row]:
        """Who looked at and did what, newest first; those before an access id."""
