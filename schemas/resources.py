"""What the HTTP door for upstreams answers: the classes behind `openapi.yaml`. Instants are UTC, dates are local."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from schemas.messages.fields import Hash, Instant


class Resource(BaseModel):
    """What every resource keeps to: frozen; fields may be added in time, so readers ignore those they do not know."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class TakenEvent(Resource):
    """One event that is taken in. `status` leads to the notice that it asks for or speaks of."""

    id: str
    type: str
    status: str


class Taken(Resource):
    """All of these events are committed, in this order; the same events get the same answer again."""

    events: tuple[TakenEvent, ...]


class Wrong(Resource):
    """One thing that is wrong. `pointer` (RFC 6901) leads into the event, or into the batch, in structured form."""

    pointer: str
    detail: str


class Problem(Resource):
    """Why a request was refused as a whole (RFC 9457); nothing of it was taken in."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: tuple[Wrong, ...] = ()


class StatusDeadline(Resource):
    """The deadline as it stands. It runs out at `due_at`, the end of `due_on` in `zone`."""

    version: int
    due_on: date
    due_at: Instant
    zone: str


class StatusHold(Resource):
    """An open hold: no sanction fires."""

    hold_id: UUID
    kind: str
    placed_at: Instant


class StatusSanction(Resource):
    """The sanction under the deadline as it stands; `sanction_id` is the idempotency key."""

    sanction_id: UUID
    kind: str
    state: Literal["proposed", "fired", "dropped", "reversal_required", "upheld", "rescinded"]
    objections_until: Instant
    fired_at: Instant | None


class NoticeStatus(Resource):
    """Where a notice stands. `told` are the events that its source was told, whole, by their `sequence`."""

    notice_id: UUID
    source_ref: str
    matter: str
    regime: str
    notice_type: str
    business_id: str
    channel: Literal["secure_comm", "letter", "fax", "email"]
    origin: Literal["automatic", "manual"]
    language: str
    template_version: str
    trial: bool
    state: Literal[
        "accepted", "rendered", "served", "satisfied", "lapsed", "closed", "sanctioned", "unserved", "withdrawn"
    ]
    accepted_at: Instant
    rendered_at: Instant | None
    served_at: Instant | None
    deemed_on: date | None
    satisfied_at: Instant | None
    lapsed_at: Instant | None
    closed_at: Instant | None
    sanctioned_at: Instant | None
    unserved_at: Instant | None
    withdrawn_at: Instant | None
    deadline: StatusDeadline | None
    holds: tuple[StatusHold, ...]
    sanction: StatusSanction | None
    told: tuple[dict[str, JsonValue], ...]


class EvidenceRoot(Resource):
    """The root over the heads of all evidence chains that moved on one UTC day."""

    day: date
    chains: Annotated[int, Field(ge=0)]
    root: Hash
    algorithm: Literal["sha256-merkle-v1"]
    made_at: Instant
