"""Brake batches: what the brake alone holds of one kind, put before a person whole, and judged by a random sample.

A batch is made, each sampled case is judged right or wrong by name with a note, and the whole is released or rejected.
The gate stays the only judge: a release takes the brake away from these very sanctions and nothing else.

Lock order: the batch, then the gate's waits in the order of their notices, then the brake. The gate takes one wait and
then the brake, so that neither stands in the other's way.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from services.kernel.domain.sample import draw
from services.kernel.ports import Ids
from services.kernel.runtime.desk import Word, refusal

Verdict = Literal["right", "wrong"]


@dataclass(frozen=True, slots=True)
class BrakeBatch:
    """A batch: of what kind, `open`, `released` or `rejected`, of how many, and who decided."""

    batch_id: UUID
    kind: str
    state: str
    total: int
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class SampleStanding:
    """How the sample stands: how many were drawn, and which numbers are not judged yet, or judged wrong."""

    drawn: int
    unjudged: tuple[int, ...]
    wrong: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BatchDone:
    """What an act did: `count` is how many sanctions the new batch has, or got the word; `drawn` are in the sample."""

    batch_id: UUID
    kind: str
    count: int
    drawn: int = 0


class BrakeFacts(Protocol):
    """What acts on batches read and write."""

    async def lock_brake(self, kind: str) -> None:
        """Lock the brake of this kind of sanction."""

    async def open_batch(self, kind: str) -> UUID | None:
        """The open batch of this kind."""

    async def held_by_brake(self, kind: str) -> list[UUID]:
        """The proposed sanctions of this kind that nothing but the brake holds, in the order of their proposal."""

    async def keep_batch(
        self, batch_id: UUID, kind: str, sanction_ids: list[UUID], sampled: tuple[int, ...], said: Word
    ) -> None:
        """A new batch; the items are numbered from 1, and these numbers are its sample."""

    async def lock_batch(self, batch_id: UUID) -> BrakeBatch | None:
        """A batch, locked."""

    async def sample_standing(self, batch_id: UUID) -> SampleStanding:
        """How its sample stands; what was judged before the switch was last thrown counts no more."""

    async def keep_judgement(self, batch_id: UUID, number: int, verdict: Verdict, said: Word) -> bool:
        """A judgement of a sampled item; False if the batch has no such item, or it is not in the sample."""

    async def lock_batch_waits(self, batch_id: UUID) -> None:
        """Lock the gate's waits for all notices of a batch."""

    async def say_of_batch(self, batch_id: UUID, word: Literal["release", "decline"], said: Word) -> int:
        """A person's word about each sanction of a batch that is proposed still and not declined; how many."""

    async def end_batch(self, batch_id: UUID, state: Literal["released", "rejected"], said: Word) -> None:
        """The batch is decided, and the gate looks at its notices."""


class BrakeActs(BrakeFacts, Protocol):
    """The brakes themselves. Every stop counts as a throwing of the switch, also of one that is on."""

    async def stop_kind(self, kind: str, said: Word, *, stopped: bool) -> None:
        """Stop a kind of sanction, or let it go on."""

    async def cap_kind(self, kind: str, cap: int | None, said: Word) -> None:
        """Set how many of a kind may fire in an hour; None: what the regime says."""

    async def stop_sending(self, said: Word) -> None:
        """Let no mail leave until a person releases it."""

    async def release_sending(self, said: Word) -> None:
        """Let mail leave again."""


class BrakeDesk(Protocol):
    """Where the transactions come from."""

    def begin(self) -> AbstractAsyncContextManager[BrakeFacts]:
        """A transaction: committed when the block ends, rolled back when it raises."""


async def make_batch(desk: BrakeDesk, ids: Ids, kind: str, said: Word) -> BatchDone:
    """Put what the brake alone holds of a kind into one batch, and draw its sample.

    Raises:
        Fault: a batch of this kind is open already, or the brake holds nothing.
    """
    async with desk.begin() as tx:
        await tx.lock_brake(kind)
        standing = await tx.open_batch(kind)
        if standing is not None:
            raise refusal(f"batch {standing} of {kind} is open", "release or reject it first")
        held = await tx.held_by_brake(kind)
        if not held:
            raise refusal(f"no {kind} is held by the brake alone", "what waits for something else is no matter of it")
        batch_id, sampled = ids.uuid7(), draw(len(held), ids.jitter)
        await tx.keep_batch(batch_id, kind, held, sampled, said)
    return BatchDone(batch_id, kind, len(held), len(sampled))


async def judge_sampled(desk: BrakeDesk, batch_id: UUID, number: int, verdict: Verdict, note: Word) -> None:
    """Judge a sampled case: whether its sanction is right. It may be judged again; the last judgement counts.

    Raises:
        Fault: there is no such batch, it is decided already, or the case is not in its sample.
    """
    async with desk.begin() as tx:
        await _open(tx, batch_id)
        if not await tx.keep_judgement(batch_id, number, verdict, note):
            raise refusal(f"case {number} is not in the sample of this batch", "the batch shows which were drawn")


async def release_batch(desk: BrakeDesk, batch_id: UUID, said: Word) -> BatchDone:
    """Let a batch past the brake: its whole sample was judged right. All other clauses of the gate still hold.

    Raises:
        Fault: there is no such batch, it is decided already, or its sample is not judged right as a whole.
    """
    async with desk.begin() as tx:
        batch = await _open(tx, batch_id)
        await tx.lock_batch_waits(batch_id)
        await tx.lock_brake(batch.kind)
        _all_right(await tx.sample_standing(batch_id))  # under the brake's lock: the switch is not thrown meanwhile
        count = await tx.say_of_batch(batch_id, "release", said)
        await tx.end_batch(batch_id, "released", said)
    return BatchDone(batch_id, batch.kind, count)


async def reject_batch(desk: BrakeDesk, batch_id: UUID, said: Word) -> BatchDone:
    """Decline every sanction of a batch; the gate then closes the notices.

    Raises:
        Fault: there is no such batch, or it is decided already.
    """
    async with desk.begin() as tx:
        batch = await _open(tx, batch_id)
        await tx.lock_batch_waits(batch_id)
        count = await tx.say_of_batch(batch_id, "decline", said)
        await tx.end_batch(batch_id, "rejected", said)
    return BatchDone(batch_id, batch.kind, count)


async def _open(tx: BrakeFacts, batch_id: UUID) -> BrakeBatch:
    batch = await tx.lock_batch(batch_id)
    if batch is None:
        raise refusal(f"there is no batch {batch_id}", "duly sanctions batch list shows them")
    if batch.state != "open":
        raise refusal(f"{batch.decided_by} has {batch.state} this batch already")
    return batch


def _all_right(sample: SampleStanding) -> None:
    if sample.unjudged:
        rest = ", ".join(map(str, sample.unjudged))
        raise refusal(f"{len(sample.unjudged)} of the {sample.drawn} sampled cases are not judged: {rest}",
                      "look at each, and judge it right or wrong")  # fmt: skip
    if sample.wrong:
        wrong = ", ".join(map(str, sample.wrong))
        raise refusal(f"sampled as wrong: {wrong}", "reject the batch, or judge the case again and say why")
