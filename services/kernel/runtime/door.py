"""What every door does: raw evidence is committed, then the bringer is answered, and only then does it travel."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from schemas.messages.hops import BounceReceivedV1, ResponseReceivedV1
from services.kernel.domain.changes import Announced, CallbackKept, EvidenceStored
from services.kernel.ledger import Clock, DoorFacts, Ledger, Unsent
from services.kernel.ports import Broker, Ids
from services.kernel.runtime.decision import announce
from services.kernel.runtime.gathering import Gathering
from services.kernel.runtime.publishing import publish_unsent

Hop = Literal["bounce.received.v1", "response.received.v1"]
_MESSAGES = {"bounce.received.v1": BounceReceivedV1, "response.received.v1": ResponseReceivedV1}
_MOST_NAMED = 1_000
"""What one message between workers may name."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one bringer brought: pieces of evidence, and the whole that they were cut from, if they were."""

    evidence: tuple[EvidenceStored, ...]
    whole: CallbackKept | None = None


class EvidenceDoor:
    """Stores evidence for many bringers at once, and tells the worker that takes it.

    `bring` answers the ids of what is new; what the source had sent before is known already, and nothing follows from
    it. A process that dies between the commit and the telling loses nothing: `relay` tells it.
    """

    def __init__(self, ledger: Ledger, broker: Broker, ids: Ids, hop: Hop) -> None:
        self._ledger, self._ids, self._hop = ledger, ids, hop
        self._travel = Travel(ledger, broker)
        self._gathering = Gathering(self._commit)

    async def bring(self, taken: Taken) -> frozenset[UUID]:
        """Commit this; the ids of what is new.

        Raises:
            DoorBusy: too many wait.
            DoorClosed: the program is stopping.
            LedgerUnavailable: the database is away; nothing was stored.
        """
        return await self._gathering.bring(taken)

    async def run(self, stopping: asyncio.Event) -> None:
        """Commit until told to stop; return when all that was committed has been told, or cannot be now."""
        await self._gathering.run(stopping)
        await self._travel.arrived()

    async def _commit(self, brought: Sequence[Taken]) -> Sequence[frozenset[UUID]]:
        async with self._ledger.begin() as tx:
            new = await tx.store([row for taken in brought for row in taken.evidence])
            wholes = [
                each.whole for each in brought if each.whole and any(row.evidence_id in new for row in each.evidence)
            ]
            unsent = await tx.write([*wholes, *hops(self._hop, sorted(new), self._ids, await tx.clock())])
        self._travel.send(unsent)
        return [frozenset(row.evidence_id for row in taken.evidence) & new for taken in brought]


class Travel:
    """Publishing beside the door's work: a bringer need not wait for the broker."""

    def __init__(self, ledger: Ledger, broker: Broker) -> None:
        self._ledger, self._broker = ledger, broker
        self._under_way: set[asyncio.Task[int]] = set()

    def send(self, unsent: Sequence[Unsent]) -> None:
        """Publish these some time soon."""
        if unsent:
            task = asyncio.create_task(publish_unsent(self._broker, self._ledger, unsent))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[int]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # what is not marked as sent stays in the outbox, and `relay` sends it

    async def arrived(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)


async def store(tx: DoorFacts, rows: Sequence[EvidenceStored], hop: Hop, ids: Ids) -> list[Unsent]:
    """Store evidence in a transaction that is open; what may be published when it is committed."""
    new = await tx.store(rows)
    return await tx.write(hops(hop, sorted(new), ids, await tx.clock()))


def hops(hop: Hop, evidence: Sequence[UUID], ids: Ids, clock: Clock) -> list[Announced]:
    """The word to the worker that takes it, many pieces in one message."""
    return [
        announce(hop, _MESSAGES[hop](evidence=tuple(some)), event_id=str(ids.uuid7()), trial=clock.trial)
        for start in range(0, len(evidence), _MOST_NAMED)
        if (some := evidence[start : start + _MOST_NAMED])
    ]
