"""What becomes of an event that was to be told by webhook: delivered, again later, or a person must look.

The post itself is made before (`posting.py`), outside of any transaction; here is what is made of its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from schemas.catalogue import CATALOGUE
from schemas.messages.hops import DeliveryQueuedV1
from services.kernel.domain.changes import Announced, DeliverySettled
from services.kernel.ledger import WebhookClaim, WebhookFacts
from services.kernel.ports import Ids
from services.kernel.runtime.decision import Decision, Quiet, announce, dead, done, later
from services.kernel.runtime.items import Item
from services.webhooks.poster import Answer

HOP = "delivery.queued.v1"
_WAIT_MOST = 6 * 3600.0
"""Seconds that a receiver may put us off for."""
_AGAIN = 60.0
"""Seconds after which `relay` hands out again what was handed out here and lost."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event that this process had claimed, and what its receiver answered."""

    claim: WebhookClaim
    answer: Answer


Outcome = Told | Exception | None
"""What came of one post. None: there was nothing to post, as nothing is owed. An exception: posting raised."""


class Webhooks(Quiet):
    """Records what came of one post; one that raised counts as its item's failure."""

    consumer = "webhooks"
    batch = 1

    def __init__(self, ids: Ids, told: Outcome = None) -> None:
        self._ids, self._told = ids, told

    async def decide(self, tx: WebhookFacts, items: Sequence[Item]) -> Sequence[Decision]:
        """One decision an item; there is one, unless there was nothing to post."""
        if isinstance(self._told, Exception):
            raise self._told
        return [done() if self._told is None else await self._one(tx, item, self._told) for item in items]

    async def _one(self, tx: WebhookFacts, item: Item, told: Told) -> Decision:
        outbox_id, answer = told.claim.outbox_id, told.answer
        if answer.taken:
            following = await tx.webhooks_next(outbox_id, _AGAIN)
            return done(DeliverySettled(outbox_id, delivered=True), *self._hop(following, trial=told.claim.trial))
        decision = dead(answer.reason) if answer.gone else later(answer.reason, _after(item.attempts, answer))
        failed = DeliverySettled(outbox_id, delivered=False)
        return replace(decision, changes=(failed,), notice_id=told.claim.notice_id)

    def _hop(self, outbox_ids: Sequence[int], *, trial: bool) -> list[Announced]:
        """The word to this worker that more is owed; nothing where nothing is."""
        if not outbox_ids:
            return []
        message = DeliveryQueuedV1(deliveries=tuple(outbox_ids))
        return [announce(HOP, message, event_id=str(self._ids.uuid7()), trial=trial)]


class Presumed(Webhooks):
    """What would follow if the receiver took the event; a rehearsal posts nothing, and cannot know that it will.

    `fault_before` says why an upstream's events cannot be posted at all, or None.
    """

    def __init__(self, ids: Ids, fault_before: Callable[[str], str | None]) -> None:
        super().__init__(ids)
        self._fault_before = fault_before

    async def decide(self, tx: WebhookFacts, items: Sequence[Item]) -> Sequence[Decision]:
        """One decision an item."""
        return [await self._presumed(tx, item) for item in items]

    async def _presumed(self, tx: WebhookFacts, item: Item) -> Decision:
        claim = await tx.webhook_claim(item.key.subject.int, 0)
        if claim is None:
            return done()
        if (fault := self._fault_before(claim.source)) is not None:
            return later(fault)
        return await self._one(tx, item, Told(claim, Answer(HTTPStatus.OK)))


def _after(attempts: int, answer: Answer) -> float | None:
    """Seconds to wait: what the receiver asked for, never less than the schedule says, nor more than we allow."""
    schedule = CATALOGUE[HOP].retries
    if answer.retry_after is None or attempts >= len(schedule):
        return None
    return max(float(schedule[attempts]), min(answer.retry_after, _WAIT_MOST))
