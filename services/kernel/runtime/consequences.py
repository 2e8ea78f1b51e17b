"""What would follow from a decision, in words that a person can weigh. They name states and kinds, never content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from services.kernel.domain.changes import (
    Announced,
    AttemptClaimed,
    Change,
    DeadlineSet,
    DeliverySettled,
    EvidenceJudged,
    EvidenceStored,
    FactAppended,
    GateWaitEnded,
    GateWaitSet,
    HoldPlaced,
    MarkCommitted,
    NoticeInserted,
    NoticeSaved,
    ReversalDemanded,
    SanctionDropped,
    SanctionFired,
    SanctionProposed,
)

_MOST = 50


def consequences(changes: Sequence[Change], before: Mapping[UUID, str]) -> tuple[str, ...]:
    """Every consequence once, in the order of the changes; `before` are the states of notices and evidence."""
    said = [words for change in changes for words in _of(change, before)]
    return tuple(dict.fromkeys(words.replace("\x00", "") for words in said))[:_MOST]


def _of(change: Change, before: Mapping[UUID, str]) -> Iterator[str]:  # noqa: C901, PLR0912 -- a table, by its nature
    match change:
        case NoticeInserted(notice):
            yield f"a notice is issued ({notice.regime}/{notice.notice_type}) and is {notice.state}"
        case NoticeSaved(notice) if (was := before.get(notice.notice_id)) != notice.state:
            yield f"its notice goes from {was} to {notice.state}"
        case FactAppended(fact):
            yield f"its evidence gains the fact {fact.kind}"
        case Announced(type=kind, source=None):
            yield f"workers are told {kind}"
        case Announced(type=kind, source=source):
            yield f"{source} is told {kind}"
        case AttemptClaimed():
            yield "an alert e-mail is sent"
        case HoldPlaced(kind=kind):
            yield f"a hold is placed: {kind}"
        case DeadlineSet(due_on=due_on):
            yield f"a deadline is set: {due_on}"
        case SanctionProposed(kind=kind):
            yield f"a sanction is proposed: {kind}"
        case SanctionFired():
            yield "the sanction fires"
        case SanctionDropped():
            yield "a sanction that was proposed, if any, is dropped"
        case ReversalDemanded():
            yield "a person must decide whether the sanction is reversed"
        case EvidenceStored(state=state):
            yield f"evidence is stored: {state}"
        case EvidenceJudged(state=state, outcome=outcome):
            yield f"its evidence becomes {state}: {outcome}"
        case MarkCommitted():
            yield "a timed mark is committed"
        case GateWaitSet(waiting_for=reasons):
            yield f"the gate waits: {', '.join(reasons)}"
        case GateWaitEnded():
            yield "the gate waits no more"
        case DeliverySettled(delivered=True):
            yield "the event counts as delivered"
        case _:
            return
