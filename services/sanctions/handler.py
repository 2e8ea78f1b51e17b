"""sanctions: takes `deadline.passed`, proposes the sanction, and fires it when the gate says so.

One notice a transaction: lock the notice and the brake; then, in later statements, read every fact; decide by the pure
`gate`; write. A wait stores when to look again, and every fact that unblocks wakes it.
Settings: `services/sanctions/settings.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from schemas.messages.hops import DeadlinePassedV1
from schemas.messages.outcomes import NoticeClosedV1, SanctionDeclinedV1, SanctionFiredV1, SanctionProposedV1
from services.kernel.domain.chain import Json
from services.kernel.domain.changes import (
    Change,
    GateWaitEnded,
    GateWaitSet,
    SanctionDropped,
    SanctionFired,
    SanctionProposed,
)
from services.kernel.domain.gate import Block, Fire, GateFacts, Reason, Wait, gate
from services.kernel.domain.library import Library
from services.kernel.domain.notice import Event, State
from services.kernel.ledger import GatePolicy, SanctionFacts, SanctionRow, SanctionWord
from services.kernel.ports import Ids
from services.kernel.runtime.decision import Decision, Quiet, dead, done
from services.kernel.runtime.effects import Writing
from services.kernel.runtime.gate_policy import gate_policy
from services.kernel.runtime.items import Item

log = structlog.get_logger()
_REASON_MOST = 1000


class Sanctions(Quiet):
    """Takes one notice at a time through the gate."""

    consumer = "sanctions"
    batch = 1

    def __init__(self, library: Library, ids: Ids) -> None:
        self._library, self._ids = library, ids

    async def decide(self, tx: SanctionFacts, items: Sequence[Item]) -> Sequence[Decision]:
        """One decision each."""
        return [await self._one(tx, item) for item in items]

    async def _one(self, tx: SanctionFacts, item: Item) -> Decision:
        version = item.data.deadlines[0].version if isinstance(item.data, DeadlinePassedV1) else 0
        notice = (await tx.lock([item.key.subject])).get(item.key.subject)
        if notice is None:
            return dead("no such notice")
        if notice.deadline_version != version:
            return done()  # a stale timer does nothing, and leaves the current version's wait alone
        await tx.lock_wait(notice.notice_id)
        policy = gate_policy(self._library, notice)
        if policy.kind is not None:
            await tx.lock_brake(policy.kind)
        facts, standing = await tx.gate_facts(notice, version, policy)
        writing = Writing.begin(notice, facts.now, "sanctions", item.envelope)
        self._through(writing, facts, standing, policy, version)
        return done(*(writing.finished() if writing.notice is not notice else writing.changes))

    def _through(
        self, writing: Writing, facts: GateFacts, standing: SanctionRow, policy: GatePolicy, version: int
    ) -> None:
        notice = writing.notice
        answer = gate(facts)
        if (
            policy.kind
            and standing.sanction_id is None
            and notice.state is State.LAPSED
            and not isinstance(answer, Block)
        ):
            self._propose(writing, facts, policy, policy.kind, version)
            return
        match answer:
            case Fire() if standing.sanction_id is not None and policy.kind:
                _fire(writing, standing, policy.kind, standing.word if facts.released else None)
            case Fire():
                _close(writing, "no sanction follows for this notice type")
            case Wait(reasons, look_again_at):
                codes = tuple(dict.fromkeys(reason.code for reason in reasons))
                writing.changes.append(GateWaitSet(notice.notice_id, version, look_again_at, codes))
            case Block(reasons):
                _decline(writing, standing, policy.kind, reasons)
                _block(writing, reasons)

    def _propose(self, writing: Writing, facts: GateFacts, policy: GatePolicy, kind: str, version: int) -> None:
        notice, sanction_id = writing.notice, self._ids.uuid7()
        until = facts.now + timedelta(seconds=policy.objection_window)
        writing.changes.append(
            SanctionProposed(
                sanction_id,
                notice.notice_id,
                version,
                notice.regime,
                notice.matter,
                kind,
                policy.automatic,
                facts.now,
                until,
            ),
        )
        writing.fact(
            "sanction.proposed", sanction_id=str(sanction_id), sanction=kind, objections_until=until.isoformat()
        )
        told = SanctionProposedV1(
            notice_id=notice.notice_id,
            source_ref=notice.source_ref,
            sanction_id=sanction_id,
            kind=kind,
            objections_until=until,
        )
        writing.tell("sanction.proposed.v1", told)
        writing.changes.append(GateWaitSet(notice.notice_id, version, facts.now, ("objection_window",)))


def _fire(writing: Writing, standing: SanctionRow, kind: str, release: SanctionWord | None) -> None:
    notice, sanction_id = writing.notice, standing.sanction_id
    if sanction_id is None:
        raise TypeError("a sanction fires only if it was proposed")
    writing.changes.append(SanctionFired(sanction_id, writing.at))
    writing.move(Event.SANCTION)
    writing.fact("sanction.fired", sanction_id=str(sanction_id), sanction=kind, **_released(release))
    told = SanctionFiredV1(
        notice_id=notice.notice_id,
        source_ref=notice.source_ref,
        sanction_id=sanction_id,
        kind=kind,
        matter=notice.matter,
        fired_at=writing.at,
    )
    writing.tell("sanction.fired.v1", told)
    writing.changes.append(GateWaitEnded(notice.notice_id))
    log.info("sanction.fired", notice_id=str(notice.notice_id), sanction_id=str(sanction_id))


def _released(release: SanctionWord | None) -> dict[str, Json]:
    """Who let this sanction past the brake, if anybody did."""
    if release is None:
        return {}
    return {"released_by": release.by, "release_reason": release.reason, **_batch(release)}


def _batch(word: SanctionWord) -> dict[str, Json]:
    return {"brake_batch": str(word.batch_id)} if word.batch_id else {}


def _decline(writing: Writing, standing: SanctionRow, kind: str | None, reasons: tuple[Reason, ...]) -> None:
    """What ends a proposal that a person declined is told before the notice is closed: by whom, and why."""
    notice, sanction_id, word = writing.notice, standing.sanction_id, standing.word
    if notice.state is not State.LAPSED or sanction_id is None or kind is None or word is None:
        return
    if all(reason.code != "declined" for reason in reasons):
        return
    writing.fact(
        "sanction.declined", sanction_id=str(sanction_id), sanction=kind, declined_by=word.by, reason=word.reason,
        **_batch(word),
    )  # fmt: skip
    told = SanctionDeclinedV1(
        notice_id=notice.notice_id, source_ref=notice.source_ref, sanction_id=sanction_id, kind=kind,
        declined_by=word.by, reason=word.reason,
    )  # fmt: skip
    writing.tell("sanction.declined.v1", told)


def _close(writing: Writing, reason: str) -> None:
    notice = writing.notice
    writing.move(Event.CLOSE)
    writing.fact("notice.closed", reason=reason)
    told = NoticeClosedV1(notice_id=notice.notice_id, source_ref=notice.source_ref, reason=reason[:_REASON_MOST])
    writing.tell("notice.closed.v1", told)
    writing.changes.append(GateWaitEnded(notice.notice_id))


def _block(writing: Writing, reasons: tuple[Reason, ...]) -> None:
    """Nothing will ever fire: the proposal is dropped, and a notice that is still lapsed is closed with the reasons."""
    ends: list[Change] = [SanctionDropped(writing.notice.notice_id), GateWaitEnded(writing.notice.notice_id)]
    writing.changes += ends
    if writing.notice.state is State.LAPSED:
        _close(writing, "; ".join(reason.text for reason in reasons))
