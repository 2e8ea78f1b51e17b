"""From a response to its effect (the design's law, "Response and satisfaction")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.kernel.domain.evidence import DemandReversal, Park, PlaceHold, RecordOnly
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import TABLE, Arrow, Event, State
from services.kernel.domain.regime import Satisfier


class ResponseKind(StrEnum):
    """What was received about a notice."""

    PAYMENT = "payment"
    ANSWER = "answer"
    EVIDENCE = "evidence"
    CONFIRMATION = "confirmation"
    OTHER_FACT = "other_fact"
    QUESTION = "question"
    DISPUTE = "dispute"
    OBJECTION = "objection"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, slots=True)
class ResponseFacts:
    """What is known of one response to one notice, read after the notice is locked. All instants are UTC.

    `received_at` was fixed at our door in the durable insert. `vouched_received_at` is what the source says, heard only
    if `source_may_vouch` and only if it is earlier. `deadline_at` is the current version's, None if no deadline runs.
    """

    kind: ResponseKind
    received_at: datetime
    vouched_received_at: datetime | None
    source_may_vouch: bool
    deadline_at: datetime | None
    state: State
    satisfied_by: frozenset[Satisfier]
    sanction_stands: bool

    @property
    def counts_as_received_at(self) -> datetime:
        """What decides whether it is in time: our door's instant, or an earlier one that a trusted source vouched."""
        if self.source_may_vouch and self.vouched_received_at is not None:
            return min(self.received_at, self.vouched_received_at)
        return self.received_at

    @property
    def in_time(self) -> bool:
        """Whether it was received before the last day ended, however late it is processed."""
        return self.deadline_at is None or self.counts_as_received_at < self.deadline_at

    @property
    def is_what_was_asked(self) -> bool:
        """Whether this kind of response satisfies this notice type."""
        return self.kind.value in {satisfier.value for satisfier in self.satisfied_by}


@dataclass(frozen=True, slots=True)
class Satisfy:
    """It ends the notice: received in time, what was asked for."""

    received_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Upstream takes the notice back."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReportLate:
    """Recorded, and reported to a person: a sanction stands."""

    reason: str


ResponseEffect = Satisfy | PlaceHold | Withdraw | ReportLate | DemandReversal | Park | RecordOnly


def effect_of_response(facts: ResponseFacts) -> ResponseEffect:
    """Decide what one response does to its notice. Safe to ask again: a repeated one is recorded only."""
    if facts.sanction_stands or facts.state is State.SANCTIONED:
        return _after_the_sanction(facts)
    if facts.kind is ResponseKind.WITHDRAWAL:
        return _withdrawal(facts.state)
    if facts.state in {State.ACCEPTED, State.RENDERED}:
        return Park("not served yet: looked at again after service")
    if facts.state not in {State.SERVED, State.LAPSED}:
        return RecordOnly(f"the notice is {facts.state} already")
    if facts.satisfied_by <= {Satisfier.NOTHING}:
        return _asked_for_nothing(facts)
    return _while_it_runs(facts)


def _asked_for_nothing(facts: ResponseFacts) -> PlaceHold | RecordOnly:
    """Nothing follows from such a notice; but whoever asks or objects is owed a person who looks."""
    if facts.kind in {ResponseKind.QUESTION, ResponseKind.DISPUTE}:
        return PlaceHold(HoldKind.CONTESTED, f"{facts.kind} received about a notice that asks for nothing")
    return RecordOnly("the notice asks for nothing")


def _after_the_sanction(facts: ResponseFacts) -> ReportLate | DemandReversal:
    if not facts.in_time:
        return ReportLate(f"{facts.kind} received after the deadline, known after the sanction")
    if facts.is_what_was_asked:
        return DemandReversal(f"{facts.kind} was received in time, and became known after the sanction")
    return ReportLate(f"{facts.kind} known after the sanction")


def _withdrawal(state: State) -> Withdraw | RecordOnly:
    found = TABLE[state, Event.WITHDRAW]
    return Withdraw(found.reason) if isinstance(found, Arrow) else RecordOnly(found.reason)


def _while_it_runs(facts: ResponseFacts) -> Satisfy | PlaceHold:
    if facts.kind is ResponseKind.OBJECTION:
        return PlaceHold(HoldKind.OBJECTION, "upstream objects to the sanction")
    if not facts.in_time:
        return PlaceHold(HoldKind.LATE_RESPONSE, f"{facts.kind} received after the deadline and before a sanction")
    if facts.is_what_was_asked:
        return Satisfy(facts.counts_as_received_at, f"{facts.kind} received in time")
    return PlaceHold(HoldKind.CONTESTED, f"{facts.kind} received in time, which is not what satisfies this notice")
