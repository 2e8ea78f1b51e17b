"""A notice, its states, and the one table by which states move.

Every pair of state and event is an arrow with its reason or a listed refusal; nothing else may move a notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class State(StrEnum):
    """Where a notice stands."""

    ACCEPTED = "accepted"
    RENDERED = "rendered"
    SERVED = "served"
    SATISFIED = "satisfied"
    LAPSED = "lapsed"
    CLOSED = "closed"
    SANCTIONED = "sanctioned"
    UNSERVED = "unserved"
    WITHDRAWN = "withdrawn"


class Event(StrEnum):
    """What can happen to a notice and move its state."""

    RENDER = "render"
    SERVE = "serve"
    SATISFY = "satisfy"
    LAPSE = "lapse"
    CLOSE = "close"
    SANCTION = "sanction"
    FAIL = "fail"
    RESCIND = "rescind"
    WITHDRAW = "withdraw"


class Channel(StrEnum):
    """How a notice reaches its recipient."""

    SECURE_COMM = "secure_comm"
    LETTER = "letter"
    FAX = "fax"
    EMAIL = "email"


class Origin(StrEnum):
    """Who began it: a trigger (a fee outstanding, a debt due) or a caseworker."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


@dataclass(frozen=True)
class Notice:
    """The hot row of one notice: who, what, and where it stands. All instants are UTC-aware, from the database's clock.

    `asked_*` is an approved shorter period, `respond_by` a fixed date that upstream asked for.
    `told` counts the events that upstream was told of it.
    `seq` and `chain_head` are the number and the SHA-256 of the last event in its evidence chain.
    `traceparent` is what upstream gave with its request (W3C Trace Context): no part of the law.
    """

    notice_id: UUID
    source: str
    source_ref: str
    data_hash: bytes
    regime: str
    notice_type: str
    matter: str
    business_id: str
    channel: Channel
    origin: Origin
    language: str
    address: str
    template_version: str
    template_hash: bytes
    trial: bool
    state: State
    seq: int
    chain_head: bytes
    accepted_at: datetime
    rendered_at: datetime | None = None
    content_available_at: datetime | None = None
    alert_accepted_at: datetime | None = None
    served_at: datetime | None = None
    deemed_on: date | None = None
    deadline_version: int | None = None
    deadline_at: datetime | None = None
    satisfied_at: datetime | None = None
    lapsed_at: datetime | None = None
    closed_at: datetime | None = None
    sanctioned_at: datetime | None = None
    unserved_at: datetime | None = None
    withdrawn_at: datetime | None = None
    asked_days: int | None = None
    asked_reason: str | None = None
    asked_approver: str | None = None
    respond_by: date | None = None
    told: int = 0
    traceparent: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Notice:
        """A notice from all its values by name, each already of its type; for rows of our own table."""
        notice = object.__new__(cls)
        notice.__dict__.update(values)
        return notice

    def but(self, **changes: object) -> Notice:
        """A copy with other values; `dataclasses.replace` costs eight times as much on so wide a row."""
        if changes.keys() - self.__dict__.keys():
            raise TypeError(f"a notice has no {', '.join(sorted(changes.keys() - self.__dict__.keys()))}")
        copy = object.__new__(Notice)
        copy.__dict__.update(self.__dict__, **changes)
        return copy


