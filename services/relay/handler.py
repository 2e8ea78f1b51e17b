"""relay: publishes what others could not, and wakes whatever is due. It decides nothing about a notice.

Due work lives in the database, so that the broker may be wiped at any moment: unsent outbox rows, retries, alerts to
send again, evidence that nobody looked at, gates to look at again, events owed by webhook. While the gate waits, it
sends timed marks through the evidence queue. It publishes the daily roots of the evidence chains.
Settings: `services/relay/settings.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, timedelta
from typing import TypeVar
from uuid import UUID

from schemas.messages.fields import Message
from schemas.messages.hops import (
    BounceReceivedV1,
    DeadlinePassedV1,
    DeliveryQueuedV1,
    NoticeRenderedV1,
    PassedDeadline,
    ResponseReceivedV1,
)
from schemas.messages.outcomes import EvidenceRootedV1
from schemas.messages.requests import MarkSentV1
from services.kernel.domain.chain import merkle_root
from services.kernel.domain.changes import Announced, GateWoken
from services.kernel.ledger import FailedDue, Ledger, RelayFacts
from services.kernel.ports import Broker, Ids, Outgoing
from services.kernel.runtime.decision import announce
from services.kernel.runtime.items import ATTEMPTS, FAILED_ID
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.publishing import publish_unsent
from services.relay.settings import RelaySettings

_MOST = 500
_A_MESSAGE = 50
"""Items in one message: a worker that dies over it does no more than these again."""
_OUT = 200
"""Events to one upstream that are handed out at a time: a slow one must not fill the queue."""
_OUT_AGAIN = 60.0
"""Seconds after which these are handed out again: they may have to wait for their turn."""
_SAID = {"amqp", "http", "inbox"}
"""The doors of those who say something about a notice; the others bring reports of mail."""
_T = TypeVar("_T")
_MIDNIGHT_GRACE = timedelta(minutes=5)
_FORSAKEN_AFTER = 3600.0
"""Seconds: nobody takes so long to send an answer; its door gave up on it long before, unless it died."""


class Relay:
    """Each method is one round of one kind of due work; True if there may be more at once."""

    def __init__(self, ledger: Ledger, broker: Broker, ids: Ids, settings: RelaySettings, measures: Measures) -> None:
        self._ledger, self._broker, self._ids = ledger, broker, ids
        self._settings, self._measures = settings, measures

    async def outbox(self) -> bool:
        """Publish what is older than the grace time; one process at a time, so that order holds."""
        async with self._ledger.begin() as tx:
            if not await tx.alone("outbox"):
                return False
            unsent = await tx.unsent(_MOST, self._settings.outbox_grace)
            confirmed = await publish_unsent(self._broker, self._ledger, unsent)
        return confirmed > 0

    async def retries(self) -> bool:
        """Publish failed items whose next attempt is due, straight to their type's queue."""
        async with self._ledger.begin() as tx:
            due = await tx.failed_due(_MOST, self._settings.again)
        await self._broker.publish([_again(number, item) for number, item in enumerate(due)])
        return len(due) == _MOST

    async def wake(self) -> bool:
        """Tell the workers what is due: alerts, evidence, gates."""
        async with self._ledger.begin() as tx:
            await tx.abandon_attempts(_MOST)
            trial = (await tx.clock()).trial
            alerts = await tx.alerts_due(_MOST, self._settings.again)
            waits = await tx.waits_due(_MOST, self._settings.again)
            looks = await tx.evidence_unlooked(_MOST, self._settings.again)
            unsent = await tx.write(
                [
                    *self._hop("notice.rendered.v1", alerts, lambda ids: NoticeRenderedV1(notices=ids), trial=trial),
                    *self._gates(waits, trial=trial),
                    *self._evidence(looks, trial=trial),
                ],
            )
        await publish_unsent(self._broker, self._ledger, unsent)
        return _MOST in {len(alerts), len(waits), len(looks)}

    async def webhooks(self) -> bool:
        """Hand out what upstreams must be told by webhook; one message names events to one of them."""
        async with self._ledger.begin() as tx:
            owed = await tx.webhooks_due(_OUT, _OUT_AGAIN)
            trial = (await tx.clock()).trial
            unsent = await tx.write(
                [
                    announce("delivery.queued.v1", DeliveryQueuedV1(deliveries=some), event_id=str(self._ids.uuid7()),
                             trial=trial)
                    for outbox_ids in owed.values()
                    for some in _few(sorted(outbox_ids))
                ]
            )  # fmt: skip
        await publish_unsent(self._broker, self._ledger, unsent)
        return False

    async def rescue(self) -> bool:
        """Tell the notifier of rendered notices whose message was lost with the broker."""
        async with self._ledger.begin() as tx:
            found = await tx.unalerted(_MOST, self._settings.rescue_grace)
            trial = (await tx.clock()).trial
            unsent = await tx.write(
                self._hop("notice.rendered.v1", found, lambda ids: NoticeRenderedV1(notices=ids), trial=trial)
            )
        await publish_unsent(self._broker, self._ledger, unsent)
        return False

    async def forsake(self) -> bool:
        """Give up answers that began an hour ago and never became complete; the gate need not wait for them."""
        async with self._ledger.begin() as tx:
            forsaken = await tx.forsake_answers(_MOST, _FORSAKEN_AFTER)
            await tx.write([GateWoken(notice_id) for notice_id in dict.fromkeys(forsaken)])
        return len(forsaken) == _MOST

    async def mark(self) -> bool:
        """Send a timed mark through the evidence queue while the gate waits for anything."""
        async with self._ledger.begin() as tx:
            if not await tx.gate_waits():
                return False
            clock = await tx.clock()
        mark_id = self._ids.uuid7()
        told = announce(
            "mark.sent.v1", MarkSentV1(mark_id=mark_id, sent_at=clock.legal), event_id=str(mark_id), trial=clock.trial
        )
        await self._broker.publish([Outgoing(0, told.type, told.body)])
        return False

    async def measure(self) -> bool:
        """Tell `/metrics` what waits, how long the oldest has, and what stands still: nothing may be stuck unseen."""
        async with self._ledger.begin() as tx:
            wall = (await tx.clock()).wall
            waiting, figures = await tx.waiting(), await tx.figures()
        for each in waiting:
            self._measures.waits(each.what, each.number, (wall - each.since).total_seconds() if each.since else 0.0)
        self._measures.stand("relay", figures)
        return False

    async def roots(self) -> bool:
        """Publish the root of every day that is over."""
        async with self._ledger.begin() as tx:
            if not await tx.alone("roots"):
                return False
            clock = await tx.clock()
            today = (clock.legal - _MIDNIGHT_GRACE).astimezone(UTC).date()
            told = [await self._root(tx, day, trial=clock.trial) for day in await tx.rootless_days(today)]
            unsent = await tx.write(told)
        await publish_unsent(self._broker, self._ledger, unsent)
        return False

    async def _root(self, tx: RelayFacts, day: date, *, trial: bool) -> Announced:
        heads = await tx.heads(day)
        root = merkle_root([digest for _, digest in heads])
        await tx.store_root(day, root, heads)
        message = EvidenceRootedV1(day=day, chains=len(heads), root=root.hex())
        return announce("evidence.rooted.v1", message, event_id=f"root:{day.isoformat()}", trial=trial)

    def _hop(
        self, kind: str, ids: Sequence[UUID], message: Callable[[tuple[UUID, ...]], Message], *, trial: bool
    ) -> list[Announced]:
        return [
            announce(kind, message(named), event_id=str(self._ids.uuid7()), trial=trial)
            for named in _few(list(dict.fromkeys(ids)))
        ]

    def _gates(self, waits: Sequence[tuple[UUID, int]], *, trial: bool) -> list[Announced]:
        deadlines = [PassedDeadline(notice_id=notice_id, version=version) for notice_id, version in waits]
        return [
            announce(
                "deadline.passed.v1", DeadlinePassedV1(deadlines=some), event_id=str(self._ids.uuid7()), trial=trial
            )
            for some in _few(deadlines)
        ]

    def _evidence(self, looks: Sequence[tuple[UUID, str]], *, trial: bool) -> list[Announced]:
        """Evidence goes where its door sends it: what is said to `responses`, what mail systems report to `bounces`."""
        said = [evidence_id for evidence_id, door in looks if door in _SAID]
        mail = [evidence_id for evidence_id, door in looks if door not in _SAID]
        return [
            *self._hop("response.received.v1", said, lambda ids: ResponseReceivedV1(evidence=ids), trial=trial),
            *self._hop("bounce.received.v1", mail, lambda ids: BounceReceivedV1(evidence=ids), trial=trial),
        ]


def _few(things: Sequence[_T]) -> list[tuple[_T, ...]]:
    """In portions of one message each."""
    return [tuple(things[start : start + _A_MESSAGE]) for start in range(0, len(things), _A_MESSAGE)]


def _again(number: int, item: FailedDue) -> Outgoing:
    headers = {**item.headers, FAILED_ID: str(item.failed_id), ATTEMPTS: str(item.attempts)}
    return Outgoing(number, item.routing_key, item.body, item.content_type, headers)
