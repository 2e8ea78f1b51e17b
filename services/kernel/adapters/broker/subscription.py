"""Deliveries of one queue over a connection of their own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from services.kernel.adapters.broker.connection import Address, LoopConnection
from services.kernel.adapters.broker.declare import declare
from services.kernel.adapters.broker.frames import delivery
from services.kernel.ports import BrokerUnavailable, Delivery

if TYPE_CHECKING:
    from services.kernel.adapters.broker.frames import Arrival
    from services.kernel.adapters.broker.topology import Topology


class RabbitSubscription:
    """A consumer. A connection each keeps the faults of one queue from all others."""

    def __init__(self, connection: LoopConnection) -> None:
        self._connection = connection
        self._ready: deque[Arrival] = deque()
        self._unsettled: dict[int, None] = {}  # in order of delivery, which is the order of tags
        self._wanted = 1
        self._waiting: asyncio.Future[None] | None = None
        self._fault: BrokerUnavailable | None = None

    @classmethod
    def begin(cls, address: Address, topology: Topology, queue: str, prefetch: int) -> Self:
        """Connect, declare the queue and consume it, blocking. `watch` must follow on the loop.

        Raises:
            BrokerUnavailable: with what was tried and what to do.
        """
        connection = LoopConnection(address)
        subscription = cls(connection)
        channel = connection.channel
        channel.on_arrival = subscription._arrived
        with connection.explained(f"consume {queue}"):
            declare(channel, topology, only=queue)
            channel.basic_qos(0, prefetch, a_global=False)
            channel.basic_consume(queue, on_cancel=subscription._cancelled)
        return subscription

    def watch(self) -> None:
        """Receive on the running loop."""
        self._connection.watch(self._end)

    # -- called by the connection --------------------------------------------------------------------------------------

    def _arrived(self, arrival: Arrival) -> None:
        self._unsettled[arrival.tag] = None
        self._ready.append(arrival)
        if self._waiting is not None and len(self._ready) >= self._wanted:
            self._wake()

    def _cancelled(self, _consumer_tag: str) -> None:
        fault = "the queue was deleted while it was consumed; subscribing again declares it anew"
        self._connection.lose(BrokerUnavailable(fault))

    def _end(self, fault: BrokerUnavailable) -> None:
        self._fault = self._fault or fault
        self._ready.clear()
        self._unsettled.clear()
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # -- the port ------------------------------------------------------------------------------------------------------

    async def take(self, most: int, linger: float) -> list[Delivery]:
        """Wait for a delivery, then up to `linger` seconds for more, `most` at most.

        Raises:
            BrokerUnavailable: the connection was lost or the queue deleted; subscribe again.
        """
        await self._await_ready(1, None)
        if linger > 0 and len(self._ready) < most:
            await self._await_ready(most, linger)
        return [delivery(self._ready.popleft()) for _ in range(min(most, len(self._ready)))]

    async def _await_ready(self, wanted: int, seconds: float | None) -> None:
        self._check()
        if len(self._ready) >= wanted:
            return
        self._wanted = wanted
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait((self._waiting,), timeout=seconds)
        finally:
            self._waiting = None
        self._check()

    def _check(self) -> None:
        if self._fault is not None:
            raise BrokerUnavailable(str(self._fault)) from self._fault

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge them: one acknowledgement for all from the oldest unsettled on, then one each.

        Raises:
            BrokerUnavailable: the connection was lost; the broker will deliver them again.
        """
        self._check()
        tags = {one.tag for one in deliveries}
        tags &= self._unsettled.keys()
        channel = self._connection.channel
        if upto := self._leading(tags):
            channel.basic_ack(upto, multiple=True)
        for tag in sorted(tag for tag in tags if tag > upto):
            channel.basic_ack(tag)
        self._forget(tags)
        self._check()

    def _leading(self, tags: set[int]) -> int:
        """The last tag of the unbroken run of `tags` that begins with the oldest unsettled; 0 if there is none."""
        last = 0
        for tag in self._unsettled:
            if tag not in tags:
                break
            last = tag
        return last

    def _forget(self, tags: set[int]) -> None:
        for tag in tags:
            del self._unsettled[tag]
        self._connection.flush()

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Requeue them: their work was not done. On a lost connection they are back already."""
        tags = {one.tag for one in deliveries} & self._unsettled.keys()
        if self._fault is not None or not tags:
            return
        for tag in sorted(tags, reverse=True):  # the last first, so that they lie in the queue as they did
            self._connection.channel.basic_reject(tag, requeue=True)
        self._forget(tags)

    async def close(self) -> None:
        """Stop consuming; what was taken and not settled goes back to the queue. Never raises."""
        self._connection.channel.on_arrival = None
        await self._connection.close()
        self._end(BrokerUnavailable("the subscription was closed"))

    def close_now(self) -> None:
        """Close, blocking: for a subscription that nobody waits for any more. Never raises."""
        self._connection.close_now()
