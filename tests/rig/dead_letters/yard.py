"""Where dead letters come to lie: real messages that real workers failed over, each with the story of its death.

A story makes some items fail for one cause and says what became of their matter meanwhile. Everything follows from
`SEED`; each dead letter is known by its story afterwards.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from schemas.catalogue import CATALOGUE
from schemas.messages.fields import Message
from schemas.messages.requests import MarkSentV1
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.desk import PostgresDesk
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.notice import State
from services.kernel.ports import Delivery
from services.kernel.runtime.decision import announce
from services.kernel.runtime.desk import Word, clear_evidence
from tests.rig.dead_letters.crew import Crew, delivered
from tests.rig.notices import make

SEED = 2_026_11
COPIES = 6
"""Dead letters that most stories leave."""
_FIRST_MS = 1_795_000_000_000  # 2026-11
_LEASES_RUN_OUT = """
UPDATE webhook_delivery SET claimed_until = NULL WHERE lpad(to_hex(outbox_id), 32, '0')::uuid IN (
    SELECT subject FROM failed_item WHERE worker = 'webhooks' AND state = 'retry') RETURNING 1
"""
"""What a retry waits for as well, where posting itself broke: its event is claimed until then."""
_ERRORS = (KeyError, ValueError, ZeroDivisionError, LookupError, RuntimeError)


class SeededIds(SystemIds):
    """Ids and jitter that are the same in every run."""

    def __init__(self, seed: int) -> None:
        rng, clock = random.Random(seed), count(_FIRST_MS)
        super().__init__(clock=lambda: next(clock), random_bits=rng.getrandbits)
        self._jitter = rng.random

    def jitter(self) -> float:
        return self._jitter()


@dataclass
class Yard:
    """A database with its workers, and the dead letters in it. `faults` are those planted now."""

    ledger: PostgresLedger
    ids: SeededIds = field(default_factory=lambda: SeededIds(SEED))
    faults: dict[str, Exception] = field(default_factory=dict)
    stories: dict[UUID, str] = field(default_factory=dict)
    later: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    crew: Crew = field(init=False)
    story: str = ""

    def __post_init__(self) -> None:
        self.crew = Crew(self.ledger, self.ids, self.faults)
        self._numbers = count(1)

    # --- what comes to the workers

    def event_id(self) -> str:
        """An id that says whose story the event belongs to."""
        return f"{self.story}/{next(self._numbers):04}"

    def refs(self, number: int = COPIES) -> list[str]:
        """References of notices to be."""
        return [f"{self.story.replace('_', '-')}-{next(self._numbers):04}" for _ in range(number)]

    def event(self, told: Mapping[str, Any], *, event_id: str = "", **how: Any) -> Delivery:
        """An upstream's event as it comes off the queue."""
        body = {"specversion": "1.0", "id": event_id or self.event_id(), **told}
        return raw(json.dumps(body).encode(), told["type"], **how)

    def hop(self, kind: str, message: Message) -> Delivery:
        """A message between workers."""
        return raw(announce(kind, message, event_id=self.event_id()).body, kind)

    async def come(self, *deliveries: Delivery, to: str = "") -> None:
        """Let their worker take these, many at a time."""
        for start in range(0, len(deliveries), 50):
            some = deliveries[start : start + 50]
            await self.crew.take(to or str(CATALOGUE[some[0].routing_key].consumer), some)

    async def stored(self, *events: Delivery) -> Delivery:
        """Let the evidence door store these; the message that tells `responses` of them."""
        self.crew.told.carried.clear()
        await self.come(*events)
        (told,) = (each for each in self.crew.told.carried if each.routing_key == "response.received.v1")
        return delivered(told)

    async def said(self, *events: Delivery) -> None:
        """Let these facts from upstream be stored, and worked on."""
        await self.come(await self.stored(*events))

    # --- how it fails

    @contextmanager
    def fault(self, over: Iterable[object], *, lasting: bool = False) -> Iterator[None]:
        """A fault of ours in the worker, over these events or subjects; mended at the end unless it is `lasting`."""
        named = [str(each) for each in over]
        error = _ERRORS[len(self.stories) % len(_ERRORS)]
        self.faults.update({name: error(f"planted: {self.story}") for name in named})
        yield
        if not lasting:
            for name in named:
                del self.faults[name]

    async def die_of_a_fault(self, *deliveries: Delivery, lasting: bool = False) -> None:
        """Let a fault of ours kill these, attempt after attempt."""
        with self.fault(named(deliveries), lasting=lasting):
            await self.come(*deliveries)
            await self.exhaust()

    async def exhaust(self) -> None:
        """Let every retry come due until its schedule is over. A few go the whole way; for the others the middle of
        the schedule is left out: their last attempt is as real as their first."""
        whole = await self.value("SELECT min(failed_id::text) FROM failed_item WHERE state = 'retry'")
        while await self.value("SELECT EXISTS (SELECT FROM failed_item WHERE state = 'retry')"):
            for kind, entry in CATALOGUE.items():
                await self.value(
                    "UPDATE failed_item SET attempts = greatest(attempts, $2) WHERE state = 'retry' AND type = $1"
                    " AND failed_id <> $3::text::uuid RETURNING 1", kind, len(entry.retries), whole,
                )  # fmt: skip
            await self.value("UPDATE failed_item SET next_at = clock_timestamp() WHERE state = 'retry' RETURNING 1")
            await self.value(_LEASES_RUN_OUT)
            await self.crew.relay.retries()
            await self.crew.carry()

    # --- notices, and the database

    async def notices(self, state: State, number: int = COPIES, **properties: Any) -> list[UUID]:
        """Notices in that state, with the evidence that the workers would have written."""
        made = []
        for ref in self.refs(number):
            given = {"source_ref": ref, "matter": f"fees/{ref}", "address": f"{ref}@business.example", **properties}
            made.append((await make(self.ledger, state, **given)).notice_id)
        return made

    async def value(self, query: str, *arguments: Any) -> Any:
        return await self.ledger.pool.fetchval(query, *arguments)

    async def column(self, query: str, *arguments: Any) -> list[Any]:
        return [row[0] for row in await self.ledger.pool.fetch(query, *arguments)]

    async def advance(self, **by: float) -> None:
        """Move the legal clock of the trial database."""
        interval = " ".join(f"{number} {unit}" for unit, number in by.items())
        await self.value("UPDATE trial_clock SET ahead = ahead + $1::text::interval RETURNING 1", interval)

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[PostgresDesk]:
        """Where named persons act."""
        async with self.ledger.pool.acquire() as connection:
            yield PostgresDesk(connection, self.ids)

    async def lapse(self) -> None:
        """Let the deadlines that have passed do so."""
        await self.crew.deadlines.pass_due(self.ledger)

    async def clear(self, *evidence_ids: UUID) -> None:
        """A person says that this evidence needs no more looking at."""
        async with self.desk() as desk:
            for evidence_id in evidence_ids:
                await clear_evidence(desk, evidence_id, Word("Alice Green", "looked at"))

    async def rest(self) -> None:
        """Three days pass; a person clears what came from nobody; a mark tells that all evidence is here."""
        await self.advance(days=3)
        nobodys = (
            "SELECT evidence_id FROM raw_evidence WHERE type = 'undecodable' AND state = 'dead' AND source IS NULL"
        )
        await self.clear(*await self.column(nobodys))
        for last in self.later:
            await last()
        at = await self.value("SELECT legal_now()")
        told = MarkSentV1(mark_id=self.ids.uuid7(), sent_at=at)
        await self.come(raw(announce("mark.sent.v1", told, event_id=self.event_id()).body, "mark.sent.v1"))

    async def tell(self, story: Callable[[Yard], Awaitable[None]]) -> None:
        """Let one story happen; the dead letters that are new then are its own."""
        self.story = story.__name__
        await story(self)
        for failed_id in await self.column("SELECT failed_id FROM failed_item WHERE state = 'dead' ORDER BY 1"):
            self.stories.setdefault(failed_id, self.story)


def raw(body: bytes, key: str, headers: dict[str, str] | None = None, user: str | None = None) -> Delivery:
    """Bytes as they come off a queue."""
    return Delivery(1, body, "application/cloudevents+json", headers or {}, key, False, user, None)


def withdrawn(ref: str) -> dict[str, Any]:
    """Upstream takes a notice back."""
    data = {"source_ref": ref, "reason": "issued in error", "requested_by": "R. Bevan"}
    return {"type": "withdrawal.requested.v1", "source": "fees", "data": data}


def named(deliveries: Iterable[Delivery]) -> list[str]:
    """The ids of these events."""
    return [str(json.loads(delivery.body)["id"]) for delivery in deliveries]
