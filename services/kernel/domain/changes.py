"""Every write that a decision can ask for: a closed set of plain rows.

A `Row` names one SQL statement over many rows (its fields, in order, are the statement's parameters), so a batch of
decisions is written set by set, in the order of the union; the others have their own ways in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from services.kernel.domain.chain import Fact
from services.kernel.domain.notice import Notice


@dataclass(frozen=True, slots=True)
class NoticeInserted:
    """A new notice."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class NoticeSaved:
    """A notice's new standing."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class FactAppended:
    """One event of a notice's evidence chain."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class ContentStored:
    """The words of a notice; `request` is upstream's data as JSON text."""

    notice_id: UUID
    request: str
    subject: str
    body_text: str
    body_html: str
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class AttemptClaimed:
    """An alert is about to be handed over; committed before DATA. `lease` is in seconds of the wall clock."""

    statement: ClassVar[str] = "attempt_claim"
    attempt_id: UUID
    notice_id: UUID
    number: int
    kind: str
    address: str
    lease: float


@dataclass(frozen=True, slots=True)
class AttemptSettled:
    """What came of an attempt. `retry_after`: seconds until the next one is due, None for never."""

    statement: ClassVar[str] = "attempt_settle"
    attempt_id: UUID
    state: str
    retry_after: float | None
    phase: str
    code: int | None
    enhanced: str
    reply: str


@dataclass(frozen=True, slots=True)
class AttemptRetired:
    """The attempt's retry was taken up (or is no longer wanted)."""

    statement: ClassVar[str] = "attempt_retire"
    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class DeadlineSet:
    """A deadline version."""

    statement: ClassVar[str] = "deadline_set"
    notice_id: UUID
    version: int
    deemed_on: date
    period_days: int
    due_on: date
    due_at: datetime
    zone: str
    rule: str
    calendar_version: str
    reason: str | None
    approver: str | None


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The timer of a deadline version has done its work."""

    statement: ClassVar[str] = "deadline_pass"
    notice_id: UUID
    version: int
    passed_at: datetime


@dataclass(frozen=True, slots=True)
class HoldPlaced:
    """A hold stops the sanction."""

    statement: ClassVar[str] = "hold_place"
    hold_id: UUID
    notice_id: UUID
    kind: str
    reason: str
    placed_by: str
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class HoldLifted:
    """A hold is lifted, by name."""

    statement: ClassVar[str] = "hold_lift"
    hold_id: UUID
    lifted_by: str
    lifted_at: datetime
    lift_reason: str


@dataclass(frozen=True, slots=True)
class GateWaitSet:
    """The gate must look (again) at this notice; `look_again_at` in legal time, None when only a fact can unblock."""

    statement: ClassVar[str] = "gate_wait_set"
    notice_id: UUID
    version: int
    look_again_at: datetime | None
    waiting_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GateWaitEnded:
    """The gate has decided."""

    statement: ClassVar[str] = "gate_wait_end"
    notice_id: UUID


@dataclass(frozen=True, slots=True)
class GateWoken:
    """A fact may unblock the gate: for a notice, for an address (lower case), or for whatever waits for `reason`."""

    statement: ClassVar[str] = "gate_wake"
    notice_id: UUID | None = None
    address: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SanctionProposed:
    """A sanction is proposed."""

    statement: ClassVar[str] = "sanction_propose"
    sanction_id: UUID
    notice_id: UUID
    deadline_version: int
    regime: str
    matter: str
    kind: str
    automatic: bool
    proposed_at: datetime
    objections_until: datetime


@dataclass(frozen=True, slots=True)
class SanctionFired:
    """The sanction is effective. The notice must still be lapsed when this is written."""

    statement: ClassVar[str] = "sanction_fire"
    sanction_id: UUID
    fired_at: datetime


@dataclass(frozen=True, slots=True)
class SanctionDropped:
    """What was proposed for this notice, if anything, can never fire."""

    statement: ClassVar[str] = "sanction_drop"
    notice_id: UUID


@dataclass(frozen=True, slots=True)
class ReversalDemanded:
    """A person must decide about a fired sanction: exactly once."""

    statement: ClassVar[str] = "reversal_demand"
    sanction_id: UUID
    reason: str
    required_at: datetime


@dataclass(frozen=True, slots=True)
class ReversalDecided:
    """A named person decided: `rescinded` or `upheld`."""

    statement: ClassVar[str] = "reversal_decide"
    sanction_id: UUID
    decision: str
    decided_by: str
    decided_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class EvidenceJudged:
    """What became of a piece of raw evidence, and the notice that it turned out to name."""

    statement: ClassVar[str] = "evidence_judge"
    evidence_id: UUID
    state: str
    outcome: str
    notice_id: UUID | None
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvidenceStored:
    """Raw evidence as a door took it in; the database fixes when. `headers` is JSON text."""

    statement: ClassVar[str] = "evidence_insert"
    evidence_id: UUID
    door: str
    source: str | None
    event_id: str | None
    type: str
    content_type: str
    headers: str
    body: bytes
    notice_id: UUID | None
    source_ref: str | None
    attempt_id: UUID | None
    addresses: tuple[str, ...]
    state: str


@dataclass(frozen=True, slots=True)
class CallbackKept:
    """A callback that carried many events, whole, as its signature was made over it. `headers` is JSON text."""

    statement: ClassVar[str] = "callback_keep"
    batch_id: UUID
    provider: str
    headers: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ContentViewed:
    """The recipient has opened the notice for the first time."""

    statement: ClassVar[str] = "content_view"
    notice_id: UUID
    viewed_at: datetime
    viewed_by: str


@dataclass(frozen=True, slots=True)
class MarkCommitted:
    """A timed mark came through the evidence queue: all that was queued before it is committed."""

    statement: ClassVar[str] = "mark_commit"
    mark_id: UUID
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class DeliverySettled:
    """What came of telling an upstream by webhook: it took the event, or the failed item says what follows."""

    statement: ClassVar[str] = "webhook_settle"
    outbox_id: int
    delivered: bool


@dataclass(frozen=True, slots=True)
class Announced:
    """An event to publish after the commit; `notice_id` orders it among the notice's own.

    `source` is the upstream that it is for, None for what workers tell each other: by webhook it goes to no one else.
    """

    notice_id: UUID | None
    type: str
    body: bytes
    source: str | None = None


Row = (
    AttemptClaimed | AttemptSettled | AttemptRetired | DeadlineSet | DeadlinePassed | HoldPlaced
    | HoldLifted | SanctionProposed | SanctionFired | SanctionDropped | ReversalDemanded | ReversalDecided
    | EvidenceStored | EvidenceJudged | CallbackKept | ContentViewed | MarkCommitted
    | GateWaitSet | GateWaitEnded | GateWoken | DeliverySettled
)  # fmt: skip
Change = NoticeInserted | NoticeSaved | FactAppended | ContentStored | Announced | Row
