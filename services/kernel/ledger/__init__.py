"""The ledger: the port to the database. It remembers everything; the broker only wakes.

A transaction reads facts in statements that come *after* the one that locked, because a statement that waited for a
lock still sees what was true when it began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from services.kernel.domain.changes import Change, EvidenceStored
from services.kernel.domain.deadline import Deadline
from services.kernel.domain.gate import GateFacts
from services.kernel.domain.notice import Notice
from services.kernel.domain.outage import Up
from services.kernel.ledger.facts import (
    Attempt,
    Clock,
    DueDeadline,
    FailedDue,
    Failure,
    Figure,
    Finished,
    GatePolicy,
    ItemKey,
    KnownRequest,
    RawEvidence,
    SanctionRow,
    SanctionWord,
    SendingBrake,
    StandingSanction,
    Unsent,
    Waiting,
    WebhookClaim,
)
from services.kernel.ledger.runs import (
    AgainFacts,
    Claim,
    Handed,
    InRun,
    Named,
    OpenRun,
    RehearsalFacts,
    Rehearsed,
    RunFacts,
    RunSettled,
    RunStanding,
    Standing,
)

__all__ = [
    "AgainFacts",
    "Attempt",
    "BounceFacts",
    "Claim",
    "Clock",
    "DeadlineFacts",
    "DoorFacts",
    "DueDeadline",
    "FailedDue",
    "Failure",
    "Figure",
    "Finished",
    "GatePolicy",
    "Handed",
    "InRun",
    "InboxFacts",
    "ItemKey",
    "KnownRequest",
    "Ledger",
    "LedgerRerun",
    "LedgerUnavailable",
    "Locks",
    "Named",
    "NotifierFacts",
    "OpenRun",
    "RawEvidence",
    "RehearsalFacts",
    "Rehearsed",
    "RelayFacts",
    "RendererFacts",
    "ResponseFacts",
    "RunFacts",
    "RunSettled",
    "RunStanding",
    "SanctionFacts",
    "SanctionRow",
    "SanctionWord",
    "SendingBrake",
    "Standing",
    "StandingSanction",
    "Transaction",
    "Unsent",
    "Waiting",
    "WebhookClaim",
    "WebhookFacts",
]


class LedgerUnavailable(Exception):
    """The database cannot be reached; nothing was committed, and the work may be done again."""

    public = True


class LedgerRerun(Exception):
    """The database chose this transaction as the victim of a deadlock or of a concurrent insert: run it again."""


class Locks(Protocol):
    """Clocks, locks and writes: what every worker's transaction offers."""

    async def clock(self) -> Clock:
        """The database's clocks, now; ask after the lock is held."""

    async def lock(self, notice_ids: Iterable[UUID]) -> dict[UUID, Notice]:
        """Lock these notices in id order and return them as they are; unknown ids are missing."""

    async def traces(self, notice_ids: Iterable[UUID]) -> dict[UUID, str]:
        """The `traceparent` that upstream gave with the requests for these notices, where it gave one."""

    async def already(self, consumer: str, keys: Sequence[ItemKey]) -> set[ItemKey]:
        """Which of these items this consumer has done or refused before."""

    async def write(self, changes: Sequence[Change]) -> list[Unsent]:
        """Write a batch's changes, set by set; return what may be published once this is committed."""

    async def finish(self, consumer: str, finished: Sequence[Finished], failures: Sequence[Failure]) -> None:
        """Remember how the batch's items ended."""


class DoorFacts(Locks, Protocol):
    """What every door asks."""

    async def store(self, evidence: Sequence[EvidenceStored]) -> set[UUID]:
        """Store raw evidence; the ids of what is new. What was known by its source and event id is left as it is."""


class RendererFacts(Locks, Protocol):
    """What the renderer reads."""

    async def known_requests(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], KnownRequest]:
        """The notices that exist for these (source, source_ref)."""


class NotifierFacts(Locks, Protocol):
    """What the notifier reads."""

    async def attempts(self, notice_ids: Iterable[UUID]) -> dict[UUID, list[Attempt]]:
        """Every attempt of these notices, oldest first."""

    async def suppressed(self, addresses: Iterable[str]) -> dict[str, str]:
        """Those of these addresses (lower case) that must not be written to, and why."""

    async def sending_brake(self) -> SendingBrake:
        """Whether mail may leave now."""

    async def set_sending_brake(self, reason: str, seconds: float | None, by: str) -> None:
        """Stop all sending, for so many seconds of wall time or until a person releases it."""


class BounceFacts(Locks, Protocol):
    """What `bounces` reads."""

    async def evidence(self, evidence_ids: Iterable[UUID]) -> dict[UUID, RawEvidence]:
        """These pieces of raw evidence, locked in id order."""

    async def attempts_by_id(self, attempt_ids: Iterable[UUID]) -> dict[UUID, Attempt]:
        """These attempts."""

    async def attempts_to(self, addresses: Iterable[str], since: datetime) -> list[Attempt]:
        """Attempts to these addresses (lower case) begun since then (wall time), newest first."""

    async def opened(self, notice_ids: Iterable[UUID]) -> set[UUID]:
        """Those whose content the recipient has viewed."""

    async def sanctions(self, notice_ids: Iterable[UUID]) -> dict[UUID, StandingSanction]:
        """The sanction of each notice that has one, under its current deadline."""


