"""Notices in any state, written through the ledger as the workers would: moves, evidence, deadline, sanction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.chain import GENESIS
from services.kernel.domain.changes import (
    AttemptClaimed,
    Change,
    ContentStored,
    DeadlineSet,
    GateWaitEnded,
    GateWaitSet,
    NoticeInserted,
    ReversalDemanded,
    SanctionFired,
    SanctionProposed,
)
from services.kernel.domain.deadline import end_of_day
from services.kernel.domain.notice import Channel, Event, Notice, Origin, State
from services.kernel.runtime.effects import Writing

IDS = SystemIds()
KIND = "registration.cancel"
ROUTE = {
    State.ACCEPTED: (),
    State.RENDERED: (Event.RENDER,),
    State.SERVED: (Event.RENDER, Event.SERVE),
    State.SATISFIED: (Event.RENDER, Event.SERVE, Event.SATISFY),
    State.LAPSED: (Event.RENDER, Event.SERVE, Event.LAPSE),
    State.CLOSED: (Event.RENDER, Event.SERVE, Event.LAPSE, Event.CLOSE),
    State.SANCTIONED: (Event.RENDER, Event.SERVE, Event.LAPSE),
    State.UNSERVED: (Event.RENDER, Event.SERVE, Event.FAIL),
    State.WITHDRAWN: (Event.RENDER, Event.WITHDRAW),
}
FACT = {
    Event.RENDER: "notice.rendered",
    Event.SERVE: "notice.served",
    Event.SATISFY: "notice.satisfied",
    Event.LAPSE: "notice.lapsed",
    Event.CLOSE: "notice.closed",
    Event.FAIL: "notice.unserved",
    Event.WITHDRAW: "notice.withdrawn",
}
_NUMBERS = count(417)


@dataclass(frozen=True, slots=True)
class Made:
    """A notice in the database, its sanction if it has one, and its attempt."""

    notice: Notice
    sanction_id: UUID | None
    attempt_id: UUID

    @property
    def notice_id(self) -> UUID:
        return self.notice.notice_id


async def make(
    ledger: PostgresLedger, state: State, *, automatic: bool = True, days_ago: int | None = None, **properties: str
) -> Made:
    """A notice in that state. Lapsed ones have a proposed sanction, sanctioned ones a fired one.

    `days_ago`: when it was accepted; its deadline ends 21 days later. `properties` replace columns of the notice.
    """
    ended = state in {State.LAPSED, State.CLOSED, State.SANCTIONED}
    at = datetime.now(UTC) - timedelta(days=days_ago if days_ago is not None else (40 if ended else 1))
    writing = Writing.begin(_blank(at, properties), at, "test")
    writing.fact("notice.accepted")
    for event in ROUTE[state]:
        _step(writing, event)
    attempt = AttemptClaimed(IDS.uuid7(), writing.notice.notice_id, 1, "alert", writing.notice.address, 600.0)
    words = ContentStored(writing.notice.notice_id, "{}", "Words", "Words.", "<p>Words.</p>", b"\2" * 32)
    sanction_id = IDS.uuid7() if state in {State.LAPSED, State.SANCTIONED} else None
    if sanction_id:
        writing.changes += _proposal(writing, sanction_id, automatic=automatic)
    async with ledger.begin() as tx:
        await tx.write([NoticeInserted(writing.notice), words, attempt, *writing.changes])
    if state is State.SANCTIONED and sanction_id:
        writing = await _fired(ledger, writing.notice, sanction_id)
    return Made(writing.notice, sanction_id, attempt.attempt_id)


async def demand(ledger: PostgresLedger, made: Made, **data: str) -> None:
    """Demand the reversal of its sanction; `data` goes with the fact."""
    assert made.sanction_id
    async with ledger.begin() as tx:
        notice = (await tx.lock([made.notice_id]))[made.notice_id]
        writing = Writing.begin(notice, datetime.now(UTC), "bounces")
        writing.changes.append(ReversalDemanded(made.sanction_id, "came after", writing.at))
        writing.fact("sanction.reversal_required", sanction_id=str(made.sanction_id), reason="came after", **data)
        await tx.write(writing.finished())


async def notice_of(ledger: PostgresLedger, notice_id: UUID) -> Notice:
    """The notice as it stands."""
    async with ledger.begin() as tx:
        return (await tx.lock([notice_id]))[notice_id]


def _blank(at: datetime, properties: dict[str, str]) -> Notice:
    notice_id = IDS.uuid7()
    reference = f"fees/2026/{next(_NUMBERS):06}"
    notice = Notice(
        notice_id=notice_id, source="fees", source_ref=reference, data_hash=b"\0" * 32, regime="aml-supervision",
        notice_type="fee-outstanding", matter=f"fees/{reference}", business_id="XAML00000100417",
        channel=Channel.SECURE_COMM, origin=Origin.AUTOMATIC, language="en", address="owner@business.example",
        template_version="1", template_hash=b"\1" * 32, trial=False, state=State.ACCEPTED, seq=0,
        chain_head=GENESIS(notice_id), accepted_at=at, told=1,
    )  # fmt: skip
    return replace(notice, **properties)


def _step(writing: Writing, event: Event) -> None:
    if event is Event.SERVE:
        writing.notice = replace(writing.notice, content_available_at=writing.at, alert_accepted_at=writing.at)
        writing.changes.append(_deadline(writing))
    if event is Event.LAPSE:
        assert writing.notice.deadline_at
        writing.at = writing.notice.deadline_at + timedelta(seconds=1)
    writing.move(event)
    writing.fact(FACT[event])


def _deadline(writing: Writing) -> DeadlineSet:
    deemed = writing.at.date()
    due_on = deemed + timedelta(days=21)
    due_at = end_of_day(due_on, "Europe/London")
    writing.notice = replace(writing.notice, deemed_on=deemed, deadline_version=1, deadline_at=due_at)
    return DeadlineSet(
        writing.notice.notice_id, 1, deemed, 21, due_on, due_at, "Europe/London", "same day; 21 calendar days",
        "test 1", None, None,
    )  # fmt: skip


def _proposal(writing: Writing, sanction_id: UUID, *, automatic: bool) -> list[Change]:
    notice, until = writing.notice, writing.at + timedelta(hours=24)
    writing.fact("sanction.proposed", sanction_id=str(sanction_id))
    return [
        SanctionProposed(
            sanction_id, notice.notice_id, 1, notice.regime, notice.matter, KIND, automatic, writing.at, until
        ),
        GateWaitSet(notice.notice_id, 1, None, ("hold_open", "mark_missing")),
    ]  # fmt: skip


async def _fired(ledger: PostgresLedger, notice: Notice, sanction_id: UUID) -> Writing:
    assert notice.lapsed_at
    writing = Writing.begin(notice, notice.lapsed_at + timedelta(hours=25), "sanctions")
    writing.changes.append(SanctionFired(sanction_id, writing.at))
    writing.move(Event.SANCTION)
    writing.fact("sanction.fired", sanction_id=str(sanction_id))
    writing.changes.append(GateWaitEnded(notice.notice_id))
    async with ledger.begin() as tx:
        await tx.write(writing.finished())
    return writing
