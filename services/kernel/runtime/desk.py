"""The desk: what named persons do to a notice. Each act is one transaction, with who and why in the evidence.

An act locks the notice first and reads what it decides by in later statements. What upstream is told waits in the
outbox; `relay` publishes it.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from schemas.messages.fields import Person, Reason
from schemas.messages.outcomes import HoldLiftedV1
from services.kernel.domain import holds
from services.kernel.domain.changes import EvidenceJudged, GateWoken, HoldLifted
from services.kernel.domain.deadline import Deadline, ExtensionRefused, extend
from services.kernel.domain.holds import Hold, HoldKind, HoldRefused
from services.kernel.domain.library import Library
from services.kernel.domain.notice import TERMINAL, Notice, State
from services.kernel.ledger import Locks, RawEvidence
from services.kernel.ports import Ids
from services.kernel.runtime import effects
from services.kernel.runtime.effects import Writing, prolong
from services.kernel.runtime.fault import Exit, Fault

_PERSON: TypeAdapter[str] = TypeAdapter(Person)
_REASON: TypeAdapter[str] = TypeAdapter(Reason)
_SETTLED = {"processed", "refused", "cleared"}


@dataclass(frozen=True, slots=True)
class Word:
    """Who decides, and why: no act without both."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class SanctionCase:
    """A sanction as a person decides about it.

    `only_satisfied`: what its reversal rests on says that the notice was satisfied in time, and nothing says that it
    was not delivered.
    """

    sanction_id: UUID
    notice_id: UUID
    kind: str
    automatic: bool
    state: str
    decided_by: str | None
    approved_by: str | None
    declined_by: str | None
    only_satisfied: bool


class DeskFacts(Locks, Protocol):
    """What the desk's transactions read and write beyond every worker's."""

    async def hold(self, hold_id: UUID) -> tuple[UUID, Hold] | None:
        """A hold, with the id of its notice."""

    async def current_deadline(self, notice_id: UUID) -> Deadline | None:
        """The current deadline version of a notice."""

    async def sanction_case(self, sanction_id: UUID) -> SanctionCase | None:
        """A sanction, as a person decides about it."""

    async def sign_sanction(self, sanction_id: UUID, decided_by: str, approved_by: str | None) -> None:
        """Who decided, and who approved."""

    async def lock_wait(self, notice_id: UUID) -> None:
        """Lock the gate's wait for this notice."""

    async def decline_sanction(self, sanction_id: UUID, said: Word) -> None:
        """Keep a person's word against a proposed sanction, for the gate."""

    async def evidence(self, evidence_ids: list[UUID]) -> dict[UUID, RawEvidence]:
        """These pieces of raw evidence, locked."""


class Desk(Protocol):
    """Where the desk's transactions come from."""

    def begin(self) -> AbstractAsyncContextManager[DeskFacts]:
        """A transaction: committed when the block ends, rolled back when it raises."""


def word(by: str, reason: str) -> Word:
    """Who and why, checked as upstream will be told it.

    Raises:
        Fault: one of them is blank, too long, or not plain text.
    """
    for what, value, adapter in (("name", by, _PERSON), ("reason", reason, _REASON)):
        try:
            adapter.validate_python(value.strip())
        except ValidationError as error:
            wrong = error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")
            raise Fault(f"the {what} cannot be recorded: {wrong}", "", f"give a {what}", code=Exit.USAGE) from None
    return Word(by.strip(), reason.strip())


def refusal(what: str, todo: str = "") -> Fault:
    """The law refuses an act."""
    return Fault(what, "", todo, code=Exit.NO)


async def locked(tx: Locks, notice_id: UUID) -> Notice:
    """The notice, locked.

    Raises:
        Fault: there is none.
    """
    found = (await tx.lock([notice_id])).get(notice_id)
    if found is None:
        raise refusal(f"there is no notice {notice_id}", "duly notices list shows the newest")
    return found


async def place_hold(desk: Desk, ids: Ids, notice_id: UUID, kind: HoldKind, said: Word) -> UUID:
    """Place a hold; returns its id. No sanction fires while it is open.

    Raises:
        Fault: there is no such notice, or nothing is left that a hold could stop.
    """
    async with desk.begin() as tx:
        notice = await locked(tx, notice_id)
        if notice.state in TERMINAL or (notice.state is State.SERVED and notice.deadline_at is None):
            raise refusal(f"the notice is {notice.state}: nothing is left that a hold could stop")
        writing = Writing.begin(notice, (await tx.clock()).legal, said.by)
        hold = holds.place(ids.uuid7(), kind, said.reason, said.by, writing.at)
        effects.place_hold(writing, hold.hold_id, hold.kind, hold.reason, hold.placed_by)
        await tx.write(writing.finished())
    return hold.hold_id


