"""Runs of dead letters, as `relay` drives them and as workers answer them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from services.kernel.domain.verdict import Verdict
from services.kernel.ledger.facts import FailedDue

Named: TypeAlias = tuple[UUID, UUID]
"""An item of a run: the run, and the row of the failed item."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that goes on, or whose items are still out; wall time, `now` the database's.

    `left_over`: items of the batch that are still to be handed out. `paced_at`: up to when what was handed out fills
    the limit per second.
    """

    run_id: UUID
    kind: str
    state: str
    steps: tuple[int, ...]
    per_second: float | None
    batch: int
    step: int
    left_over: int
    paced_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class RunSettled:
    """An item of a replay that has ended."""

    batch: int
    outcome: str
    why: str


@dataclass(frozen=True, slots=True)
class RunStanding:
    """Whether anything is still to be handed out, and how many items are out."""

    more: bool
    out: int


@dataclass(frozen=True, slots=True)
class Handed(FailedDue):
    """An item that a run hands out; `replays`: how often runs have."""

    replays: int


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What replaying an item now would come to, and what would follow, in words."""

    verdict: Verdict
    why: str
    effects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InRun:
    """An item of a run as it stands: whether it is replayed or only rehearsed, and whether it has ended.

    `begun`: how often workers began anew with its rehearsal after another had died.
    """

    replays: bool
    begun: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """What a delivery says that it comes again of: the failed item, and the run if it names one.

    `digest` is the SHA-256 of its body, `source` and `event_id` are those of the event in it.
    """

    failed_id: UUID
    run_id: UUID | None
    digest: bytes
    source: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database knows of a claim. `current`: it is the item's own message as it stands now.

    `superseded`: it is a message of that item that an approved edit has replaced since. `run`: how the item stands in
    the run that is named, if it is in it.
    """

    current: bool
    superseded: bool
    run: InRun | None


class AgainFacts(Protocol):
    """What is known of messages that come again."""

    async def come_again(self, consumer: str, claims: Sequence[Claim]) -> list[Standing | None]:
        """How each of these claims stands; None where this consumer has no such failed item."""


class RunFacts(Protocol):
    """What `relay` reads and writes of runs."""

    async def runs_open(self) -> list[OpenRun]:
        """Runs that need anything, locked; those that another process has locked are left to it."""

    async def run_settle(self, run_id: UUID) -> list[RunSettled]:
        """Note which items of a replay have ended, and how."""

    async def run_standing(self, run_id: UUID) -> RunStanding:
        """What is still to be handed out, and what is out."""

    async def run_hand_out(self, run: OpenRun, number: int) -> list[Handed]:
        """The next items, out from now on; what is over already ends here and is not among them."""

    async def run_again(self, run_id: UUID, again: float) -> list[Handed]:
        """Items that were handed out more than so many seconds ago, and of which nothing came."""

    async def run_has(self, failed_id: UUID) -> bool:
        """Whether a run ever had this item."""

    async def run_save(self, run: OpenRun, why: str = "") -> None:
        """Where the run stands now."""


class RehearsalFacts(Protocol):
    """What a rehearsal reads beside its worker."""

    async def standings(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """The states of these notices and pieces of evidence."""
