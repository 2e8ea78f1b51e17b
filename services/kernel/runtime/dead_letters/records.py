"""What is shown of dead letters, runs and edits: plain records, in wall time where nothing else is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from services.kernel.domain.impact import Impact
from services.kernel.domain.verdict import Verdict

After: TypeAlias = tuple[datetime, UUID]
"""Where a page of a list ended: the next one begins after it."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One failed item, without its message.

    `notice_state`, `source_ref` and `business_id` are the notice's, where there is one; `template` is
    "regime/notice_type@version", or without a version where no notice exists yet. `replays`: how often runs have handed
    it out. `notes` and `actions` count. `edit_id` is a proposal that waits for a second person; `run_id` an open run
    that replays it.
    """

    failed_id: UUID
    worker: str
    state: str
    source: str
    event_id: str
    type: str
    reason: str
    cause: str
    impact: Impact
    template: str | None
    notice_id: UUID | None
    notice_state: str | None
    source_ref: str | None
    business_id: str | None
    evidence_id: UUID | None
    evidence_state: str | None
    done_before: bool
    attempts: int
    replays: int
    next_at: datetime | None
    created_at: datetime
    changed_at: datetime
    age: timedelta
    bytes: int
    actions: int
    notes: int
    edit_id: UUID | None
    run_id: UUID | None

    @property
    def after(self) -> After:
        """Where the next page begins if this is the last of one."""
        return self.created_at, self.failed_id


@dataclass(frozen=True, slots=True)
class Group:
    """Dead letters that have something in common. A property is None where they differ in it, or it is none.

    `gravest` is the gravest impact among them.
    """

    number: int
    oldest: datetime
    worker: str | None
    type: str | None
    template: str | None
    cause: str | None
    impact: Impact | None
    gravest: Impact
    example: UUID


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that failed: the exception's class and its stack, or the outcome's name and no stack."""

    at: datetime
    error: str
    stack: str


@dataclass(frozen=True, slots=True)
class Action:
    """What a person did with it; `body_before` where its body was replaced, `run_id` where it was replayed."""

    action_id: UUID
    at: datetime
    actor: str
    action: str
    reason: str
    body_before: bytes | None
    run_id: UUID | None


@dataclass(frozen=True, slots=True)
class TimelineFact:
    """One fact of a notice's evidence, in legal time."""

    at: datetime
    kind: str
    actor: str


@dataclass(frozen=True, slots=True)
class Beside:
    """The notice that a dead letter is about, as it stands now; instants are legal time."""

    notice_id: UUID
    source_ref: str
    regime: str
    notice_type: str
    template_version: str
    business_id: str
    state: str
    deadline_at: datetime | None
    respond_by: str | None
    holds: tuple[str, ...]
    timeline: tuple[TimelineFact, ...]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message made readable.

    `envelope` is its CloudEvents attributes and `data` its data as indented JSON, both None where the bytes are no
    CloudEvent; `text` is the body as text, replaced where it is none; `fault` why its worker cannot read it, or None.
    """

    envelope: dict[str, str] | None
    data: str | None
    text: str
    fault: str | None


class Kind(StrEnum):
    """What a run does."""

    REHEARSAL = "rehearsal"
    REPLAY = "replay"


class Ended(StrEnum):
    """How an item of a replay ended."""

    DONE = "done"
    """It is done."""
    REFUSED = "refused"
    """It was refused, and whoever sent it was told."""
    FAILED = "failed"
    """It failed again, and is dead with its whole history."""
    LEFT = "left"
    """It was left as it is: a person had changed it meanwhile, or it was over already."""
    CANCELLED = "cancelled"
    """The run was cancelled before it was handed out."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `outcomes` counts by `Verdict` (rehearsal) or `Ended` (replay); what is missing in it is zero.

    `out` is what is handed out and has not ended. `step` batches were begun since it began or was resumed; the next
    one has `steps[min(step, last)]` items. `why` says why it stands as it does.
    """

    run_id: UUID
    kind: Kind
    state: str
    begun_by: str
    begun_at: datetime
    reason: str
    choice: str
    steps: tuple[int, ...]
    per_second: float | None
    total: int
    batch: int
    step: int
    why: str
    changed_by: str
    changed_at: datetime
    ended_at: datetime | None
    out: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def ended(self) -> int:
        """How many items have ended."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class RunItem:
    """One item of a run. `outcome` is a `Verdict` or an `Ended`, None while it has not ended; `effects` in words."""

    run_id: UUID
    failed_id: UUID
    position: int
    batch: int | None
    handed_at: datetime | None
    outcome: Verdict | Ended | None
    why: str
    effects: tuple[str, ...]
    ended_at: datetime | None
    worker: str
    type: str
    source_ref: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Another body that somebody proposed. `state`: proposed, approved, rejected, or overtaken by another change."""

    edit_id: UUID
    failed_id: UUID
    state: str
    raw: bool
    body_before: bytes
    body: bytes
    content_type: str
    proposed_by: str
    proposed_at: datetime
    reason: str
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything about one dead letter, oldest first in each list. `notes` are those of `actions` that are notes."""

    letter: DeadLetter
    routing_key: str
    content_type: str
    headers: dict[str, str]
    body: bytes
    decoded: Decoded
    attempts: tuple[Attempt, ...]
    actions: tuple[Action, ...]
    edits: tuple[Edit, ...]
    runs: tuple[RunItem, ...]
    beside: Beside | None

    @property
    def notes(self) -> tuple[Action, ...]:
        """What people noted."""
        return tuple(action for action in self.actions if action.action == "note")
