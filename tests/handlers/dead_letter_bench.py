"""A bench for dead letters: items that died, runs over them, and workers that take what `relay` hands out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from schemas.catalogue import CATALOGUE
from services.bounces.handler import Bounces
from services.intake.handler import Intake
from services.kernel.adapters.postgres.desk import PostgresDesk
from services.kernel.domain.verp import Keyring
from services.kernel.ports import Delivery, Outgoing
from services.kernel.runtime.consumer import Consumer, _groups
from services.kernel.runtime.dead_letters import runs
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.records import Kind, Run
from services.kernel.runtime.decision import Handler
from services.kernel.runtime.desk import Word
from services.kernel.runtime.measures import Measures
from services.relay.runs import Runs
from services.responses.handler import Responses
from tests.handlers.bench import IDS, LIBRARY_HERE, Bench

LEWIS, MOORE = Word("A. Lewis", "the text is mended"), Word("B. Moore", "agreed")
DEAD = Chosen(states=("dead",))


class Broker:
    """Keeps what is published, in order, until workers take it."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        self.messages += messages
        return {message.key for message in messages}

    def taken(self) -> list[Delivery]:
        taken, self.messages = self.messages, []
        return [
            Delivery(number, each.body, each.content_type, each.headers, each.routing_key, False, None, None)
            for number, each in enumerate(taken)
        ]


class Letters:
    """Dead letters on a bench."""

    def __init__(self, bench: Bench, desk: PostgresDesk) -> None:
        self.bench, self.desk, self.broker = bench, desk, Broker()
        self.relay = Runs(bench.ledger, self.broker, 30.0)  # type: ignore[arg-type]
        keyring = Keyring({"k": b"k" * 32}, "k")
        self.handlers: dict[str, Handler] = {
            "renderer": bench.renderer,
            "notifier": bench.notifier,
            "sanctions": bench.sanctions,
            "intake": Intake(LIBRARY_HERE, IDS, batch=100),
            "bounces": Bounces(IDS, keyring, "bounces.example.org", "example.org"),
            "responses": Responses(LIBRARY_HERE, IDS, patience=timedelta(hours=1)),
        }

    async def die(
        self, *events: Mapping[str, Any], worker: str = "renderer", reason: str = "KeyError at handler.py:9"
    ) -> list[UUID]:
        """Events that are dead letters of a worker, as they came."""
        return [await self._one(event, worker, reason) for event in events]

    async def _one(self, event: Mapping[str, Any], worker: str, reason: str) -> UUID:
        whole = {"specversion": "1.0", "id": str(uuid4()), **event}
        failed_id, data = IDS.uuid7(), whole.get("data", {})
        template = f"{data['regime']}/{data['notice_type']}" if "regime" in data else None
        await self.bench.value(
            "INSERT INTO failed_item (failed_id, worker, state, source, event_id, type, subject, routing_key, "
            "content_type, headers, body, reason, attempts, history, created_at, changed_at, notice_type) "
            "VALUES ($1, $2, 'dead', $3, $4, $5, $6, $5, 'application/cloudevents+json', '{}', $7, $8, 7, "
            "jsonb_build_array(jsonb_build_object('at', clock_timestamp(), 'error', 'KeyError', 'stack', 'x')), "
            "clock_timestamp(), clock_timestamp(), $9) RETURNING 1",
            failed_id, worker, whole["source"], whole["id"], whole["type"], UUID(int=0), json.dumps(whole).encode(),
            reason, template,
        )  # fmt: skip
        return failed_id

    async def begin(self, kind: Kind = Kind.REPLAY, chosen: Chosen = DEAD, **pace: Any) -> Run:
        return await runs.begin(self.desk, IDS, kind, chosen, LEWIS, **{"per_second": None, **pace})

    async def hand_out(self) -> list[Delivery]:
        """One round of `relay`, and what it published."""
        await self.relay.round()
        return self.broker.taken()

    async def work(self, deliveries: Sequence[Delivery]) -> None:
        """Workers take these."""
        for name, handler in self.handlers.items():
            own = [each for each in deliveries if _consumer_of(each) == name]
            measures, silent = Measures(), _Silent()
            consumer = Consumer(handler, silent, self.bench.ledger, measures, prefetch=1, linger=0)  # type: ignore[arg-type]
            for group in _groups(own):
                await consumer._run(group)

    async def drive(self, run: Run, rounds: int = 40) -> Run:
        """Rounds and work until the run needs nothing more."""
        for _ in range(rounds):
            await self.work(await self.hand_out())
            found = await self.desk.run(run.run_id)
            assert found is not None
            if found.state != "running" and not found.out:
                return found
        return found

    async def state(self, failed_id: UUID) -> str:
        found: str = await self.bench.value("SELECT state FROM failed_item WHERE failed_id = $1", failed_id)
        return found


class _Silent:
    """A broker for workers whose publishing does not matter here: `relay` would publish it."""

    async def publish(self, messages: Sequence[Outgoing]) -> set[int]:
        return {message.key for message in messages}


def _consumer_of(delivery: Delivery) -> str:
    entry = CATALOGUE.get(delivery.routing_key)
    return entry.consumer or "" if entry else ""


@asynccontextmanager
async def letters_on(bench: Bench) -> AsyncIterator[Letters]:
    """The bench, with a desk on a connection of its own."""
    async with bench.ledger.pool.acquire() as connection:
        yield Letters(bench, PostgresDesk(connection, IDS))
