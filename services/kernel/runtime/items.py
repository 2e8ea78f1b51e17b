"""From deliveries to items: one notice, or one piece of evidence, of one event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from pydantic import ValidationError

from schemas.catalogue import CATALOGUE, Entry
from schemas.cloudevents import Envelope, EnvelopeRefused, faults, read
from schemas.messages.fields import Message
from schemas.messages.hops import (
    BounceReceivedV1,
    DeadlinePassedV1,
    DeliveryQueuedV1,
    NoticeRenderedV1,
    ResponseReceivedV1,
)
from services.kernel.ledger import ItemKey
from services.kernel.ports import Delivery

NOBODY = UUID(int=0)
FAILED_ID = "duly-failed-id"
"""Header of a message that `relay` published again: the row of the failed item."""
ATTEMPTS = "duly-attempts"
"""Header of such a message: how often the item failed so far."""
USER = "duly-user"
"""Header of such a message: the broker user that it first came from. Duly's own user sends it now."""
REPLAYED = "duly-replayed"
"""Header of such a message that a run replays: how often runs have handed it out, and the run's id."""
REHEARSAL = "duly-rehearsal"
"""Header of such a message that is only rehearsed: the run's id. It proves nothing: the database must know of it."""
_REFERENCE_MOST = 200
_NAME_MOST = 100


@dataclass(frozen=True, slots=True)
class Item:
    """The unit of work. `data` is None, and `faults` not empty, where the message cannot be worked with.

    `envelope` is None as well where the bytes are no CloudEvent; `undecodable` says so.
    """

    key: ItemKey
    envelope: Envelope | None
    data: Message | None
    faults: tuple[str, ...]
    delivery: Delivery
    evidence_id: UUID | None = None
    notice_id: UUID | None = None
    failed_id: UUID | None = None
    attempts: int = 0

    @property
    def type(self) -> str:
        """The message type, or what the routing key claims where it cannot be read."""
        return self.envelope.type if self.envelope else self.delivery.routing_key

    @property
    def replayed(self) -> bool:
        """Whether a run replays it: this is one attempt, with no schedule after it."""
        return self.failed_id is not None and REPLAYED in self.delivery.headers

    @property
    def user(self) -> str | None:
        """The broker user that it came from, vouched for by the broker; None where the broker says nothing of it."""
        return self.delivery.user_id or self.delivery.headers.get(USER)

    def headers(self) -> dict[str, str]:
        """The headers, as they are kept and sent again."""
        came = {name: value.replace("\x00", "") for name, value in self.delivery.headers.items()}
        return came if self.user is None else {**came, USER: self.user.replace("\x00", "")}

    def body(self) -> bytes:
        """The event with this item alone in it, as it is kept and sent again."""
        if self.envelope is None or self.data is None or self.key.subject == NOBODY:
            return self.delivery.body
        return self.envelope.model_copy(update={"data": self.data.model_dump(mode="json")}).wire()


def items_of(delivery: Delivery, consumer: str) -> list[Item]:
    """Every item of a delivery; what cannot be read is one item with its faults."""
    try:
        if len(delivery.body) > _most_bytes(delivery.routing_key):
            return [_faulty(delivery, None, (_oversized(delivery),))]
        envelope = read(delivery.body, delivery.content_type, delivery.headers)
    except EnvelopeRefused as refused:
        return [_faulty(delivery, None, (str(refused),))]
    entry = CATALOGUE.get(envelope.type)
    if entry is None or entry.consumer != consumer:
        known = "unknown" if entry is None else f"not for {consumer}"
        return [_faulty(delivery, envelope, (f"type {envelope.type!r} is {known}",))]
    return _validated(delivery, envelope, entry)


