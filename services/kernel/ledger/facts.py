"""What the ledger answers: plain facts, as they were when they were read. Instants are UTC-aware."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.kernel.domain.notice import Notice
from services.kernel.domain.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks, read at once: legal time (deemed dates, deadlines, gates) and wall time (leases, retries)."""

    legal: datetime
    wall: datetime
    trial: bool


@dataclass(frozen=True, slots=True)
class ItemKey:
    """What makes an item the same item for one consumer: the event, and the notice or evidence in it."""

    source: str
    event_id: str
    subject: UUID


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that failed, with all that is needed to run it again or to show it to a person.

    `next_after` is seconds until the next attempt; None: dead, with `reason`. `failed_id` is set when the item was
    itself a retry or a replay of that row. `notice_type` is what a request names, for which there is no notice yet.
    """

    key: ItemKey
    type: str
    notice_id: UUID | None
    evidence_id: UUID | None
    routing_key: str
    content_type: str
    headers: dict[str, str]
    body: bytes
    reason: str
    error: str
    stack: str
    next_after: float | None
    failed_id: UUID | None
    notice_type: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """How one item ended; Done and Refused are remembered, unless `forgotten`; the others become failures.

    `notice_id`: the notice that it became.
    """

    key: ItemKey
    outcome: Outcome
    failed_id: UUID | None
    forgotten: bool = False
    notice_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Unsent:
    """An outbox row that may be published now: nothing older of its notice is unsent."""

    outbox_id: int
    notice_id: UUID | None
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """A notice that was requested before, with the data of the request as JSON text."""

    notice: Notice
    request: str
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """One hand-over of one alert to the mail system."""

    attempt_id: UUID
    notice_id: UUID
    number: int
    kind: str
    address: str
    state: str
    started_at: datetime
    lease_until: datetime
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class RawEvidence:
    """What a door took in. `notice_id` and `attempt_id` are what the door could tell at a glance."""

    evidence_id: UUID
    door: str
    source: str | None
    event_id: str | None
    type: str | None
    received_at: datetime
    content_type: str
    headers: dict[str, str]
    body: bytes
    notice_id: UUID | None
    source_ref: str | None
    attempt_id: UUID | None
    addresses: tuple[str, ...]
    state: str


@dataclass(frozen=True, slots=True)
class StandingSanction:
    """The sanction of a notice, if any: its id, kind, state, and whether its reversal is demanded already."""

    sanction_id: UUID
    notice_id: UUID
    kind: str
    state: str
    objections_until: datetime


@dataclass(frozen=True, slots=True)
class DueDeadline:
    """A deadline version whose instant has passed, claimed for this transaction."""

    notice_id: UUID
    version: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class SendingBrake:
    """Whether mail may leave. `until` is wall time; None with `is_on`: until a person releases it."""

    is_on: bool
    reason: str


@dataclass(frozen=True, slots=True)
class FailedDue:
    """A failed item whose next attempt is due, as it is to be sent again."""

    failed_id: UUID
    routing_key: str
    attempts: int
    content_type: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class WebhookClaim:
    """An event that this process alone may post until its lease is over. `at` is wall time."""

    outbox_id: int
    notice_id: UUID | None
    source: str
    url: str
    body: bytes
    at: datetime
    trial: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much of one kind of work waits, and since when the oldest does (wall time)."""

    what: str
    number: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure for `/metrics`: of what kind (`measures.FIGURES`), of what (a worker, a reason, …), how much."""

    name: str
    of: str
    value: float


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """What regime and notice type say of the gate: durations in seconds; `kind` None where no sanction follows."""

    kind: str | None
    automatic: bool
    safety_delay: float
    minimum_after_hold: float
    objection_window: float
    cap_per_hour: int | None


@dataclass(frozen=True, slots=True)
class SanctionWord:
    """A person's last word about one proposed sanction: `release` (from the brake) or `decline`.

    `batch_id` is the brake batch in which it was said, None if it was said of this one alone.
    """

    word: str
    by: str
    reason: str
    batch_id: UUID | None


@dataclass(frozen=True, slots=True)
class SanctionRow:
    """The proposal that stands for this notice and deadline version, or None, and what a person said about it."""

    sanction_id: UUID | None
    state: str | None
    word: SanctionWord | None = None
