"""A worker's loop: take, run, publish, settle; pause while the database or the broker is away, and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from services.kernel.ledger import Ledger, LedgerRerun, LedgerUnavailable
from services.kernel.ports import Broker, BrokerUnavailable, Delivery, Subscription
from services.kernel.runtime.batch import run_batch
from services.kernel.runtime.decision import Handler, NotNow
from services.kernel.runtime.items import FAILED_ID, REHEARSAL, REPLAYED, Item, failed_id_of, items_of
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.publishing import publish_unsent
from services.kernel.runtime.rehearsal import rehearse
from services.kernel.runtime.tracing import around

log = structlog.get_logger()
_PAUSE = 1.0


class Consumer:
    """Runs one handler on one queue until it is told to stop."""

    def __init__(
        self, handler: Handler, broker: Broker, ledger: Ledger, measures: Measures, *, prefetch: int, linger: float
    ) -> None:
        self.handler = handler
        self.rehearsing: Handler = handler
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()
        self._broker, self._ledger, self._measures = broker, ledger, measures
        self._prefetch, self._linger = prefetch, linger

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set; what is in work then is finished and settled first."""
        self._stopping = stopping
        queue = f"duly.{self.handler.consumer}"
        while not self._stopping.is_set():
            try:
                subscription = await self._subscribe(queue)
            except (LedgerUnavailable, BrokerUnavailable, NotNow) as away:
                await self._pause(away)
                continue
            try:
                self.ready.set()
                await self._consume(subscription)
            except (LedgerUnavailable, BrokerUnavailable, NotNow) as away:
                await self._pause(away)
            finally:
                self.ready.clear()
                await subscription.close()

    async def _subscribe(self, queue: str) -> Subscription:
        """Take nothing before all that the work needs is there."""
        await self._ledger.ping()
        if (reason := await self.handler.may_begin(self._ledger)) is not None:
            raise NotNow(reason)
        await self._broker.connect()
        return await self._broker.subscribe(queue, prefetch=self._prefetch)

    async def _consume(self, subscription: Subscription) -> None:
        while not self._stopping.is_set():
            deliveries = await self._or_stop(subscription.take(self.handler.batch, self._linger))
            if deliveries:
                await self._work(subscription, deliveries)

    async def _work(self, subscription: Subscription, deliveries: Sequence[Delivery]) -> None:
        """A redelivered message may have killed its last worker, and a retried one failed before: each runs alone."""
        queue = f"duly.{self.handler.consumer}"
        for group in _groups(deliveries):
            with around("process", queue, len(group)):
                await self._run(group)
                with around("ack", queue, len(group)):
                    await subscription.settle(group)

    async def _begin_again(self, deliveries: Sequence[Delivery]) -> None:
        """Mark who is in work, before the work: only so can it be told from its neighbours if this process dies too."""
        for delivery in deliveries:
            if delivery.redelivered and (failed_id := failed_id_of(delivery)) is not None:
                await self._ledger.begin_again(failed_id)

    async def _run(self, deliveries: Sequence[Delivery]) -> None:
        real = await rehearse(self._ledger, self.rehearsing, deliveries)
        await self._begin_again(real)
        items = [item for delivery in real for item in items_of(delivery, self.handler.consumer)]
        for start in range(0, len(items), self.handler.batch):
            await self._commit(items[start : start + self.handler.batch])

    async def _commit(self, items: Sequence[Item]) -> None:
        with self._measures.batch(self.handler.consumer, len(items)):
            unsent = await run_batch(self._ledger, self.handler, items)
        await publish_unsent(self._broker, self._ledger, unsent)

    async def _or_stop(self, taking: Awaitable[list[Delivery]]) -> list[Delivery]:
        take = asyncio.ensure_future(taking)
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({take, stop}, return_when=asyncio.FIRST_COMPLETED)
            return take.result() if take.done() else []
        finally:
            for task in (take, stop):
                if not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def _pause(self, away: Exception) -> None:
        log.warning("worker.paused", consumer=self.handler.consumer, exc_info=away)
        self._measures.paused(self.handler.consumer)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), _PAUSE)


def _groups(deliveries: Sequence[Delivery]) -> list[list[Delivery]]:
    """Suspects alone, the others together, all in the order in which they came."""
    groups: list[list[Delivery]] = []
    together = False
    for delivery in deliveries:
        alone = delivery.redelivered or (FAILED_ID in delivery.headers and not _in_a_run(delivery))
        if alone or not together:
            groups.append([])
        groups[-1].append(delivery)
        together = not alone
    return groups


def _in_a_run(delivery: Delivery) -> bool:
    """A run has begun with batches of one: what follows has shown by its kind that it kills nobody."""
    return REPLAYED in delivery.headers or REHEARSAL in delivery.headers


async def repeat(stopping: asyncio.Event, every: float, work: Callable[[], Awaitable[bool]]) -> None:
    """Do work until told to stop: at once again while it says that there is more, else every so many seconds."""
    while not stopping.is_set():
        try:
            more = await work()
        except (LedgerUnavailable, BrokerUnavailable) as away:
            log.warning("work.paused", exc_info=away)
            more = False
        except LedgerRerun:
            more = True
        except Exception as fault:  # one round at fault must not end the others; what is due stays in the database
            log.exception("round.failed", exc_info=fault)
            more = False
        if not more:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), every)
