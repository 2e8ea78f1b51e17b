"""What upstream systems send: requests for notices, and facts about them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from schemas.messages.fields import (
    Address,
    Hash,
    Instant,
    Message,
    Name,
    Person,
    PlainLines,
    Reason,
    Reference,
    Value,
)


class ShorterPeriod(Message):
    """A response period shorter than the regime's, with its reason and who approved it."""

    days: Annotated[int, Field(ge=1, le=365)]
    reason: Reason
    approver: Person


class NoticeRequestedV1(Message):
    """Issue this notice. The same `source_ref` with the same data is the same notice; with other data it is refused."""

    source_ref: Reference
    regime: Name
    notice_type: Name
    business_id: Name
    address: Address
    language: Literal["en", "cy"] = "en"
    channel: Literal["secure_comm", "letter", "fax", "email"] = "secure_comm"
    origin: Literal["automatic", "manual"]
    requested_by: Person | None = None
    matter: Reference | None = None
    values: dict[Name, Value] = Field(default_factory=dict, max_length=50)
    period: ShorterPeriod | None = None
    respond_by: date | None = None

    @model_validator(mode="after")
    def _manual_is_somebodys(self) -> Self:
        if self.origin == "manual" and self.requested_by is None:
            raise ValueError("requested_by: a manual notice names the caseworker who asks for it")
        return self


class AboutNotice(Message):
    """Names one notice, by Duly's id or by upstream's reference."""

    notice_id: UUID | None = None
    source_ref: Reference | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.notice_id is None) == (self.source_ref is None):
            raise ValueError("name the notice by exactly one of notice_id and source_ref")
        return self


class ObligationSatisfiedV1(AboutNotice):
    """What the notice asked for was done: a payment, or another fact that upstream confirms.

    `received_at` is an earlier instant that upstream vouches for; it counts only where the regime trusts the source.
    """

    kind: Literal["payment", "other_fact"]
    received_at: Instant | None = None


class ResponseReportedV1(AboutNotice):
    """The business responded, through a door of upstream's own."""

    kind: Literal["answer", "evidence", "confirmation", "question", "dispute"]
    received_at: Instant | None = None
    responded_by: Person | None = None


class GivenFile(Message):
    """A file that came with an answer. `digest` is its SHA-256; `shown_name` is what the sender called it."""

    upload_id: UUID
    digest: Hash
    size: Annotated[int, Field(ge=0)]
    media_type: Name
    shown_name: Reference


class ResponseGivenV1(Message):
    """The business responded in its secure inbox: kept as evidence, never sent over the broker.

    `given_by` is the person as the sign-in named them, `text` their own words.
    """

    notice_id: UUID
    business_id: Name
    kind: Literal["answer", "evidence", "confirmation", "question", "dispute"]
    given_by: Person
    given_by_name: Reference
    language: Literal["en", "cy"]
    text: Annotated[str, StringConstraints(max_length=20_000), PlainLines] = ""
    files: Annotated[tuple[GivenFile, ...], Field(max_length=10)] = ()


class WithdrawalRequestedV1(AboutNotice):
    """Upstream takes the notice back."""

    reason: Reason
    requested_by: Person


class SanctionObjectedV1(AboutNotice):
    """Upstream objects to the sanction that was proposed."""

    reason: Reason
    objected_by: Person


class MarkSentV1(Message):
    """A timed mark through the evidence queue: all that was queued before it has been committed when it is."""

    mark_id: UUID
    sent_at: Instant
