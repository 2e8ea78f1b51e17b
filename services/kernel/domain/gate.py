"""The gate: the only way to a sanction, one function over plain facts that answers with every reason.

Clause numbers are those of "Sanction" in the design's law. The facts are read in statements later than the one that
locked the notice; every instant is UTC, from the database's clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import TERMINAL, State
from services.kernel.domain.persons import same_person

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class GateFacts:
    """All that decides whether one sanction of one notice may fire.

    `asked_version` is the deadline version for which the sanction was proposed. `waiting_evidence` has one text for
    each piece of evidence not yet decided that names this notice, its matter or its address: which, and why it waits.
    `marks_committed_through` is the latest timed mark committed through the evidence queue. `cap_per_hour` None means
    no cap. `decided_by` and `approved_by` matter only to discretionary kinds. `declined`: who declined this sanction,
    and why. `released`: a person released it from the brake after the switch was last thrown.
    """

    now: datetime
    state: State
    current_version: int | None
    asked_version: int
    deadline_at: datetime | None
    safety_delay: timedelta
    satisfied: bool
    open_holds: tuple[HoldKind, ...]
    last_hold_lifted_at: datetime | None
    minimum_after_hold: timedelta
    proposed_at: datetime | None
    objection_window: timedelta
    objected: bool
    waiting_evidence: tuple[str, ...]
    blocked_source: bool
    marks_committed_through: datetime | None
    stop_switch: bool
    cap_per_hour: int | None
    fired_last_hour: int
    automatic: bool
    decided_by: str | None
    approved_by: str | None
    effective_sanction_in_matter: bool
    undecided_reversal_in_matter: bool
    declined: str | None
    released: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """Why not: a stable code for machines, a text for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Fire:
    """Nothing stands against it."""

    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now. `look_again_at` is the latest instant known among the reasons, None if only a fact can unblock it."""

    reasons: tuple[Reason, ...]
    look_again_at: datetime | None


@dataclass(frozen=True, slots=True)
class Block:
    """Never, as asked. `reasons` also holds what it would have waited for."""

    reasons: tuple[Reason, ...]


_Waits = Iterator[tuple[Reason, datetime | None]]


def gate(facts: GateFacts) -> Fire | Wait | Block:
    """Decide whether the sanction fires, waits or is blocked, with every reason that applies."""
    blocks = tuple(_blocks(facts))
    waits = (*_clause_1(facts), *_clause_2(facts), *_clause_3(facts), *_clause_4(facts), *_people_and_matter(facts))
    reasons = (*blocks, *(reason for reason, _ in waits))
    if blocks:
        return Block(reasons)
    if waits:
        return Wait(reasons, max((until for _, until in waits if until is not None), default=None))
    return Fire()


def _blocks(facts: GateFacts) -> Iterator[Reason]:
    """Clause 1, one effective sanction a matter, and a person's word against it: what no waiting can mend."""
    if facts.state in TERMINAL:
        yield Reason("state_ended", f"the notice is {facts.state}")
    if facts.current_version != facts.asked_version:
        yield Reason(
            "stale_version",
            f"proposed for deadline version {facts.asked_version}; current is {facts.current_version or 'none'}",
        )
    if facts.satisfied:
        yield Reason("satisfied", "what satisfies the notice was received in time")
    if facts.effective_sanction_in_matter:
        yield Reason("matter_sanctioned", "an effective sanction stands in this matter")
    if facts.declined is not None:
        yield Reason("declined", f"declined by {facts.declined}")


def _clause_1(facts: GateFacts) -> _Waits:
    """Clause 1: the notice is lapsed, its deadline over, and the regime's safety delay too."""
    if facts.state is not State.LAPSED and facts.state not in TERMINAL:
        yield Reason("not_lapsed", f"the notice is {facts.state}, not lapsed"), None
    if facts.deadline_at is None:
        yield Reason("no_deadline", "the notice has no deadline"), None
        return
    safe_at = facts.deadline_at + facts.safety_delay
    if facts.now < facts.deadline_at:
        yield Reason("deadline_ahead", f"the deadline is {facts.deadline_at.isoformat()}"), safe_at
    elif facts.now < safe_at:
        yield Reason("safety_delay", f"the safety delay ends {safe_at.isoformat()}"), safe_at


def _clause_2(facts: GateFacts) -> _Waits:
    """Clause 2: no hold open, the minimum after a hold over, the objection window over without an objection."""
    for kind in facts.open_holds:
        yield Reason("hold_open", f"a hold is open: {kind}"), None
    if facts.last_hold_lifted_at is not None:
        free_at = facts.last_hold_lifted_at + facts.minimum_after_hold
        if facts.now < free_at:
            yield Reason("after_hold", f"the minimum after a hold ends {free_at.isoformat()}"), free_at
    if facts.objected:
        yield Reason("objected", "upstream objects to the sanction"), None
    if facts.proposed_at is None:
        yield Reason("not_proposed", "the sanction was not proposed, so nobody could object"), None
    elif facts.now < (closes_at := facts.proposed_at + facts.objection_window):
        yield Reason("objection_window", f"the objection window ends {closes_at.isoformat()}"), closes_at


def _clause_3(facts: GateFacts) -> _Waits:
    """Clause 3: no evidence waits, the source is decodable, a mark sent after the deadline is committed."""
    for waiting in facts.waiting_evidence:
        yield Reason("evidence_waiting", waiting), None
    if facts.blocked_source:
        yield Reason("source_blocked", "undecodable evidence from this source waits for a person"), None
    through = facts.marks_committed_through
    if facts.deadline_at is not None and (through is None or through < facts.deadline_at):
        seen = "none" if through is None else through.isoformat()
        yield Reason("mark_missing", f"evidence is not known complete to the deadline; last mark: {seen}"), None


def _clause_4(facts: GateFacts) -> _Waits:
    """Clause 4: the brake, unless a person released this very sanction from it.

    A full hour is looked at again when, on average, its next place is free.
    """
    if facts.released:
        return
    if facts.stop_switch:
        yield Reason("stopped", "the stop switch is on"), None
    if facts.cap_per_hour is not None and facts.fired_last_hour >= facts.cap_per_hour:
        text = f"{facts.fired_last_hour} fired in the last hour; the cap is {facts.cap_per_hour}"
        yield Reason("cap_reached", text), facts.now + max(_MINUTE, _HOUR / max(1, facts.cap_per_hour))


def _people_and_matter(facts: GateFacts) -> _Waits:
    """Discretionary kinds need two different named people; none fires while a reversal in the matter is undecided."""
    if not facts.automatic:
        if not facts.decided_by:
            yield Reason("not_decided", "a discretionary sanction needs a named decision maker"), None
        if not facts.approved_by:
            yield Reason("not_approved", "a discretionary sanction needs a named second approver"), None
        elif facts.decided_by and same_person(facts.approved_by, facts.decided_by):
            yield Reason("same_person", f"{facts.decided_by} decided and may not approve too"), None
    if facts.undecided_reversal_in_matter:
        yield Reason("reversal_undecided", "an earlier reversal in this matter is undecided"), None
