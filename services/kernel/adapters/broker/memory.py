"""The broker of the embedded default: kombu's `memory://`, for all workers in one process.

It has no dead-lettering, no delivery limit and no single active consumer, and nothing in it survives the process: what
must not be lost with it is confirmed only once it was settled (`kept`), and stays with its sender until then.
Deliveries wake those who wait for them; nothing polls while nothing flows.
"""

# mypy: disable-error-code="no-untyped-call,no-any-return"
# kombu declares itself typed and annotates nothing.
from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakSet

from kombu.connection import Connection
from kombu.transport import memory

from services.kernel.adapters.broker.frames import plain_headers
from services.kernel.ports import BrokerUnavailable, Delivery, Outgoing

if TYPE_CHECKING:
    from kombu.transport.virtual.base import Message

    from services.kernel.adapters.broker.topology import QueueSpec, Topology

_tags = count(1)


class _MemoryChannel(memory.Channel):
    """kombu's channel, with bodies left as bytes, whole numbers as tags, and requeueing to the queue it came from."""

    body_encoding = None  # type: ignore[assignment] # kombu knows None and does not say so

    def _next_delivery_tag(self) -> int:
        return next(_tags)

    def routes(self, exchange: str, routing_key: str) -> list[str]:
        """The queues that a message would reach."""
        return list(self._lookup(exchange, routing_key))

    def length(self, queue: str) -> int:
        """How many lie in a queue."""
        return int(self._size(queue))

    def requeue(self, queue: str, message: Message) -> None:
        """Put it back at the front. kombu's own way copies it to every queue that its routing key reaches."""
        self.basic_ack(message.delivery_tag)
        properties = {**message.properties, "redelivered": True, "delivery_tag": next(_tags)}
        self._queue_for(queue).queue.appendleft({**message.serializable(), "properties": properties})


class _MemoryTransport(memory.Transport):
    Channel = _MemoryChannel


def _open_channel() -> _MemoryChannel:
    return Connection("memory://", transport=_MemoryTransport).channel()


class MemorySubscription:
    """A consumer of one queue in this process."""

    def __init__(self, queue: str, prefetch: int, settled: Callable[[Message], None]) -> None:
        self._queue = queue
        self._settled = settled
        self._channel = _open_channel()
        self._channel.basic_qos(0, prefetch)
        self._ready: list[Message] = []
        self._taken: dict[int, Message] = {}
        self._waiting: asyncio.Event | None = None
        self._closed = False
        self._channel.basic_consume(queue, no_ack=False, callback=self._ready.append, consumer_tag=queue)
        _subscriptions.add(self)

    @property
    def in_work(self) -> bool:
        """Whether it holds anything that is not settled."""
        return bool(self._taken or self._ready)

    def wake(self, queue: str) -> None:
        """Something was put into this queue."""
        if queue == self._queue and self._waiting is not None:
            self._waiting.set()

    async def take(self, most: int, linger: float) -> list[Delivery]:
        """Wait for a delivery, then up to `linger` seconds for more, `most` at most.

        Raises:
            BrokerUnavailable: the subscription was closed.
        """
        while not self._pump(1):
            await self._woken(None)
        deadline = asyncio.get_running_loop().time() + linger
        while not self._pump(most) and await self._woken(deadline):
            pass
        taken = self._ready[:most]
        del self._ready[:most]
        self._taken |= {message.delivery_tag: message for message in taken}
        return [_delivery(message) for message in taken]

    def _pump(self, wanted: int) -> bool:
        """Fetch until `wanted` are ready; False if the queue or the prefetch ends before."""
        if self._closed:
            raise BrokerUnavailable("the subscription was closed")
        while len(self._ready) < wanted:
            try:
                self._channel.connection.drain_events(self._channel.connection, timeout=0)
            except TimeoutError:
                return False
        return True

    async def _woken(self, deadline: float | None) -> bool:
        """Wait for something new; False when the deadline, in the loop's time, came first."""
        self._waiting = asyncio.Event()
        try:
            async with asyncio.timeout_at(deadline):
                await self._waiting.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting = None
        return True

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge them, one by one: kombu's memory acknowledges one where asked for many.

        Raises:
            BrokerUnavailable: the subscription was closed; they are in the queue again.
        """
        if self._closed:
            raise BrokerUnavailable("the subscription was closed")
        for one in deliveries:
            if (message := self._taken.pop(one.tag, None)) is not None:
                self._channel.basic_ack(one.tag)
                self._settled(message)

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Requeue them at the front, in their order."""
        self._requeue([self._taken.pop(one.tag) for one in deliveries if one.tag in self._taken])

    def _requeue(self, messages: Sequence[Message]) -> None:
        for message in reversed(messages):
            self._channel.requeue(self._queue, message)
        _wake(self._queue)

    async def close(self) -> None:
        """Stop consuming; what was taken and not settled goes back to the queue. Never raises."""
        if self._closed:
            return
        self._closed = True
        _subscriptions.discard(self)
        self._channel.basic_cancel(self._queue)
        self._requeue([*self._taken.values(), *self._ready])
        self._taken.clear()
        self._ready.clear()
        if self._waiting is not None:
            self._waiting.set()
        self._channel.connection.close_connection(self._channel.connection)


