"""The ports: what a worker may ask of the outside, and nothing of how it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID

from services.kernel.domain.replies import Phase as Phase  # noqa: PLC0414 -- part of this port
from services.kernel.domain.trace import SpanContext

# --- the broker -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish. `mandatory`: a message that no queue takes counts as unsent.

    `user_id`, if given, must be the user that the broker knows us by; it vouches for it to the consumer.
    """

    key: int
    routing_key: str
    body: bytes
    content_type: str = "application/cloudevents+json"
    headers: dict[str, str] = field(default_factory=dict)
    mandatory: bool = False
    message_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it came off a queue; `tag` settles it, on the subscription that gave it, once."""

    tag: int
    body: bytes
    content_type: str
    headers: dict[str, str]
    routing_key: str
    redelivered: bool
    user_id: str | None
    message_id: str | None


class BrokerUnavailable(Exception):
    """The broker cannot be reached, or the connection was lost; nothing unsettled is lost."""

    public = True


class Subscription(Protocol):
    """Deliveries of one queue. One task uses it at a time."""

    async def take(self, most: int, linger: float) -> list[Delivery]:
        """Wait for a delivery, then up to `linger` seconds for more, `most` at most.

        Raises:
            BrokerUnavailable: the connection was lost; subscribe again.
        """

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge them: their work is committed.

        Raises:
            BrokerUnavailable: the connection was lost; the broker will deliver them again.
        """

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Requeue them: their work was not done."""

    async def close(self) -> None:
        """Stop consuming; what was taken and not settled goes back to the queue. Never raises."""


class Broker(Protocol):
    """The message broker. It wakes; it never remembers."""

    async def connect(self) -> None:
        """Open the connections and declare the topology of the catalogue. Idempotent.

        Raises:
            BrokerUnavailable: with what was tried and what to do.
        """

    async def subscribe(self, queue: str, *, prefetch: int) -> Subscription:
        """Consume a queue; redeclares it if it was deleted.

        Raises:
            BrokerUnavailable: the broker cannot be reached.
        """

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Publish all, pipelined, and return the keys of those that the broker confirmed.

        A nack, a return of a mandatory message, a closed or blocked connection: that key is missing. Never raises for
        the broker's faults: what is not in the answer is unsent and may be published again.
        """

    async def close(self) -> None:
        """Close the connections. Never raises."""


# --- mail -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """What the mail system said last to one attempt.

    `code` is None when no reply came (time-out, disconnect): with phase `AFTER_DATA` the outcome is unknown, with an
    earlier phase the mail was not taken. `enhanced` is the RFC 3463 status ("5.1.1") or empty. `text` is the reply's
    text, cut to 500 characters, control characters replaced.
    """

    phase: Phase
    code: int | None
    enhanced: str
    text: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail ready for the wire: `content` is RFC 5322 bytes with CRLF line ends, not yet dot-stuffed."""

    attempt_id: UUID
    envelope_sender: str
    recipient: str
    content: bytes


class Mailer(Protocol):
    """Hands mail to the mail system over pooled connections, one attempt each, never by itself again."""

    async def send(self, mail: Mail) -> SmtpReply:
        """Send one mail; return what was said last. Never raises for the mail system's or the network's faults."""

    async def close(self) -> None:
        """QUIT what is idle and close everything. Never raises."""


# --- tracing ----------------------------------------------------------------------------------------------------------

SpanKind = Literal["internal", "server", "client", "producer", "consumer"]


@dataclass(frozen=True, slots=True)
class Span:
    """What was done, from when to when (nanoseconds since 1970), within which trace. Attributes never hold content.

    `fault` names the kind of fault that it ended with, as a class or a code; empty: it ended well.
    """

    name: str
    kind: SpanKind
    context: SpanContext
    parent: SpanContext | None
    began: int
    ended: int
    attributes: Mapping[str, str | int | bool]
    links: tuple[SpanContext, ...] = ()
    fault: str = ""


class Tracer(Protocol):
    """Where spans go. It never raises, never waits, and is not missed where it is away."""

    def fresh(self) -> SpanContext:
        """The first span of a trace of its own."""

    def samples(self, trace_id: str, parent: SpanContext | None) -> bool:
        """Whether a trace is recorded here, given what the span said that it goes on from."""

    def record(self, spans: Sequence[Span]) -> None:
        """Keep spans that have ended, those of traces that are recorded; they are sent later."""

    def close(self, seconds: float) -> None:
        """Send what is kept, for so many seconds at most."""


# --- ids --------------------------------------------------------------------------------------------------------------


class Ids(Protocol):
    """Where ids and randomness come from."""

    def uuid7(self) -> UUID:
        """A UUIDv7 (RFC 9562 section 5.7), later than every one before it from this process."""

    def jitter(self) -> float:
        """A number in [0, 1) to spread retries."""
