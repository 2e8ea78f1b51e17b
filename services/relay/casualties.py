"""Collecting what killed its worker: run once more alone, and dead if it kills again."""

from __future__ import annotations

import asyncio

import structlog

from schemas.catalogue import CASUALTIES, CATALOGUE
from services.kernel.ledger import Ledger
from services.kernel.ports import Broker, Delivery, Subscription
from services.kernel.runtime.batch import failure_of
from services.kernel.runtime.decision import dead, later
from services.kernel.runtime.items import FAILED_ID, items_of

log = structlog.get_logger()
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
        again = FAILED_ID in delivery.headers
        decision = dead("it killed its worker again, alone") if again else later("its worker died over and over", 0)
        failures = [failure for item in items_of(delivery, worker) if (failure := failure_of(item, decision))]
        async with self._ledger.begin() as tx:
            await tx.finish(worker, [], failures)
        log.error("message.casualty", consumer=worker, message_type=delivery.routing_key, dead=int(again))


async def _within_a_round(subscription: Subscription) -> list[Delivery]:
    try:
        async with asyncio.timeout(_ROUND):
            return await subscription.take(1, 0)
    except TimeoutError:
        return []
