"""All workers around one database, in this process: the real consumers and the real `relay`, and between them a broker
that hands each message on at once, so that a test knows when everything has been worked on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from schemas.catalogue import CATALOGUE
from services.bounces.handler import Bounces
from services.deadlines.handler import Deadlines
from services.intake.handler import Intake
from services.kernel.adapters.library import load_library
from services.kernel.adapters.parts import LIBRARY
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.outage import SILENCE
from services.kernel.ledger import Ledger, Transaction
from services.kernel.ports import Delivery, Ids, Outgoing, Subscription
from services.kernel.runtime.consumer import Consumer
from services.kernel.runtime.decision import Decision, Handler
from services.kernel.runtime.items import Item
from services.kernel.runtime.measures import Measures
from services.notifier.handler import Claim, Notifier
from services.relay.handler import Relay
from services.relay.runs import Runs
from services.relay.settings import RelaySettings
from services.renderer.handler import Renderer
from services.responses.handler import Responses
from services.sanctions.handler import Sanctions
from services.webhooks.courier import Courier
from services.webhooks.poster import Answer
from services.webhooks.posting import Posting
from services.webhooks.settings import WebhookSettings
from tests.faults.builder import BOUNCE_DOMAIN, KEYRING

LIBRARY_HERE = load_library(LIBRARY)
MESSAGE_DOMAIN = "authority.example"
PATIENCE = timedelta(minutes=10)
_RUNNING = """SELECT EXISTS (SELECT FROM replay_run r WHERE r.state = 'running' AND NOT EXISTS (
    SELECT FROM replay_item i WHERE i.run_id = r.run_id AND i.batch IS NOT NULL AND i.ended_at IS NULL))"""


class Wire:
    """A broker that confirms everything; what comes over it is in `carried`, oldest first."""

    def __init__(self) -> None:
        self.carried: deque[Outgoing] = deque()

    async def connect(self) -> None:
        """At once."""

    async def subscribe(self, queue: str, *, prefetch: int) -> Subscription:
        raise NotImplementedError(f"{queue} ({prefetch}) is carried by hand")

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        self.carried.extend(messages)
        return {message.key for message in messages}

    async def close(self) -> None:
        """At once."""


class Settled:
    """A subscription of which only settling matters."""

    def __init__(self) -> None:
        self.settled: list[Delivery] = []

    async def take(self, most: int, linger: float) -> list[Delivery]:
        raise NotImplementedError(f"{most} in {linger} s are handed over instead")

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        self.settled += deliveries

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        raise NotImplementedError(f"{len(deliveries)} deliveries")

    async def close(self) -> None:
        """Nothing is held."""


class Faulty:
    """A handler with faults planted in it: it raises over the events and subjects named in `over`."""

    def __init__(self, whole: Handler, over: Mapping[str, Exception]) -> None:
        self.consumer, self.batch = whole.consumer, whole.batch
        self._whole, self._over = whole, over

    async def may_begin(self, ledger: Ledger) -> str | None:
        return await self._whole.may_begin(ledger)

    async def decide(self, tx: Transaction, items: Sequence[Item]) -> Sequence[Decision]:
        for item in items:
            if (error := self._over.get(item.key.event_id) or self._over.get(str(item.key.subject))) is not None:
                raise type(error)(*error.args)
        return await self._whole.decide(tx, items)

    async def malformed(self, tx: Transaction, item: Item) -> Decision:
        return await self._whole.malformed(tx, item)

    async def broken(self, tx: Transaction, item: Item, reason: str) -> Decision:
        return await self._whole.broken(tx, item, reason)

    async def committed(self, decisions: Sequence[Decision]) -> None:
        await self._whole.committed(decisions)


class Receiver:
    """Every upstream's webhook: answers `status`, and notes what it was told. `raises`: a fault of ours in posting."""

    def __init__(self) -> None:
        self.status = 503
        self.told: list[str] = []
        self.raises: Exception | None = None

    async def post(self, *asked: Any) -> Answer:
        """See `Poster`: the URL, the headers, the body, and how far it may reach."""
        if self.raises is not None:
            raise self.raises
        self.told.append(asked[1]["webhook-id"])
        return Answer(self.status)

    async def close(self) -> None:
        """At once."""


