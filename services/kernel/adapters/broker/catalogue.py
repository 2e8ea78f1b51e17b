"""The catalogue's traffic as a topology to declare."""

from __future__ import annotations

from schemas.catalogue import (
    CASUALTIES,
    DEAD_LETTER_EXCHANGE,
    DELIVERY_LIMIT,
    EXCHANGE,
    QUEUES,
    SINGLE_CONSUMER,
    routing_keys,
)
from services.kernel.adapters.broker.topology import QueueSpec, Topology, quorum_queue


def topology_of_catalogue() -> Topology:
    """One quorum queue a consumer, bound by its types; what kills worker after worker goes to the casualties."""
    return Topology(
        exchange=EXCHANGE,
        queues=tuple(map(_queue, QUEUES)),
        dead_letter_exchange=DEAD_LETTER_EXCHANGE,
        dead_letter_queue=quorum_queue(CASUALTIES, ("#",)),
    )


def _queue(name: str) -> QueueSpec:
    return quorum_queue(
        name,
        routing_keys(name),
        dead_letter_exchange=DEAD_LETTER_EXCHANGE,
        delivery_limit=DELIVERY_LIMIT,
        single_active_consumer=name in SINGLE_CONSUMER,
    )