def _validated(delivery: Delivery, envelope: Envelope, entry: Entry) -> list[Item]:
    if len(delivery.body) > entry.most_bytes:
        return [_faulty(delivery, envelope, (_oversized(delivery),))]
    try:
        data = entry.model.model_validate(envelope.data)
    except ValidationError as error:
        return [_faulty(delivery, envelope, tuple(faults(error)))]
    failed_id, attempts = _again(delivery)
    return [
        Item(
            ItemKey(envelope.source, envelope.id, subject),
            envelope,
            one,
            (),
            delivery,
            evidence_id,
            notice_id,
            failed_id,
            attempts,
        )
        for subject, notice_id, evidence_id, one in _split(data)
    ]


def _split(data: Message) -> Iterator[tuple[UUID, UUID | None, UUID | None, Message]]:
    match data:
        case NoticeRenderedV1():
            for notice_id in dict.fromkeys(data.notices):
                yield notice_id, notice_id, None, NoticeRenderedV1(notices=(notice_id,))
        case DeadlinePassedV1():
            for passed in data.deadlines:
                yield passed.notice_id, passed.notice_id, None, DeadlinePassedV1(deadlines=(passed,))
        case BounceReceivedV1() | ResponseReceivedV1():
            for evidence_id in dict.fromkeys(data.evidence):
                yield evidence_id, None, evidence_id, type(data)(evidence=(evidence_id,))
        case DeliveryQueuedV1():
            for outbox_id in dict.fromkeys(data.deliveries):
                yield UUID(int=outbox_id), None, None, DeliveryQueuedV1(deliveries=(outbox_id,))
        case _:
            yield NOBODY, None, None, data


def notice_type_of(item: Item) -> str | None:
    """The regime and the notice type that a request names ("regime/notice_type"), where it can be read that far."""
    if item.envelope is None or item.envelope.type != "notice.requested.v1":
        return None
    named = item.envelope.data.get("regime"), item.envelope.data.get("notice_type")
    sound = all(isinstance(name, str) and 0 < len(name) <= _NAME_MOST and name.isprintable() for name in named)
    return "/".join(map(str, named)) if sound else None


def failed_id_of(delivery: Delivery) -> UUID | None:
    """The row of the failed item that this delivery retries, if it is a retry."""
    return _again(delivery)[0]


def run_of(delivery: Delivery) -> tuple[UUID, UUID] | None:
    """The run that this delivery says it is of, and the row of the failed item; None if it says nothing of that."""
    failed_id = failed_id_of(delivery)
    said = delivery.headers.get(REHEARSAL) or delivery.headers.get(REPLAYED, "").rpartition(" ")[2]
    try:
        return None if failed_id is None else (UUID(said), failed_id)
    except ValueError:
        return None


def _faulty(delivery: Delivery, envelope: Envelope | None, found: tuple[str, ...]) -> Item:
    failed_id, attempts = _again(delivery)
    digest = sha256(delivery.body).hexdigest()
    source = envelope.source if envelope else claimed_source(delivery) or "unknown"
    key = ItemKey(source, envelope.id if envelope else f"sha256:{digest}", NOBODY)
    return Item(key, envelope, None, found, delivery, failed_id=failed_id, attempts=attempts)


def claimed_source(delivery: Delivery) -> str | None:
    """The source that the transport names, for a message whose body cannot be read."""
    for name in ("ce-source", "cloudEvents:source", "cloudEvents_source", "duly-source"):
        if name in delivery.headers:
            return delivery.headers[name][:_REFERENCE_MOST].replace("\x00", "")
    return None


def _again(delivery: Delivery) -> tuple[UUID | None, int]:
    try:
        return UUID(delivery.headers[FAILED_ID]), max(0, int(delivery.headers.get(ATTEMPTS, "0")))
    except (KeyError, ValueError):
        return None, 0


def _most_bytes(routing_key: str) -> int:
    entry = CATALOGUE.get(routing_key)
    return entry.most_bytes if entry else max(row.most_bytes for row in CATALOGUE.values())


def _oversized(delivery: Delivery) -> str:
    return f"{len(delivery.body)} bytes are more than this type may have"
