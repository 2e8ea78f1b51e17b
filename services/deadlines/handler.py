"""deadlines: claims deadlines whose instant has passed in legal time, and lets their notices lapse.

It takes no queue: due work lives in the database. It never punishes; `sanctions` decides what follows. A deadline that
ran out while the secure inbox was down is moved instead; while the inbox is down, what runs out waits. Any number of
processes may run, each skips what another holds.
Settings: `services/deadlines/settings.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from schemas.messages.hops import DeadlinePassedV1, PassedDeadline
from schemas.messages.outcomes import NoticeLapsedV1
from services.kernel.domain.changes import Announced, Change, DeadlinePassed, GateWaitSet
from services.kernel.domain.deadline import Deadline, extend
from services.kernel.domain.library import Library
from services.kernel.domain.notice import Channel, Event, Notice, State
from services.kernel.domain.outage import INBOX_WAS_DOWN, Outage, Up, last_day_after, outage_at
from services.kernel.ledger import Clock, DeadlineFacts, DueDeadline, Ledger, Unsent
from services.kernel.ports import Ids
from services.kernel.runtime.decision import announce
from services.kernel.runtime.effects import Writing, prolong

_MESSAGE_LOST = timedelta(seconds=30)
"""When the gate looks by itself if `deadline.passed` does not reach it."""
BY = "duly"
"""Who extends where no person need decide."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Decides about due deadlines, `most` in a transaction.

    `outage`: how long the secure inbox must have been down for a deadline within that time to move. `silence`: how long
    after its last word the inbox still counts as up.
    """

    library: Library
    ids: Ids
    most: int
    outage: timedelta
    silence: timedelta

    async def pass_due(self, ledger: Ledger) -> tuple[int, list[Unsent]]:
        """Decide what is due, in one transaction; how many were decided, and what may be published."""
        async with ledger.begin() as tx:
            due = await tx.claim_due(self.most)
            if not due:
                return 0, []
            changes = await self._decide(tx, due)
            unsent = await tx.write(changes)
        return sum(isinstance(change, DeadlinePassed) for change in changes), unsent

    async def _decide(self, tx: DeadlineFacts, due: Sequence[DueDeadline]) -> list[Change]:
        notices = await tx.lock(timer.notice_id for timer in due)
        ups = await tx.inbox_ups(min(timer.due_at for timer in due))
        clock = await tx.clock()
        changes: list[Change] = []
        passed: list[PassedDeadline] = []
        for timer in due:
            notice = notices[timer.notice_id]
            done = DeadlinePassed(timer.notice_id, timer.version, clock.legal)
            if notice.state is not State.SERVED or notice.deadline_version != timer.version:
                changes.append(done)  # a stale timer does nothing
                continue
            outage = self._outage(notice, timer, ups, clock)
            if outage is None:
                changes += [done, *_lapsed(notice, timer, clock)]
                passed.append(PassedDeadline(notice_id=timer.notice_id, version=timer.version))
            elif outage.until_at is not None and (deadline := await tx.current_deadline(timer.notice_id)):
                changes += [done, *self._moved(notice, deadline, outage, clock)]
        return [*changes, *_hop(self.ids, passed, clock)]

    def _outage(self, notice: Notice, timer: DueDeadline, ups: Sequence[Up], clock: Clock) -> Outage | None:
        """The outage that keeps this deadline from passing, or None."""
        if notice.channel is not Channel.SECURE_COMM:
            return None
        found = outage_at(timer.due_at, ups, clock.legal, self.silence)
        return found if found and (found.until_at is None or found.longer_than(self.outage)) else None

    def _moved(self, notice: Notice, before: Deadline, outage: Outage, clock: Clock) -> Sequence[Change]:
        """The business gets a whole working day after the inbox came back."""
        if outage.until_at is None:
            raise ValueError("an outage that lasts moves nothing yet")
        calendar = self.library.calendar(notice.regime)
        deadline = extend(
            before,
            last_day_after(outage.until_at, calendar),
            BY,
            INBOX_WAS_DOWN,
            calendar,
        )
        writing = Writing.begin(notice, clock.legal, "deadlines")
        down = {"inbox_down_from": outage.from_at.isoformat(), "inbox_down_until": outage.until_at.isoformat()}
        prolong(writing, deadline, before, **down)
        return writing.finished()


def _lapsed(notice: Notice, timer: DueDeadline, clock: Clock) -> list[Change]:
    """This timer is current: the time is over."""
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
