"""What the law's effects write: the state, the evidence, and the event that upstream is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.cloudevents import Envelope
from schemas.messages.fields import Message
from schemas.messages.outcomes import DeadlineExtendedV1, HoldPlacedV1, NoticeUnservedV1, SanctionReversalRequiredV1
from services.kernel.domain.chain import Json, record
from services.kernel.domain.changes import (
    Change,
    DeadlineSet,
    FactAppended,
    GateWaitEnded,
    GateWoken,
    HoldPlaced,
    NoticeSaved,
    ReversalDemanded,
    SanctionDropped,
)
from services.kernel.domain.deadline import Deadline
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import Event, Notice, move
from services.kernel.ledger import StandingSanction
from services.kernel.runtime.decision import announce
from services.kernel.runtime.tracing import traceparent_of

_REASON_MOST = 1000


@dataclass(slots=True)
class Writing:
    """The changes to one notice as they gather: the notice's newest standing, and all that is written with it."""

    notice: Notice
    at: datetime
    actor: str
    cause: Envelope | None
    changes: list[Change]

    @classmethod
    def begin(cls, notice: Notice, at: datetime, actor: str, cause: Envelope | None = None) -> Writing:
        """Begin with nothing changed."""
        return cls(notice, at, actor, cause, [])

    def fact(self, kind: str, **data: Json) -> None:
        """Append one event to the notice's evidence."""
        self.notice, appended = record(self.notice, kind, self.at, self.actor, data)
        self.changes.append(FactAppended(appended))

    def move(self, event: Event) -> None:
        """Move the state along the table."""
        self.notice = move(self.notice, event, self.at)

    def tell(self, kind: str, message: Message) -> None:
        """Tell upstream of the fact that was appended last; what is told of a notice is numbered without a gap."""
        self.notice = self.notice.but(told=self.notice.told + 1)
        event_id = f"{self.notice.notice_id}:{self.notice.seq}"
        self.changes.append(
            announce(
                kind,
                message,
                event_id=event_id,
                notice_id=self.notice.notice_id,
                sequence=self.notice.told,
                traceparent=traceparent_of(self.notice, event_id),
                trial=self.notice.trial,
                to=self.notice.source,
            ),
        )

    def finished(self) -> tuple[Change, ...]:
        """All changes, the notice's standing among them."""
        return (NoticeSaved(self.notice), *self.changes)


def unserve(writing: Writing, reason: str, **evidence: Json) -> None:
    """The notice is unserved from the start; its deadline is void, and nothing waits at the gate for it."""
    notice = writing.notice
    writing.move(Event.FAIL)
    writing.fact("notice.unserved", reason=reason, **evidence)
    told = NoticeUnservedV1(notice_id=notice.notice_id, source_ref=notice.source_ref, reason=reason[:_REASON_MOST])
    writing.tell("notice.unserved.v1", told)
    writing.changes += ended(notice)


def ended(notice: Notice) -> list[Change]:
    """The notice ends before a sanction: nothing is proposed for it any more, and nothing waits at the gate."""
    return [SanctionDropped(notice.notice_id), GateWaitEnded(notice.notice_id)]


def prolong(writing: Writing, deadline: Deadline, before: Deadline, **evidence: Json) -> None:
    """A new version of the deadline, on a later last day; the timer of the old one does nothing."""
    notice = writing.notice
    writing.notice = notice.but(deadline_version=deadline.version, deadline_at=deadline.due_at)
    writing.changes.append(deadline_row(notice.notice_id, deadline))
    writing.fact(
        "deadline.extended", deadline_version=deadline.version, before=before.due_on.isoformat(),
        due_on=deadline.due_on.isoformat(), due_at=deadline.due_at.isoformat(), zone=deadline.zone,
        calendar=deadline.calendar_version, reason=deadline.reason, extended_by=deadline.approver, **evidence,
    )  # fmt: skip
    told = DeadlineExtendedV1(
        notice_id=notice.notice_id, source_ref=notice.source_ref, deadline_version=deadline.version,
        due_on=deadline.due_on, due_at=deadline.due_at, extended_by=deadline.approver or "",
        reason=deadline.reason or "",
    )  # fmt: skip
    writing.tell("deadline.extended.v1", told)


def deadline_row(notice_id: UUID, deadline: Deadline) -> DeadlineSet:
    """A deadline version, as it is written."""
    return DeadlineSet(
        notice_id, deadline.version, deadline.deemed_on, deadline.period_days, deadline.due_on, deadline.due_at,
        deadline.zone, deadline.rule, deadline.calendar_version, deadline.reason, deadline.approver,
    )  # fmt: skip


def place_hold(writing: Writing, hold_id: UUID, kind: HoldKind, reason: str, by: str, **evidence: Json) -> None:
    """A person decides; until then no sanction fires."""
    notice = writing.notice
    writing.changes.append(HoldPlaced(hold_id, notice.notice_id, kind.value, reason, by, writing.at))
    writing.fact("hold.placed", hold_id=str(hold_id), hold_kind=kind.value, reason=reason, placed_by=by, **evidence)
    told = HoldPlacedV1(
        notice_id=notice.notice_id,
        source_ref=notice.source_ref,
        hold_id=hold_id,
        kind=kind.value,
        reason=reason[:_REASON_MOST],
        placed_by=by,
    )
    writing.tell("hold.placed.v1", told)
    writing.changes.append(GateWoken(notice.notice_id))


def demand_reversal(writing: Writing, sanction: StandingSanction, reason: str, **evidence: Json) -> bool:
    """A person must decide about the sanction, exactly once; a further reason is recorded only. True if new."""
    if sanction.state != "fired":
        writing.fact("evidence.recorded", reason=f"{reason} (the sanction is {sanction.state})", **evidence)
        return False
    notice = writing.notice
    writing.changes.append(ReversalDemanded(sanction.sanction_id, reason, writing.at))
    writing.fact("sanction.reversal_required", sanction_id=str(sanction.sanction_id), reason=reason, **evidence)
    told = SanctionReversalRequiredV1(
        notice_id=notice.notice_id,
        source_ref=notice.source_ref,
        sanction_id=sanction.sanction_id,
        kind=sanction.kind,
        reason=reason[:_REASON_MOST],
    )
    writing.tell("sanction.reversal_required.v1", told)
    return True
