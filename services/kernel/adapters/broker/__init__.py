"""The message broker: RabbitMQ, or memory for the embedded default. The only place that knows kombu."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from services.kernel.adapters.broker.memory import MemoryBroker
from services.kernel.adapters.broker.rabbit import RabbitBroker
from services.kernel.adapters.broker.topology import QueueSpec, Topology, quorum_queue

if TYPE_CHECKING:
    from services.kernel.ports import Broker

__all__ = ["MemoryBroker", "QueueSpec", "RabbitBroker", "Topology", "open_broker", "quorum_queue"]


def open_broker(url: str, topology: Topology, client_name: str) -> Broker:
    """The broker that the URL names: `amqp://`, `amqps://` or `memory://`. Nothing is connected yet.

    Raises:
        ValueError: another scheme.
    """
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryBroker(topology)
    if scheme in ("amqp", "amqps"):
        return RabbitBroker(url, topology, client_name=client_name)
    raise ValueError(f"a broker URL begins with amqp://, amqps:// or memory://, not {scheme or 'nothing'}://")
