"""What Duly tells upstream: one event a notice, numbered per notice by the envelope's `sequence`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.messages.fields import Hash, Instant, Message, Name, Person, Reason, Reference


class AboutOneNotice(Message):
    """Names the notice both ways."""

    notice_id: UUID
    source_ref: Reference


class NoticeAcceptedV1(AboutOneNotice):
    """The notice is ours from here on: rendered, with its template version pinned."""

    matter: Reference
    template_version: Name
    template_hash: Hash
    content_hash: Hash


class NoticeRefusedV1(Message):
    """The request was refused; nothing was issued. Every reason at once."""

    source_ref: Reference | None
    reasons: Annotated[tuple[Reason, ...], Field(min_length=1)]


class NoticeServedV1(AboutOneNotice):
    """Served: the content was available and the alert was accepted. `due_*` are absent where nothing is asked."""

    served_at: Instant
    deemed_on: date
    due_on: date | None
    due_at: Instant | None
    zone: Name


class NoticeUnservedV1(AboutOneNotice):
    """Not served, from the start; its deadline is void."""

    reason: Reason


class NoticeSatisfiedV1(AboutOneNotice):
    """What satisfies it was received in time."""

    received_at: Instant
    kind: Name


class NoticeLapsedV1(AboutOneNotice):
    """The deadline passed."""

    deadline_version: int
    due_at: Instant


class NoticeClosedV1(AboutOneNotice):
    """Lapsed, and no sanction follows."""

    reason: Reason


class NoticeWithdrawnV1(AboutOneNotice):
    """Taken back on upstream's word."""

    reason: Reason


class DeadlineExtendedV1(AboutOneNotice):
    """A named person gave more time."""

    deadline_version: int
    due_on: date
    due_at: Instant
    extended_by: Person
    reason: Reason


class HoldPlacedV1(AboutOneNotice):
    """A hold stops the sanction, not the clock."""

    hold_id: UUID
    kind: Name
    reason: Reason
    placed_by: Person


class HoldLiftedV1(AboutOneNotice):
    """The hold is lifted; the minimum after a hold begins when the last one is."""

    hold_id: UUID
    reason: Reason
    lifted_by: Person


class SanctionProposedV1(AboutOneNotice):
    """A sanction is proposed; objections are heard until `objections_until`."""

    sanction_id: UUID
    kind: Name
    objections_until: Instant


class SanctionFiredV1(AboutOneNotice):
    """Carry out the sanction. `sanction_id` is the idempotency key."""

    sanction_id: UUID
    kind: Name
    matter: Reference
    fired_at: Instant


class SanctionDeclinedV1(AboutOneNotice):
    """A named person declined the proposed sanction; the notice is closed."""

    sanction_id: UUID
    kind: Name
    declined_by: Person
    reason: Reason


class SanctionReversalRequiredV1(AboutOneNotice):
    """A fired sanction rests on a notice that was not served, or was satisfied in time: a person must decide."""

    sanction_id: UUID
    kind: Name
    reason: Reason


class SanctionRescindedV1(AboutOneNotice):
    """The sanction is taken back, on a named person's word. `sanction_id` is the idempotency key."""

    sanction_id: UUID
    kind: Name
    rescinded_by: Person
    reason: Reason


class SanctionUpheldV1(AboutOneNotice):
    """The sanction whose reversal was demanded stays, on a named person's word."""

    sanction_id: UUID
    kind: Name
    upheld_by: Person
    reason: Reason


class EvidenceRefusedV1(Message):
    """A fact that upstream sent has no effect, and why."""

    event_id: Reference
    reason: Reason


class EvidenceRootedV1(Message):
    """The root of the evidence chains that moved on one day (UTC): a Merkle root over their heads, SHA-256."""

    day: date
    chains: Annotated[int, Field(ge=0)]
    root: Hash
    algorithm: Literal["sha256-merkle-v1"] = "sha256-merkle-v1"
