"""RabbitMQ (3.10 and later), by kombu and py-amqp, on the asyncio loop itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar
from weakref import WeakSet

import structlog

from services.kernel.adapters.broker.connection import Address
from services.kernel.adapters.broker.publisher import ConfirmingPublisher
from services.kernel.adapters.broker.subscription import RabbitSubscription
from services.kernel.adapters.broker.topology import Topology
from services.kernel.ports import BrokerUnavailable, Outgoing

_log = structlog.get_logger(__name__)


class _Opened(Protocol):
    def watch(self) -> None: ...
    def close_now(self) -> None: ...


_O = TypeVar("_O", bound=_Opened)


async def _opened(begin: Callable[[], _O]) -> _O:
    """Connect in a thread, so that the loop lives on, then watch on the loop. Cancelled, it leaves nothing open."""
    opening = asyncio.ensure_future(asyncio.to_thread(begin))
    try:
        opened = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_abandon)
        raise
    opened.watch()
    return opened


def _abandon(opening: asyncio.Future[_O]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.get_loop().run_in_executor(None, opening.result().close_now)


class RabbitBroker:
    """The broker port on RabbitMQ: a connection to publish, and one for each subscription.

    `heartbeat` and `write_timeout` in seconds; `client_name` is what the broker's operators see. `patience` is how many
    seconds a publish waits while the broker blocks publishers, `answer_seconds` how long for its confirms.
    """

    def __init__(
        self,
        url: str,
        topology: Topology,
        *,
        heartbeat: int = 10,
        write_timeout: float = 10.0,
        client_name: str,
        patience: float = 5.0,
        answer_seconds: float = 30.0,
    ) -> None:
        self._address = Address(url, heartbeat, write_timeout, client_name)
        self._topology = topology
        self._begin_publisher = partial(
            ConfirmingPublisher.begin, self._address, topology, patience=patience, answer_seconds=answer_seconds
        )
        self._publisher: ConfirmingPublisher | None = None
        self._connecting = asyncio.Lock()
        self._subscriptions: WeakSet[RabbitSubscription] = WeakSet()
        self._closed = False

    async def connect(self) -> None:
        """Open the publishing connection and declare the topology. Idempotent.

        Raises:
            BrokerUnavailable: with what was tried and what to do.
        """
        await self._ready_publisher()

    async def _ready_publisher(self) -> ConfirmingPublisher:
        async with self._connecting:
            if self._closed:
                raise BrokerUnavailable("the broker was closed")
            if self._publisher is None or not self._publisher.alive:
                self._publisher = await _opened(self._begin_publisher)
            return self._publisher

    async def subscribe(self, queue: str, *, prefetch: int) -> RabbitSubscription:
        """Consume a queue; redeclares it if it was deleted.

        Raises:
            BrokerUnavailable: the broker cannot be reached.
        """
        if self._closed:
            raise BrokerUnavailable("the broker was closed")
        begin = partial(RabbitSubscription.begin, self._address, self._topology, queue, prefetch)
        subscription = await _opened(begin)
        self._subscriptions.add(subscription)
        return subscription

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        """Publish all, pipelined, reconnecting if need be; the keys of those confirmed.

        Never raises for the broker's faults: what is missing is unsent.
        """
        if not messages:
            return set()
        try:
            publisher = await self._ready_publisher()
        except BrokerUnavailable as fault:
            _log.warning("broker.unavailable", unsent=len(messages), exc_info=fault)
            return set()
        return await publisher.publish(messages)

    async def close(self) -> None:
        """Close the connections. Never raises."""
        self._closed = True
        for subscription in list(self._subscriptions):
            await subscription.close()
        async with self._connecting:
            if self._publisher is not None:
                await self._publisher.close()
