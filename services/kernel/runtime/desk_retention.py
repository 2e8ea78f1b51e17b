"""Legal holds, and asking to erase early: what named persons do about retention, one transaction each.

Placing and lifting take a turn alone: what is being erased at that moment is finished first, and all that follows sees
the hold. A hold on one notice is in its chain. Nobody here erases: `relay` does, and decides again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from services.kernel.domain.library import Library
from services.kernel.domain.retention import Erase, Keep
from services.kernel.ledger.retention import LegalHold, RetentionActs, RetentionDesk
from services.kernel.ports import Ids
from services.kernel.runtime.desk import Word, locked, refusal
from services.kernel.runtime.effects import Writing
from services.kernel.runtime.retention import weigh


@dataclass(frozen=True, slots=True)
class Held:
    """On what a legal hold is placed: exactly one of a notice, a matter under a regime, and a business."""

    notice_id: UUID | None = None
    regime: str | None = None
    matter: str | None = None
    business_id: str | None = None


async def place_legal_hold(desk: RetentionDesk, ids: Ids, held: Held, said: Word) -> UUID:
    """Place a legal hold; returns its id. No content of what it is on is erased while it is open.

    Raises:
        Fault: there is no such notice.
    """
    async with desk.begin() as tx:
        await tx.legal_hold_turn()
        hold = LegalHold(
            ids.uuid7(), held.notice_id, held.regime, held.matter, held.business_id, said.reason, said.by,
            (await tx.clock()).legal,
        )  # fmt: skip
        if held.notice_id is not None:
            await locked(tx, held.notice_id)
        await tx.place_legal_hold(hold)
        await _told(tx, hold, "legal_hold.placed", said)
    return hold.legal_hold_id


async def lift_legal_hold(desk: RetentionDesk, legal_hold_id: UUID, said: Word) -> LegalHold:
    """Lift a legal hold; what it was on is looked at again within a day.

    Raises:
        Fault: there is no such legal hold, or it is lifted already.
    """
    async with desk.begin() as tx:
        await tx.legal_hold_turn()
        hold = await tx.legal_hold(legal_hold_id)
        if hold is None:
            raise refusal(f"there is no legal hold {legal_hold_id}", "duly retention holds shows those that are open")
        if hold.lifted_at is not None:
            raise refusal(f"{hold.lifted_by} has lifted this legal hold already")
        at = (await tx.clock()).legal
        lifted = replace(hold, lifted_by=said.by, lifted_at=at, lift_reason=said.reason)
        await tx.lift_legal_hold(lifted)
        await _told(tx, hold, "legal_hold.lifted", said)
    return lifted


async def _told(tx: RetentionActs, hold: LegalHold, kind: str, said: Word) -> None:
    """The fact in the chain of the notice, if the hold is on one."""
    if hold.notice_id is None:
        return
    notice = await locked(tx, hold.notice_id)
    writing = Writing.begin(notice, (await tx.clock()).legal, said.by)
    writing.fact(kind, legal_hold_id=str(hold.legal_hold_id), reason=said.reason)
    await tx.write(writing.finished())


async def ask_erasure(
    desk: RetentionDesk, library: Library, notice_id: UUID, said: Word | None
) -> Erase | Keep:  # fmt: skip
    """Ask that the content of a notice be erased now; None in place of a word: only say what would be answered.

    If nothing stands against it the wish is noted, and `relay` erases in its next round, unless the law needs the
    content again by then. What is answered is every reason there is.

    Raises:
        Fault: there is no such notice.
    """
    async with desk.begin() as tx:
        notice = await locked(tx, notice_id)
        kept = (await tx.kept([notice_id]))[notice_id]
        verdict = weigh(library, notice, kept, asked=True)
        if said is not None and isinstance(verdict, Erase):
            await tx.ask_erasure(notice_id, said.by, said.reason)
    return verdict