_subscriptions: WeakSet[MemorySubscription] = WeakSet()


def _wake(queue: str) -> None:
    for subscription in list(_subscriptions):
        subscription.wake(queue)


def _delivery(message: Message) -> Delivery:
    properties = message.properties
    return Delivery(
        tag=message.delivery_tag,
        body=message.body or b"",
        content_type=message.content_type or "",
        headers=plain_headers(message.headers),
        routing_key=message.delivery_info["routing_key"],
        redelivered=properties.get("redelivered", False),
        user_id=properties.get("user_id"),
        message_id=properties.get("message_id"),
    )


class MemoryBroker:
    """The broker port in memory. All of one process share its queues, by name.

    `kept` tells of a message whether it is confirmed only once a consumer has settled it. Publishing such a message
    again meanwhile, by the same routing key and key, puts nothing into a queue; afterwards it answers "confirmed".
    """

    def __init__(self, topology: Topology, *, kept: Callable[[Outgoing], bool] = lambda _message: False) -> None:
        self._topology = topology
        self._kept = kept
        self._entrusted: dict[tuple[str, int], bool] = {}
        self._channel: _MemoryChannel | None = None
        self._subscriptions: WeakSet[MemorySubscription] = WeakSet()

    async def connect(self) -> None:
        """Declare the topology. Idempotent."""
        self._connected()

    def _connected(self) -> _MemoryChannel:
        if self._channel is None:
            self._channel = _open_channel()
            self._channel.exchange_declare(self._topology.exchange, self._topology.exchange_kind)
            for queue in self._topology.queues:
                self._declare(queue)
        return self._channel

    def _declare(self, queue: QueueSpec) -> None:
        assert self._channel is not None  # noqa: S101 -- only called by `_connected`
        self._channel.queue_declare(queue.name)
        for routing_key in queue.routing_keys:
            self._channel.queue_bind(queue.name, self._topology.exchange, routing_key)

    async def subscribe(self, queue: str, *, prefetch: int) -> MemorySubscription:
        """Consume a queue."""
        self._connected()
        subscription = MemorySubscription(queue, prefetch, self._settled)
        self._subscriptions.add(subscription)
        return subscription

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Publish all; the keys of those that a queue took, and of those that need none."""
        channel = self._connected()
        return {message.key for message in messages if self._confirmed(channel, message)}

    @property
    def idle(self) -> bool:
        """Whether nothing lies in a queue, and nothing is in work."""
        channel = self._connected()
        in_work = any(subscription.in_work for subscription in self._subscriptions)
        return not in_work and not any(channel.length(queue.name) for queue in self._topology.queues)

    def _confirmed(self, channel: _MemoryChannel, message: Outgoing) -> bool:
        if not self._kept(message):
            return self._put(channel, message)
        entrusted = (message.routing_key, message.key)
        if entrusted not in self._entrusted:
            self._entrusted[entrusted] = False
            self._put(channel, message, entrusted=entrusted)
        return self._entrusted[entrusted] and self._entrusted.pop(entrusted)

    def _settled(self, message: Message) -> None:
        """Whoever asks next whether it is confirmed hears so."""
        entrusted = message.properties.get("entrusted")
        if entrusted is not None:
            self._entrusted[entrusted] = True

    def _put(self, channel: _MemoryChannel, message: Outgoing, *, entrusted: tuple[str, int] | None = None) -> bool:
        queues = channel.routes(self._topology.exchange, message.routing_key)
        properties = {"message_id": message.message_id, "user_id": message.user_id, "entrusted": entrusted}
        prepared = channel.prepare_message(
            message.body, content_type=message.content_type, headers=dict(message.headers), properties=properties
        )
        channel.basic_publish(prepared, self._topology.exchange, message.routing_key)
        for queue in queues:
            _wake(queue)
        return bool(queues) or not message.mandatory

    async def close(self) -> None:
        """Close all subscriptions; what they had not settled is in its queue again. Never raises."""
        for subscription in list(self._subscriptions):
            await subscription.close()
        if self._channel is not None:
            self._channel.connection.close_connection(self._channel.connection)
            self._channel = None
