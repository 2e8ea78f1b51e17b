"""deadlines: claims deadlines whose instant has passed in legal time, and lets their notices lapse.

It takes no queue: due work lives in the database. It never punishes; `sanctions` decides what follows. Any number of
processes may run, each skips what another holds.
Settings: `services/deadlines/settings.py`.
"""

from __future__ import annotations

from datetime import timedelta

from schemas.messages.hops import DeadlinePassedV1, PassedDeadline
from schemas.messages.outcomes import NoticeLapsedV1
from services.kernel.domain.changes import Announced, Change, DeadlinePassed, GateWaitSet
from services.kernel.domain.notice import Event, Notice, State
from services.kernel.ledger import Clock, DeadlineFacts, DueDeadline, Ledger, Unsent
from services.kernel.ports import Ids
from services.kernel.runtime.decision import announce
from services.kernel.runtime.effects import Writing

_MESSAGE_LOST = timedelta(seconds=30)
"""When the gate looks by itself if `deadline.passed` does not reach it."""


async def pass_due(ledger: Ledger, ids: Ids, *, most: int) -> tuple[int, list[Unsent]]:
    """Let what is due lapse, in one transaction; how many timers were claimed, and what may be published."""
    async with ledger.begin() as tx:
        due = await tx.claim_due(most)
        changes = await _lapse(tx, ids, due) if due else []
        return len(due), await tx.write(changes)


async def _lapse(tx: DeadlineFacts, ids: Ids, due: list[DueDeadline]) -> list[Change]:
    notices = await tx.lock(timer.notice_id for timer in due)
    clock = await tx.clock()
    changes: list[Change] = []
    passed: list[PassedDeadline] = []
    for timer in due:
        changes.append(DeadlinePassed(timer.notice_id, timer.version, clock.legal))
        notice = notices[timer.notice_id]
        if notice.state is State.SERVED and notice.deadline_version == timer.version:
            changes += _lapsed(notice, timer, clock)
            passed.append(PassedDeadline(notice_id=timer.notice_id, version=timer.version))
    return [*changes, *_hop(ids, passed, clock)]


def _lapsed(notice: Notice, timer: DueDeadline, clock: Clock) -> list[Change]:
    """A stale timer does nothing; this one is current."""
    writing = Writing.begin(notice, clock.legal, "deadlines")
    writing.move(Event.LAPSE)
    writing.fact("notice.lapsed", deadline_version=timer.version, due_at=timer.due_at.isoformat())
    told = NoticeLapsedV1(
        notice_id=notice.notice_id, source_ref=notice.source_ref, deadline_version=timer.version, due_at=timer.due_at
    )
    writing.tell("notice.lapsed.v1", told)
    wait = GateWaitSet(notice.notice_id, timer.version, clock.legal + _MESSAGE_LOST, ())
    return [*writing.finished(), wait]


def _hop(ids: Ids, passed: list[PassedDeadline], clock: Clock) -> list[Announced]:
    if not passed:
        return []
    message = DeadlinePassedV1(deadlines=tuple(passed))
    return [announce("deadline.passed.v1", message, event_id=str(ids.uuid7()), trial=clock.trial)]
