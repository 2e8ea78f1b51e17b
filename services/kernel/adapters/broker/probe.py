"""Tries a broker without changing anything, for `duly doctor`."""

# mypy: disable-error-code="no-untyped-call,no-any-return"
# kombu declares itself typed and annotates nothing.
from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from amqp.exceptions import NotFound

from services.kernel.adapters.broker.connection import Address, LoopConnection


@dataclass(frozen=True, slots=True)
class BrokerFound:
    """What a broker says of itself, and which of the queues that were asked for are not there."""

    product: str
    version: str
    missing: tuple[str, ...]


async def probe(url: str, queues: Sequence[str]) -> BrokerFound:
    """Connect, ask for the version, and for each queue whether it is there; declares nothing.

    Raises:
        BrokerUnavailable: with what was tried and what to do.
    """
    return await asyncio.to_thread(_probe, Address(url, 10, 10.0, "duly doctor"), queues)


def _probe(address: Address, queues: Sequence[str]) -> BrokerFound:
    connection = LoopConnection(address)
    try:
        says = connection.amqp.server_properties
        with connection.explained("look for the queues"):
            missing = tuple(queue for queue in queues if not _exists(connection, queue))
        return BrokerFound(str(says.get("product", "a broker")), str(says.get("version", "")), missing)
    finally:
        connection.close_now()


def _exists(connection: LoopConnection, queue: str) -> bool:
    """A passive declaration of a queue that is not there closes its channel: each has one of its own."""
    channel = connection.amqp.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except NotFound:
        return False
    channel.close()
    return True
