"""Messages between Duly's own workers: references, never content, and many items in one."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from schemas.messages.fields import Message


class NoticeRenderedV1(Message):
    """These notices are rendered, or their alert is due again."""

    notices: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=1000)]


class BounceReceivedV1(Message):
    """These pieces of raw evidence came from the mail system."""

    evidence: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=1000)]


class ResponseReceivedV1(Message):
    """These pieces of raw evidence came from upstream or from the business."""

    evidence: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=1000)]


class PassedDeadline(Message):
    """One deadline version of one notice."""

    notice_id: UUID
    version: Annotated[int, Field(ge=1)]


class DeadlinePassedV1(Message):
    """These deadlines have passed, or a wait of the gate for them is over."""

    deadlines: Annotated[tuple[PassedDeadline, ...], Field(min_length=1, max_length=1000)]


class DeliveryQueuedV1(Message):
    """These events, by their numbers in the outbox, are to be told to upstreams by webhook."""

    deliveries: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=1000)]
