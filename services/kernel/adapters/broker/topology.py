"""What must exist at the broker before anything flows: an exchange, its queues, and where dead messages go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Argument = str | int | bool


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """One durable queue, bound to its exchange by each of its routing keys.

    `single_active_consumer`: of all who consume it, one at a time is served; another takes over when that one leaves.
    """

    name: str
    routing_keys: tuple[str, ...]
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    single_active_consumer: bool = False

    def declared_arguments(self) -> dict[str, Argument]:
        """The arguments to declare the queue with; a queue declared once refuses any others."""
        single = {"x-single-active-consumer": True} if self.single_active_consumer else {}
        return {**self.arguments, **single}


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Everything the catalogue wants declared. All of it is durable; declaring it again changes nothing."""

    exchange: str
    queues: tuple[QueueSpec, ...]
    exchange_kind: str = "topic"
    dead_letter_exchange: str = ""
    dead_letter_queue: QueueSpec | None = None


def quorum_queue(
    name: str,
    routing_keys: tuple[str, ...],
    *,
    dead_letter_exchange: str = "",
    delivery_limit: int = 20,
    single_active_consumer: bool = False,
) -> QueueSpec:
    """A replicated queue that loses nothing: refuses when full, and dead-letters at least once.

    `delivery_limit` is how often a message may come back before it is dead: the net under a message that kills its
    worker. Without `dead_letter_exchange` the queue is where dead messages end, and has no limit of its own.
    Source: RabbitMQ's guide to quorum queues, "Dead Lettering" and "Poison Message Handling" (3.10 and later).
    """
    arguments: dict[str, Argument] = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
    if dead_letter_exchange:
        arguments |= {
            "x-delivery-limit": delivery_limit,
            "x-dead-letter-exchange": dead_letter_exchange,
            "x-dead-letter-strategy": "at-least-once",
        }
    return QueueSpec(name, routing_keys, arguments, single_active_consumer)