class ResponseFacts(BounceFacts, Protocol):
    """What `responses` reads."""

    async def find(self, refs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
        """The notices of these (source, source_ref)."""


class DeadlineFacts(Locks, Protocol):
    """What `deadlines` reads."""

    async def claim_due(self, most: int) -> list[DueDeadline]:
        """Lock deadlines whose instant has passed in legal time, skipping those that others hold."""

    async def inbox_ups(self, since: datetime) -> list[Up]:
        """When the secure inbox was up, in order, as far as it matters for instants from `since` on."""

    async def current_deadline(self, notice_id: UUID) -> Deadline | None:
        """The notice's current deadline, with all it was counted with."""


class InboxFacts(DoorFacts, Protocol):
    """What the secure inbox writes beside its evidence."""

    async def beat(self, tolerance: float) -> None:
        """The inbox is up. After a silence of more than `tolerance` seconds of wall time it was down meanwhile."""


class SanctionFacts(Locks, Protocol):
    """What the gate's transaction reads, in this order: the notice's lock, the brake's lock, then every fact."""

    async def lock_wait(self, notice_id: UUID) -> None:
        """Lock the gate's wait for this notice, so that no fact wakes it between our reading and our answer."""

    async def lock_brake(self, kind: str) -> None:
        """Lock the brake of this kind of sanction."""

    async def gate_facts(self, notice: Notice, asked_version: int, policy: GatePolicy) -> tuple[GateFacts, SanctionRow]:
        """Every fact that the gate weighs, read now."""


class RelayFacts(Locks, Protocol):
    """What `relay` finds due. Each answer is claimed: it comes again only if nothing follows within `again` seconds."""

    async def alone(self, what: str) -> bool:
        """Whether this transaction is the only one at this work, in all processes."""

    async def unsent(self, most: int, grace: float) -> list[Unsent]:
        """Outbox rows older than `grace` seconds with nothing older of their notice unsent."""

    async def failed_due(self, most: int, again: float) -> list[FailedDue]:
        """Failed items whose next attempt is due."""

    async def begun(self, failed_id: UUID) -> int:
        """How often workers began with this item, alone, since its last failure; 0 if it is not known."""

    async def abandon_attempts(self, most: int) -> int:
        """Give up attempts whose lease is over; their alert becomes due again. How many."""

    async def alerts_due(self, most: int, again: float) -> list[UUID]:
        """Notices whose alert is due again."""

    async def unalerted(self, most: int, grace: float) -> list[UUID]:
        """Rendered notices that nobody has taken up for `grace` seconds."""

    async def evidence_unlooked(self, most: int, again: float) -> list[tuple[UUID, str]]:
        """Evidence, with its door, that waits or is parked and was not looked at for `again` seconds."""

    async def forsake_answers(self, most: int, after: float) -> list[UUID]:
        """Give up answers that began more than `after` seconds ago and are not complete; the notices."""

    async def waits_due(self, most: int, again: float) -> list[tuple[UUID, int]]:
        """Notices, with their deadline version, that the gate must look at again."""

    async def webhooks_due(self, most: int, again: float) -> dict[str, list[int]]:
        """Events owed by webhook, by upstream: the first of each notice, `most` of an upstream out at a time."""

    async def gate_waits(self) -> bool:
        """Whether the gate waits for anything."""

    async def waiting(self) -> list[Waiting]:
        """Everything that waits."""

    async def figures(self) -> list[Figure]:
        """What stands still, and why: brakes, reasons of the gate, dead letters by worker."""

    async def rootless_days(self, before: date) -> list[date]:
        """UTC days before this one on which chains moved, and that have no root yet."""

    async def heads(self, day: date) -> list[tuple[UUID, bytes]]:
        """The last digest on that UTC day of every chain that moved on it, by notice id."""

    async def store_root(self, day: date, root: bytes, heads: Sequence[tuple[UUID, bytes]]) -> None:
        """Keep a day's root, with the heads that it was made of."""


class WebhookFacts(Locks, Protocol):
    """What `webhooks` reads, by the events' numbers in the outbox."""

    async def webhook_urls(self, outbox_ids: Sequence[int]) -> dict[int, str]:
        """Where those of these events that are still owed must go."""

    async def webhook_claim(self, outbox_id: int, lease: float) -> WebhookClaim | None:
        """Claim one event for so many seconds; None if it is owed no more, or another process has it."""

    async def webhooks_next(self, outbox_id: int, again: float) -> list[int]:
        """The event of the same notice that is owed after this one, handed out; none, or one."""


class Transaction(
    InboxFacts,
    RendererFacts,
    NotifierFacts,
    ResponseFacts,
    DeadlineFacts,
    SanctionFacts,
    RelayFacts,
    WebhookFacts,
    RunFacts,
    RehearsalFacts,
    Protocol,
):
    """One transaction, with all that any worker may ask of it."""


class Ledger(Protocol):
    """Where transactions come from, and what the runtime itself keeps there."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: committed when the block ends, rolled back when it raises.

        Raises:
            LedgerUnavailable: the database cannot be reached.
            LedgerRerun: run the block again.
        """

    def rehearse(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that is rolled back when the block ends, however it ends.

        Raises:
            LedgerUnavailable: the database cannot be reached.
            LedgerRerun: run the block again.
        """

    async def come_again(self, consumer: str, claims: Sequence[Claim]) -> list[Standing | None]:
        """How each of these claims to come again stands; None where this consumer has no such failed item."""

    async def rehearsal_again(self, named: Named) -> None:
        """A worker begins anew with a rehearsal that came back from another that died; committed at once."""

    async def rehearsed(self, found: Mapping[Named, Rehearsed]) -> None:
        """Keep what a worker says of items that it rehearsed."""

    async def sent(self, outbox_ids: Sequence[int]) -> None:
        """These outbox rows were confirmed by the broker."""

    async def begin_again(self, failed_id: UUID) -> None:
        """A worker begins with a retried item that came back from another that died; committed at once."""

    async def ping(self) -> None:
        """Whether the database answers.

        Raises:
            LedgerUnavailable: it does not.
        """
