"""Posting one event: wait for a turn in the destination's lane, claim the event, sign it, post it.

The claim is committed before the post, so that a second message about the event, here or in another process, posts
nothing; and no transaction is open while the receiver takes its time. A process that dies between the receiver's answer
and our commit leaves the claim behind: when it is over, `relay` hands the event out again, and the receiver sees the
same `webhook-id` once more.
Standards: CloudEvents 1.0 (structured mode over HTTP), Standard Webhooks 1.0.0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog
from pydantic_core import from_json

from schemas.cloudevents import CONTENT_TYPE
from services.kernel.ledger import Ledger, LedgerRerun, LedgerUnavailable, WebhookClaim
from services.webhooks.handler import Outcome, Told
from services.webhooks.lanes import Lane, Lanes
from services.webhooks.poster import Answer, Poster, reach_of
from services.webhooks.settings import WebhookSettings
from services.webhooks.signing import signed

log = structlog.get_logger()
T = TypeVar("T")
LEASE_MARGIN = 30.0
"""Seconds that a claim outlasts the longest post."""
_AWAY_PAUSE = 1.0
_NOT_TRIED = Answer(None, "not tried: nothing has got through to its receiver lately")


class Posting:
    """Posts events, each at most once at a time, and so many to one destination."""

    def __init__(self, ledger: Ledger, poster: Poster, settings: WebhookSettings) -> None:
        self._ledger, self._poster = ledger, poster
        self._keys, self._private = settings.keyring(), settings.private
        self._lanes = Lanes(settings.per_destination)
        self._lease = settings.whole + LEASE_MARGIN
        self._waiting: set[asyncio.Task[object]] = set()
        self._in_work: set[int] = set()

    async def urls(self, outbox_ids: Sequence[int]) -> dict[int, str]:
        """Where those of these events must go that are still owed."""

        async def asked() -> dict[int, str]:
            async with self._ledger.begin() as tx:
                return await tx.webhook_urls(outbox_ids)

        return await lasting(asked)

    async def tell(self, outbox_id: int, url: str, record: Callable[[Outcome], Awaitable[None]]) -> None:
        """Post one event and record what came of it, all in its turn: no more are posted than are recorded.

        Nothing is posted or recorded of an event that is in work already, here or in another process: what came of it
        is recorded there, and a message that counted as done would hide it.
        """
        if outbox_id in self._in_work:
            return
        self._in_work.add(outbox_id)
        try:
            await self._in_turn(outbox_id, self._lanes.of(url), record)
        finally:
            self._in_work.discard(outbox_id)

    async def _in_turn(self, outbox_id: int, lane: Lane, record: Callable[[Outcome], Awaitable[None]]) -> None:
        await self._turn(lane)
        try:
            if (outcome := await self._told(outbox_id, lane)) is not None:
                await record(outcome)
        finally:
            lane.turns.release()

    async def _told(self, outbox_id: int, lane: Lane) -> Outcome:
        try:
            claim = await lasting(lambda: self._claimed(outbox_id))
            return None if claim is None else Told(claim, await self._answer(lane, claim))
        except Exception as fault:  # noqa: BLE001 -- becomes this event's failure, with its stack
            return fault

    def fault_before(self, source: str) -> str | None:
        """Why an upstream's events cannot be posted at all, or None."""
        return None if self._keys.get(source) else f"no key signs for {source}: DULY_WEBHOOK_KEYS names none"

    def give_up_waiting(self) -> None:
        """Cancel what waits for its turn; what is being posted goes on."""
        for task in self._waiting:
            task.cancel()

    async def _turn(self, lane: Lane) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine runs in one
        self._waiting.add(task)
        try:
            await lane.turns.acquire()
        finally:
            self._waiting.discard(task)

    async def _claimed(self, outbox_id: int) -> WebhookClaim | None:
        async with self._ledger.begin() as tx:
            return await tx.webhook_claim(outbox_id, self._lease)

    async def _answer(self, lane: Lane, claim: WebhookClaim) -> Answer:
        if (fault := self.fault_before(claim.source)) is not None:
            return Answer(None, fault)
        keys = self._keys[claim.source]
        if not lane.may_try():
            return _NOT_TRIED
        reach = reach_of(trial=claim.trial, private=self._private)
        answer = await self._poster.post(claim.url, headers_of(claim, keys), claim.body, reach)
        lane.answered(taken=answer.taken)
        return answer


def headers_of(claim: WebhookClaim, keys: Sequence[bytes]) -> Mapping[str, str]:
    """The headers of one event's post; its trace stands in one, too, where receivers look for it without reading on."""
    event = from_json(claim.body)
    trace = {"traceparent": str(event["traceparent"])} if "traceparent" in event else {}
    ours = {"content-type": CONTENT_TYPE, "user-agent": "duly", **trace}
    return {**ours, **signed(keys, str(event["id"]), claim.at, claim.body)}


async def lasting(work: Callable[[], Awaitable[T]]) -> T:
    """Do this until the database lets us: a rerun at once, again in a moment while it is away."""
    while True:
        try:
            return await work()
        except LedgerRerun:
            continue
        except LedgerUnavailable as away:
            log.warning("work.paused", exc_info=away)
            await asyncio.sleep(_AWAY_PAUSE)