@dataclass(frozen=True, slots=True)
class Arrow:
    """An event moves the state, and why it may."""

    to: State
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event leaves the state as it is, and why it must. Expected, as duplicates and late news are."""

    reason: str


TABLE: Mapping[tuple[State, Event], Arrow | Refusal] = {
    (State.ACCEPTED, Event.RENDER): Arrow(State.RENDERED, "the content exists, pinned to its template version"),
    (State.ACCEPTED, Event.SERVE): Refusal("nothing is rendered yet"),
    (State.ACCEPTED, Event.SATISFY): Refusal("not served yet: nothing is asked of the recipient"),
    (State.ACCEPTED, Event.LAPSE): Refusal("not served: no deadline runs"),
    (State.ACCEPTED, Event.CLOSE): Refusal("not lapsed"),
    (State.ACCEPTED, Event.SANCTION): Refusal("not served: no sanction without service"),
    (State.ACCEPTED, Event.FAIL): Refusal("nothing was sent yet"),
    (State.ACCEPTED, Event.RESCIND): Refusal("no sanction stands"),
    (State.ACCEPTED, Event.WITHDRAW): Arrow(State.WITHDRAWN, "upstream's word"),
    (State.RENDERED, Event.RENDER): Refusal("rendered already: a request may be delivered twice"),
    (State.RENDERED, Event.SERVE): Arrow(State.SERVED, "every fact of service is recorded"),
    (State.RENDERED, Event.SATISFY): Refusal("not served yet: looked at again after service"),
    (State.RENDERED, Event.LAPSE): Refusal("not served: no deadline runs"),
    (State.RENDERED, Event.CLOSE): Refusal("not lapsed"),
    (State.RENDERED, Event.SANCTION): Refusal("not served: no sanction without service"),
    (State.RENDERED, Event.FAIL): Arrow(State.UNSERVED, "final evidence of non-delivery"),
    (State.RENDERED, Event.RESCIND): Refusal("no sanction stands"),
    (State.RENDERED, Event.WITHDRAW): Arrow(State.WITHDRAWN, "upstream's word"),
    (State.SERVED, Event.RENDER): Refusal("rendered and served already"),
    (State.SERVED, Event.SERVE): Refusal("served already: mail systems report twice"),
    (State.SERVED, Event.SATISFY): Arrow(State.SATISFIED, "what satisfies it was received in time"),
    (State.SERVED, Event.LAPSE): Arrow(State.LAPSED, "the deadline passed without it"),
    (State.SERVED, Event.CLOSE): Refusal("not lapsed"),
    (State.SERVED, Event.SANCTION): Refusal("not lapsed: the deadline has not been found passed"),
    (State.SERVED, Event.FAIL): Arrow(State.UNSERVED, "a final failure counts also after an acceptance"),
    (State.SERVED, Event.RESCIND): Refusal("no sanction stands"),
    (State.SERVED, Event.WITHDRAW): Arrow(State.WITHDRAWN, "upstream's word"),
    (State.SATISFIED, Event.RENDER): Refusal("ended: satisfied"),
    (State.SATISFIED, Event.SERVE): Refusal("served already: mail systems report twice"),
    (State.SATISFIED, Event.SATISFY): Refusal("satisfied already: payments are reported twice"),
    (State.SATISFIED, Event.LAPSE): Refusal("satisfied in time: a stale timer does nothing"),
    (State.SATISFIED, Event.CLOSE): Refusal("ended: satisfied"),
    (State.SATISFIED, Event.SANCTION): Refusal("satisfied: what satisfied it in time always prevents a sanction"),
    (State.SATISFIED, Event.FAIL): Refusal("satisfied: whether it was delivered no longer decides anything"),
    (State.SATISFIED, Event.RESCIND): Refusal("no sanction stands"),
    (State.SATISFIED, Event.WITHDRAW): Arrow(State.WITHDRAWN, "upstream's word"),
    (State.LAPSED, Event.RENDER): Refusal("rendered and served already"),
    (State.LAPSED, Event.SERVE): Refusal("served already: mail systems report twice"),
    (State.LAPSED, Event.SATISFY): Arrow(State.SATISFIED, "received in time, processed after the deadline"),
    (State.LAPSED, Event.LAPSE): Refusal("lapsed already: a timer may fire twice"),
    (State.LAPSED, Event.CLOSE): Arrow(State.CLOSED, "no sanction follows"),
    (State.LAPSED, Event.SANCTION): Arrow(State.SANCTIONED, "the gate let it fire"),
    (State.LAPSED, Event.FAIL): Arrow(State.UNSERVED, "a final failure counts however late it arrives"),
    (State.LAPSED, Event.RESCIND): Refusal("no sanction stands"),
    (State.LAPSED, Event.WITHDRAW): Arrow(State.WITHDRAWN, "upstream's word, before a sanction"),
    (State.CLOSED, Event.RENDER): Refusal("ended: closed"),
    (State.CLOSED, Event.SERVE): Refusal("ended: closed"),
    (State.CLOSED, Event.SATISFY): Refusal("closed: recorded, nothing more follows"),
    (State.CLOSED, Event.LAPSE): Refusal("lapsed and closed already"),
    (State.CLOSED, Event.CLOSE): Refusal("closed already"),
    (State.CLOSED, Event.SANCTION): Refusal("closed: no sanction follows"),
    (State.CLOSED, Event.FAIL): Refusal("closed: nothing followed that a failure could undo"),
    (State.CLOSED, Event.RESCIND): Refusal("no sanction stands"),
    (State.CLOSED, Event.WITHDRAW): Refusal("closed: nothing is left to withdraw"),
    (State.SANCTIONED, Event.RENDER): Refusal("ended: sanctioned"),
    (State.SANCTIONED, Event.SERVE): Refusal("served already: mail systems report twice"),
    (State.SANCTIONED, Event.SATISFY): Refusal("a sanction stands: report it to a person"),
    (State.SANCTIONED, Event.LAPSE): Refusal("lapsed and sanctioned already"),
    (State.SANCTIONED, Event.CLOSE): Refusal("ended: sanctioned"),
    (State.SANCTIONED, Event.SANCTION): Refusal("sanctioned already: one effective sanction a matter"),
    (State.SANCTIONED, Event.FAIL): Refusal("a sanction stands: demand a reversal"),
    (State.SANCTIONED, Event.RESCIND): Arrow(State.UNSERVED, "a named person rescinded the sanction"),
    (State.SANCTIONED, Event.WITHDRAW): Refusal("a sanction stands: it is rescinded, not withdrawn"),
    (State.UNSERVED, Event.RENDER): Refusal("void: unserved from the start"),
    (State.UNSERVED, Event.SERVE): Refusal("a notice is never un-unserved: re-serve in the same matter"),
    (State.UNSERVED, Event.SATISFY): Refusal("void: unserved from the start"),
    (State.UNSERVED, Event.LAPSE): Refusal("void: its deadline never ran"),
    (State.UNSERVED, Event.CLOSE): Refusal("void: unserved from the start"),
    (State.UNSERVED, Event.SANCTION): Refusal("void: no sanction without service"),
    (State.UNSERVED, Event.FAIL): Refusal("unserved already: mail systems report twice"),
    (State.UNSERVED, Event.RESCIND): Refusal("unserved already: no sanction stands"),
    (State.UNSERVED, Event.WITHDRAW): Refusal("void already"),
    (State.WITHDRAWN, Event.RENDER): Refusal("withdrawn"),
    (State.WITHDRAWN, Event.SERVE): Refusal("withdrawn: an acceptance that comes after it is recorded only"),
    (State.WITHDRAWN, Event.SATISFY): Refusal("withdrawn: nothing is asked any more"),
    (State.WITHDRAWN, Event.LAPSE): Refusal("withdrawn: its deadline is void"),
    (State.WITHDRAWN, Event.CLOSE): Refusal("withdrawn"),
    (State.WITHDRAWN, Event.SANCTION): Refusal("withdrawn: nothing is left to sanction"),
    (State.WITHDRAWN, Event.FAIL): Refusal("withdrawn: whether it was delivered no longer decides anything"),
    (State.WITHDRAWN, Event.RESCIND): Refusal("no sanction stands"),
    (State.WITHDRAWN, Event.WITHDRAW): Refusal("withdrawn already: upstream may resend"),
}
"""The law of moves: every pair of state and event."""

TERMINAL: frozenset[State] = frozenset(
    {State.SATISFIED, State.CLOSED, State.SANCTIONED, State.UNSERVED, State.WITHDRAWN},
)
"""Where a notice ends. `served` is an end too for a notice type that asks for nothing: see `is_over`."""


class ForbiddenMove(Exception):
    """The table refuses this event in this state."""

    def __init__(self, state: State, event: Event, reason: str) -> None:
        super().__init__(f"{event} refused: the notice is {state}: {reason}")
        self.state = state
        self.event = event
        self.reason = reason


def is_over(state: State, *, asks_for_nothing: bool) -> bool:
    """Whether a notice in this state is at its end."""
    return state in TERMINAL or (asks_for_nothing and state is State.SERVED)


def arrow_of(state: State, event: Event) -> Arrow:
    """The arrow that the event takes from the state.

    Raises:
        ForbiddenMove: the table refuses, with its reason.
    """
    found = TABLE[state, event]
    if isinstance(found, Refusal):
        raise ForbiddenMove(state, event, found.reason)
    return found


def move(notice: Notice, event: Event, at: datetime) -> Notice:
    """Move a notice by one event at an instant of the database's clock (UTC): its state and that state's `*_at`.

    Earlier instants stay: a satisfied notice that lapsed first keeps `lapsed_at`, an unserved one keeps `served_at`.

    Raises:
        ForbiddenMove: the table refuses, with its reason.
    """
    to = arrow_of(notice.state, event).to
    return notice.but(state=to, **{f"{to}_at": at})