class Crew:
    """The workers that take from queues, and `relay`. `faults`: what is planted, by event id or subject."""

    def __init__(self, ledger: PostgresLedger, ids: Ids, faults: Mapping[str, Exception]) -> None:
        self.ledger, self.ids, self.faults = ledger, ids, faults
        self.claims: list[Claim] = []
        self.receiver = Receiver()
        self.sent_again, self.told = Wire(), Wire()
        measures = Measures()
        library = LIBRARY_HERE
        handlers: tuple[Any, ...] = (
            Renderer(library, ids, batch=100), Notifier(ids, self._claimed, batch=100, lease=60),
            Intake(library, ids, batch=100), Bounces(ids, KEYRING, BOUNCE_DOMAIN, MESSAGE_DOMAIN),
            Responses(library, ids, patience=PATIENCE), Sanctions(library, ids),
        )  # fmt: skip
        self.consumers: dict[str, Consumer] = {
            handler.consumer: Consumer(
                Faulty(handler, faults),
                self.told,
                ledger,
                measures,
                prefetch=100,
                linger=0,  # type: ignore[arg-type]
            )
            for handler in handlers
        }
        self._measures = measures
        self.renew_courier()
        self.deadlines = Deadlines(library, ids, 100, timedelta(hours=1), SILENCE)
        self.relay = Relay(ledger, self.sent_again, ids, RelaySettings(), measures)

    def renew_courier(self) -> None:
        """A courier who knows nothing of failures: the circuit to the receivers is closed again."""
        settings = WebhookSettings(DULY_WEBHOOK_KEYS=f"fees:{'ab' * 24}")  # type: ignore[call-arg]
        posting = Posting(self.ledger, self.receiver, settings)
        self.courier = Courier(posting, self.ids, self.told, self.ledger, self._measures)

    async def _claimed(self, claim: Claim) -> None:
        self.claims.append(claim)

    async def take(self, worker: str, deliveries: Sequence[Delivery]) -> None:
        """Let a worker take deliveries from its queue, and wait until it has settled them."""
        subscription = Settled()
        if worker == "webhooks":
            for delivery in deliveries:
                await self.courier._work(subscription, [delivery])
                while self.courier._under_way:
                    await asyncio.wait(self.courier._under_way)
        else:
            await self.consumers[worker]._work(subscription, deliveries)
        assert len(subscription.settled) == len(deliveries), "a worker settles all that it takes"

    async def carry(self) -> int:
        """Hand what `relay` has sent to the workers in its order, neighbours together; how many messages there were."""
        count = 0
        while self.sent_again.carried:
            worker = _worker(self.sent_again.carried[0])
            some: list[Delivery] = []
            while self.sent_again.carried and _worker(self.sent_again.carried[0]) == worker:
                some.append(delivered(self.sent_again.carried.popleft()))
            await self.take(worker, some)
            count += len(some)
        return count

    async def drive(self) -> None:
        """Let `relay` drive the runs that are open, and the workers do what it hands out, until nothing moves."""
        runs = Runs(self.ledger, self.sent_again, 30.0)
        while await runs.round() and (await self.carry() or await self.ledger.pool.fetchval(_RUNNING)):
            continue


def _worker(message: Outgoing) -> str:
    consumer = CATALOGUE[message.routing_key].consumer
    assert consumer, f"{message.routing_key} is for no worker"
    return consumer


def delivered(message: Outgoing) -> Delivery:
    """A message as it comes off a queue; Duly's own user sent it."""
    return Delivery(
        1, message.body, message.content_type, dict(message.headers), message.routing_key, False, message.user_id,
        message.message_id,
    )  # fmt: skip
