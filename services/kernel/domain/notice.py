"""A notice, its states, and the one table by which states move.

Every pair of state and event is an arrow with its reason or a listed refusal; nothing else may move a notice.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Notice:
    """The hot row of one notice: who, what, and where it stands. All instants are UTC-aware, from the database's clock.

    `seq` and `chain_head` are the number and the SHA-256 of the last event in its evidence chain.
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
