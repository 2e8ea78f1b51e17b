"""A bench for handlers: events in, decisions through the real ledger, and what the database says afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from schemas.messages.fields import Message
from services.deadlines.handler import Deadlines
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.library import load_library
from services.kernel.adapters.parts import LIBRARY
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.changes import Change
from services.kernel.domain.outage import SILENCE
from services.kernel.ledger import Unsent
from services.kernel.ports import Delivery, SmtpReply
from services.kernel.runtime.batch import run_batch
from services.kernel.runtime.decision import Handler, announce
from services.kernel.runtime.items import ATTEMPTS, FAILED_ID, Item, items_of
from services.notifier.handler import Claim, Notifier
from services.notifier.settle import Settler, judged
from services.renderer.handler import Renderer
from services.sanctions.handler import Sanctions

IDS = SystemIds()
LIBRARY_HERE = load_library(LIBRARY)


def delivery(body: bytes, key: str, headers: dict[str, str] | None = None) -> Delivery:
    return Delivery(1, body, "application/cloudevents+json", headers or {}, key, False, None, None)


def item(event: dict[str, Any], consumer: str = "renderer") -> Item:
    body = json.dumps({"specversion": "1.0", "id": str(uuid4()), **event}).encode()
    (one,) = items_of(delivery(body, event["type"]), consumer)
    return one


def hop(kind: str, message: Message, consumer: str) -> list[Item]:
    told = announce(kind, message, event_id=str(uuid4()))
    return items_of(delivery(told.body, kind), consumer)


class Bench:
    """The ledger, the workers' handlers over it, and SQL beside them."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self.ledger = ledger
        self.claims: list[Claim] = []
        self.renderer = Renderer(LIBRARY_HERE, IDS, batch=100)
        self.notifier = Notifier(IDS, self._claimed, batch=100, lease=60)
        self.sanctions = Sanctions(LIBRARY_HERE, IDS)
        self.deadlines = Deadlines(LIBRARY_HERE, IDS, 100, timedelta(hours=1), SILENCE)
        self.settler = Settler(LIBRARY_HERE, IDS)

    async def _claimed(self, claim: Claim) -> None:
        self.claims.append(claim)

    async def run(self, handler: Handler, items: Sequence[Item]) -> list[Unsent]:
        return await run_batch(self.ledger, handler, items)

    async def write(self, *changes: Change) -> list[Unsent]:
        async with self.ledger.begin() as tx:
            return await tx.write(changes)

    async def value(self, query: str, *arguments: Any) -> Any:
        return await self.ledger.pool.fetchval(query, *arguments)

    async def column(self, query: str, *arguments: Any) -> list[Any]:
        return [row[0] for row in await self.ledger.pool.fetch(query, *arguments)]

    async def state(self, notice_id: UUID) -> str:
        found: str = await self.value("SELECT state FROM notice WHERE notice_id = $1", notice_id)
        return found

    async def rendered(self, event: dict[str, Any]) -> UUID:
        """A notice, rendered."""
        await self.run(self.renderer, [item(event)])
        found: UUID = await self.value(
            "SELECT notice_id FROM notice WHERE source_ref = $1", event["data"]["source_ref"]
        )
        return found

    async def settle(self, claim: Claim, reply: SmtpReply, *, braked: bool = False) -> None:
        """What the mail system said to a claim."""
        async with self.ledger.begin() as tx:
            notices, clock = await tx.lock([claim.notice_id]), await tx.clock()
            opened, sanctions = await tx.opened(notices), await tx.sanctions(notices)
            made = self.settler.settle(
                judged(claim, reply), notices[claim.notice_id], clock, claim.notice_id in opened,
                sanctions.get(claim.notice_id), braked=braked,
            )  # fmt: skip
            await tx.write(made)

    async def advance(self, **by: float) -> None:
        interval = " ".join(f"{number} {unit}" for unit, number in by.items())
        await self.value("UPDATE trial_clock SET ahead = ahead + $1::text::interval RETURNING 1", interval)

    async def lapse(self) -> int:
        passed, _ = await self.deadlines.pass_due(self.ledger)
        return passed

    async def again(self, failed_id: UUID) -> Item:
        """A failed item as `relay` sends it again."""
        row = await self.ledger.pool.fetchrow("SELECT * FROM failed_item WHERE failed_id = $1", failed_id)
        headers = {**json.loads(row["headers"]), FAILED_ID: str(failed_id), ATTEMPTS: str(row["attempts"])}
        (one,) = items_of(delivery(row["body"], row["type"], headers), row["worker"])
        return one
