"""What named persons decide about a sanction: a discretionary one before it fires, and a reversal after it fired."""

from __future__ import annotations

from uuid import UUID

from schemas.messages.outcomes import NoticeUnservedV1, SanctionRescindedV1, SanctionUpheldV1
from services.kernel.domain.changes import GateWoken, ReversalDecided
from services.kernel.domain.notice import Event, Notice
from services.kernel.domain.persons import same_person
from services.kernel.runtime.desk import Desk, DeskFacts, SanctionCase, Word, locked, refusal
from services.kernel.runtime.effects import Writing, ended

RESCINDED = "the sanction that rested on it was rescinded"


async def decide(desk: Desk, sanction_id: UUID, said: Word) -> SanctionCase:
    """Decide that a discretionary sanction shall fire, once a second person approves and the gate allows it.

    Raises:
        Fault: there is no such sanction, it is automatic, not proposed any more, declined, or decided already.
    """
    async with desk.begin() as tx:
        case, notice = await _case(tx, sanction_id)
        _discretionary(case)
        if case.decided_by:
            raise refusal(f"{case.decided_by} has decided already", "another person approves: duly sanctions approve")
        await tx.sign_sanction(sanction_id, said.by, None)
        await _signed(tx, notice, case, "sanction.decided", said)
    return case


async def approve(desk: Desk, sanction_id: UUID, said: Word) -> SanctionCase:
    """Approve what another person decided; from here on the gate alone decides when it fires.

    Raises:
        Fault: there is no such sanction, nobody has decided, it is approved or declined already, or the same person
            decided.
    """
    async with desk.begin() as tx:
        case, notice = await _case(tx, sanction_id)
        _discretionary(case)
        if not case.decided_by:
            raise refusal("nobody has decided yet", "duly sanctions decide comes first")
        if case.approved_by:
            raise refusal(f"{case.approved_by} has approved already")
        if same_person(case.decided_by, said.by):
            raise refusal(f"{case.decided_by} decided and may not approve too", "another person must approve")
        await tx.sign_sanction(sanction_id, case.decided_by, said.by)
        await _signed(tx, notice, case, "sanction.approved", said)
    return case


async def decline(desk: Desk, sanction_id: UUID, said: Word) -> SanctionCase:
    """Decline a discretionary sanction, also one that others decided and approved; the gate then closes the notice.

    Raises:
        Fault: there is no such sanction, it is automatic, not proposed any more, or declined already.
    """
    async with desk.begin() as tx:
        case, notice = await _case(tx, sanction_id)
        _discretionary(case)
        await tx.lock_wait(notice.notice_id)  # as the gate does, after the notice and before the brake
        await tx.decline_sanction(sanction_id, said)
        await tx.write([GateWoken(notice.notice_id)])
    return case


async def rescind(desk: Desk, sanction_id: UUID, said: Word) -> SanctionCase:
    """Take back a sanction whose reversal is demanded. Where the notice was not delivered, it is unserved.

    Raises:
        Fault: there is no such sanction, or no reversal of it is to be decided.
    """
    async with desk.begin() as tx:
        case, notice = await _case(tx, sanction_id)
        _demanded(case)
        writing = Writing.begin(notice, (await tx.clock()).legal, said.by)
        writing.changes.append(ReversalDecided(sanction_id, "rescinded", said.by, writing.at, said.reason))
        _rescinded(writing, case, said)
        if not case.only_satisfied:
            _unserved(writing)
        await tx.write([*writing.finished(), GateWoken(reason="reversal_undecided")])
    return case


async def uphold(desk: Desk, sanction_id: UUID, said: Word) -> SanctionCase:
    """Keep a sanction whose reversal is demanded.

    Raises:
        Fault: there is no such sanction, or no reversal of it is to be decided.
    """
    async with desk.begin() as tx:
        case, notice = await _case(tx, sanction_id)
        _demanded(case)
        writing = Writing.begin(notice, (await tx.clock()).legal, said.by)
        writing.changes.append(ReversalDecided(sanction_id, "upheld", said.by, writing.at, said.reason))
        _upheld(writing, case, said)
        await tx.write([*writing.finished(), GateWoken(reason="reversal_undecided")])
    return case


async def _case(tx: DeskFacts, sanction_id: UUID) -> tuple[SanctionCase, Notice]:
    """The sanction as it stands once its notice is locked."""
    found = await tx.sanction_case(sanction_id)
    if found is None:
        raise refusal(f"there is no sanction {sanction_id}", "duly sanctions list shows them")
    notice = await locked(tx, found.notice_id)
    return await tx.sanction_case(sanction_id) or found, notice


def _discretionary(case: SanctionCase) -> None:
    if case.automatic:
        raise refusal(f"{case.kind} is automatic: the gate alone decides", "a hold stops it: duly holds place")
    if case.state != "proposed":
        raise refusal(f"the sanction is {case.state}: nothing is left to decide")
    if case.declined_by:
        raise refusal(f"{case.declined_by} has declined it already: the gate closes the notice")


def _demanded(case: SanctionCase) -> None:
    if case.state in {"rescinded", "upheld"}:
        raise refusal(f"the sanction is {case.state} already")
    if case.state != "reversal_required":
        raise refusal(f"the sanction is {case.state}: no reversal is demanded")


async def _signed(tx: DeskFacts, notice: Notice, case: SanctionCase, kind: str, said: Word) -> None:
    writing = Writing.begin(notice, (await tx.clock()).legal, said.by)
    writing.fact(kind, sanction_id=str(case.sanction_id), sanction=case.kind, reason=said.reason, by=said.by)
    await tx.write([*writing.finished(), GateWoken(notice.notice_id)])


def _upheld(writing: Writing, case: SanctionCase, said: Word) -> None:
    notice = writing.notice
    writing.fact("sanction.upheld", sanction_id=str(case.sanction_id), reason=said.reason, upheld_by=said.by)
    told = SanctionUpheldV1(
        notice_id=notice.notice_id, source_ref=notice.source_ref, sanction_id=case.sanction_id, kind=case.kind,
        upheld_by=said.by, reason=said.reason,
    )  # fmt: skip
    writing.tell("sanction.upheld.v1", told)


def _rescinded(writing: Writing, case: SanctionCase, said: Word) -> None:
    notice = writing.notice
    writing.fact(
        "sanction.rescinded", sanction_id=str(case.sanction_id), sanction=case.kind, reason=said.reason,
        rescinded_by=said.by,
    )  # fmt: skip
    told = SanctionRescindedV1(
        notice_id=notice.notice_id, source_ref=notice.source_ref, sanction_id=case.sanction_id, kind=case.kind,
        rescinded_by=said.by, reason=said.reason,
    )  # fmt: skip
    writing.tell("sanction.rescinded.v1", told)


def _unserved(writing: Writing) -> None:
    notice = writing.notice
    writing.move(Event.RESCIND)
    writing.fact("notice.unserved", reason=RESCINDED)
    told = NoticeUnservedV1(notice_id=notice.notice_id, source_ref=notice.source_ref, reason=RESCINDED)
    writing.tell("notice.unserved.v1", told)
    writing.changes += ended(notice)
