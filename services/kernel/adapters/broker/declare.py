"""Declare a topology on a blocking channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.kernel.adapters.broker.frames import LoopChannel
    from services.kernel.adapters.broker.topology import QueueSpec, Topology


def _declare_exchange(channel: LoopChannel, name: str, kind: str) -> None:
    channel.exchange_declare(name, kind, durable=True, auto_delete=False)


def _declare_queue(channel: LoopChannel, queue: QueueSpec, exchange: str) -> None:
    channel.queue_declare(queue.name, durable=True, auto_delete=False, arguments=queue.declared_arguments())
    for routing_key in queue.routing_keys:
        channel.queue_bind(queue.name, exchange, routing_key)


def declare(channel: LoopChannel, topology: Topology, only: str | None = None) -> None:
    """Declare exchanges, queues and bindings; of the queues `only` that one, if given. Dead letters always have a home.

    Raises:
        amqp.exceptions.PreconditionFailed: a queue exists with other arguments.
        OSError: the connection was lost.
    """
    if topology.dead_letter_exchange:
        _declare_exchange(channel, topology.dead_letter_exchange, "topic")
        if topology.dead_letter_queue is not None:
            _declare_queue(channel, topology.dead_letter_queue, topology.dead_letter_exchange)
    _declare_exchange(channel, topology.exchange, topology.exchange_kind)
    for queue in topology.queues:
        if only in (None, queue.name):
            _declare_queue(channel, queue, topology.exchange)
