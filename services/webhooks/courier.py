"""The worker's loop: a consumer whose deliveries are worked on side by side, so that a slow receiver delays no other.

Each event is posted and recorded on its own; a delivery is acknowledged when all its events are. What dies with the
process was not acknowledged, or is found again by `relay`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from services.kernel.ledger import Ledger, LedgerUnavailable
from services.kernel.ports import Broker, BrokerUnavailable, Delivery, Ids, Subscription
from services.kernel.runtime.batch import run_batch
from services.kernel.runtime.consumer import Consumer
from services.kernel.runtime.items import Item, items_of
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.publishing import publish_unsent
from services.kernel.runtime.rehearsal import rehearse
from services.webhooks.handler import Outcome, Presumed, Webhooks
from services.webhooks.posting import Posting, lasting

log = structlog.get_logger()
_PREFETCH = 1_000
"""Deliveries held: more than `relay` has out to a few receivers that do not answer."""

_LOOK = 0.2
"""Seconds after which, at the end, what has come to wait for its turn meanwhile is given up as well."""


class Courier(Consumer):
    """Consumes the queue of events owed; see the module."""

    def __init__(self, posting: Posting, ids: Ids, broker: Broker, ledger: Ledger, measures: Measures) -> None:
        super().__init__(Webhooks(ids), broker, ledger, measures, prefetch=_PREFETCH, linger=0)
        self.rehearsing = Presumed(ids, posting.fault_before)
        self._posting, self._ids = posting, ids
        self._under_way: set[asyncio.Task[None]] = set()

    async def _consume(self, subscription: Subscription) -> None:
        """Consume; at the end, what is being posted is still recorded, whatever happened."""
        try:
            await super()._consume(subscription)
        finally:
            while self._under_way:
                self._posting.give_up_waiting()
                await asyncio.wait(self._under_way, timeout=_LOOK)

    async def _work(self, subscription: Subscription, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            task = asyncio.create_task(self._deliver(subscription, delivery))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _deliver(self, subscription: Subscription, delivery: Delivery) -> None:
        """Tell every event of one delivery, and acknowledge it; what was not told goes back to the queue."""
        real = await lasting(lambda: rehearse(self._ledger, self.rehearsing, [delivery]))
        await lasting(lambda: self._begin_again(real))
        items = [item for each in real for item in items_of(each, self.handler.consumer)]
        urls = await self._posting.urls([item.key.subject.int for item in items if not item.faults])
        to_post = [item for item in items if item.key.subject.int in urls]
        await self._record([item for item in items if item not in to_post], None)
        ends = await asyncio.gather(*(self._one(item, urls) for item in to_post), return_exceptions=True)
        faults = [end for end in ends if isinstance(end, BaseException)]
        for fault in faults:
            if not isinstance(fault, asyncio.CancelledError):
                log.error("delivery.failed", consumer=self.handler.consumer, exc_info=fault)
        if not faults:
            with suppress(BrokerUnavailable):  # the loop hears of it, too
                await subscription.settle([delivery])

    async def _one(self, item: Item, urls: Mapping[int, str]) -> None:
        outbox_id = item.key.subject.int
        await self._posting.tell(outbox_id, urls[outbox_id], lambda outcome: self._record([item], outcome))

    async def _record(self, items: Sequence[Item], outcome: Outcome) -> None:
        if not items:
            return
        handler = Webhooks(self._ids, outcome)
        with self._measures.batch(handler.consumer, len(items)):
            unsent = await lasting(lambda: run_batch(self._ledger, handler, items))
        with suppress(LedgerUnavailable):  # what is not marked as sent stays in the outbox, and `relay` sends it
            await publish_unsent(self._broker, self._ledger, unsent)