async def lift_hold(desk: Desk, hold_id: UUID, said: Word) -> UUID:
    """Lift a hold; returns its notice's id. After the last one the regime's minimum runs before a sanction.

    Raises:
        Fault: there is no such hold, or it is lifted already.
    """
    async with desk.begin() as tx:
        found = await tx.hold(hold_id)
        if found is None:
            raise refusal(f"there is no hold {hold_id}", "duly holds list shows those that are open")
        notice = await locked(tx, found[0])
        now = await tx.hold(hold_id) or found  # again, now that nobody else can lift it
        writing = Writing.begin(notice, (await tx.clock()).legal, said.by)
        try:
            hold = holds.lift(now[1], said.reason, said.by, writing.at)
        except HoldRefused as refused:
            raise refusal(str(refused)) from refused
        _lifted(writing, hold, said)
        await tx.write(writing.finished())
    return notice.notice_id


def _lifted(writing: Writing, hold: Hold, said: Word) -> None:
    notice = writing.notice
    writing.changes.append(HoldLifted(hold.hold_id, said.by, writing.at, said.reason))
    writing.fact(
        "hold.lifted", hold_id=str(hold.hold_id), hold_kind=hold.kind.value, reason=said.reason, lifted_by=said.by
    )
    told = HoldLiftedV1(
        notice_id=notice.notice_id, source_ref=notice.source_ref, hold_id=hold.hold_id, reason=said.reason,
        lifted_by=said.by,
    )  # fmt: skip
    writing.tell("hold.lifted.v1", told)
    writing.changes.append(GateWoken(notice.notice_id))


async def extend_deadline(desk: Desk, library: Library, notice_id: UUID, due_on: date, said: Word) -> Deadline:
    """Give more time: a new version of the deadline, on a later last day; the timer of the old one does nothing.

    Raises:
        Fault: no deadline runs, it is over, or the day is not later.
    """
    async with desk.begin() as tx:
        notice = await locked(tx, notice_id)
        now = (await tx.clock()).legal
        current = await _running(tx, notice, now)
        calendar = library.calendar(notice.regime)
        if due_on > calendar.last:
            raise refusal(f"{due_on} is beyond the calendar, which ends on {calendar.last}")
        try:
            deadline = extend(current, due_on, said.by, said.reason, calendar)
        except ExtensionRefused as refused:
            raise refusal(str(refused)) from refused
        writing = Writing.begin(notice, now, said.by)
        prolong(writing, deadline, current)
        await tx.write(writing.finished())
    return deadline


async def _running(tx: DeskFacts, notice: Notice, now: datetime) -> Deadline:
    current = await tx.current_deadline(notice.notice_id)
    if notice.state is State.LAPSED or (current is not None and now >= current.due_at):
        raise refusal("the deadline has passed: what is over is not extended", "place a hold to stop the sanction")
    if notice.state is not State.SERVED or current is None:
        raise refusal(f"the notice is {notice.state}: no deadline runs")
    return current


async def clear_evidence(desk: Desk, evidence_id: UUID, said: Word) -> UUID | None:
    """Say that a piece of raw evidence needs no more looking at; returns the id of the notice that it names, if any.

    Raises:
        Fault: there is no such evidence, or it is dealt with already.
    """
    async with desk.begin() as tx:
        found = (await tx.evidence([evidence_id])).get(evidence_id)
        if found is None:
            raise refusal(f"there is no evidence {evidence_id}", "duly evidence list shows what is open")
        if found.state in _SETTLED:
            raise refusal(f"this evidence is {found.state} already")
        notices = await tx.lock([found.notice_id]) if found.notice_id else {}
        at = (await tx.clock()).legal
        judged = EvidenceJudged(evidence_id, "cleared", f"cleared by {said.by}: {said.reason}", None, ())
        woken = (GateWoken(reason="source_blocked"), GateWoken(reason="evidence_waiting"))
        await tx.write([judged, *woken])
        for notice in notices.values():
            writing = Writing.begin(notice, at, said.by)
            writing.fact("evidence.cleared", evidence_id=str(evidence_id), reason=said.reason, cleared_by=said.by)
            await tx.write([*writing.finished(), GateWoken(notice.notice_id)])
    return found.notice_id
