"""Collecting what died with its workers: run once more alone, and dead if it is this very item that kills them.

The broker counts a delivery for everything that a dead worker held, so its dead letters are mostly neighbours. Which of
them was in work each time, the workers themselves have marked.
"""

from __future__ import annotations

import asyncio

import structlog

from schemas.catalogue import CASUALTIES, CATALOGUE, DELIVERY_LIMIT
from services.kernel.ledger import Ledger
from services.kernel.ports import Broker, Delivery, Subscription
from services.kernel.runtime.again import come
from services.kernel.runtime.batch import failure_of
from services.kernel.runtime.decision import dead, later
from services.kernel.runtime.items import REPLAYED, failed_id_of, items_of

log = structlog.get_logger()
_OWN_DEATHS = DELIVERY_LIMIT // 2
"""In so many of its deliveries an item was itself in work when the worker died: it is no mere neighbour."""
_ROUND = 1.0
"""Seconds after which it looks up, whether it should stop."""


class Casualties:
    """Takes the broker's dead letters into the table of failed items, one delivery a transaction."""

    def __init__(self, ledger: Ledger, broker: Broker) -> None:
        self._ledger, self._broker = ledger, broker
        self._subscription: Subscription | None = None

    async def collect(self) -> bool:
        """Take what comes within a second; the subscription is kept for the next round."""
        subscription = self._subscription or await self._broker.subscribe(CASUALTIES, prefetch=1)
        self._subscription = None
        try:
            taken = await _within_a_round(subscription)
            for delivery in taken:
                await self._keep(delivery)
            await subscription.settle(taken)
        except BaseException:
            await subscription.close()  # what was not settled goes back
            raise
        self._subscription = subscription
        return True

    async def _keep(self, delivery: Delivery) -> None:
        entry = CATALOGUE.get(delivery.routing_key)
        worker = entry.consumer if entry and entry.consumer else "unknown"
        [known] = await come(self._ledger, worker, [delivery])
        if known.over or known.rehearsal is not None:
            return  # nobody waits for it, or its run hands it out again
        delivery = known.delivery
        failed_id = failed_id_of(delivery)
        async with self._ledger.begin() as tx:
            begun = await tx.begun(failed_id) if failed_id else 0
            kills = begun >= _OWN_DEATHS
            if REPLAYED in delivery.headers and not kills and failed_id and await tx.run_has(failed_id):
                return  # a neighbour: its run, which remembers it, hands it out again
            decision = dead("it killed its worker again, alone") if kills else later("its worker died over and over", 0)
            failures = [failure for item in items_of(delivery, worker) if (failure := failure_of(item, decision))]
            await tx.finish(worker, [], failures)
        log.error("message.casualty", consumer=worker, message_type=delivery.routing_key, dead=int(kills))


async def _within_a_round(subscription: Subscription) -> list[Delivery]:
    try:
        async with asyncio.timeout(_ROUND):
            return await subscription.take(1, 0)
    except TimeoutError:
        return []
