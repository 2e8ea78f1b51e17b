"""A batch of items in one transaction: decided, written set by set, and halved to the item at fault when it fails."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import structlog

from schemas.catalogue import CATALOGUE, QUICK
from services.kernel.domain.changes import NoticeInserted
from services.kernel.domain.outcome import DeadLetter, Done, Refused, Retry
from services.kernel.ledger import Failure, Finished, Ledger, LedgerRerun, LedgerUnavailable, Transaction, Unsent
from services.kernel.runtime.decision import Decision, Handler, NotNow
from services.kernel.runtime.items import Item, notice_type_of
from services.kernel.runtime.spans import item_failed, items_done

log = structlog.get_logger()
_RERUNS = 10


async def run_batch(ledger: Ledger, handler: Handler, items: Sequence[Item]) -> list[Unsent]:
    """Run items to their outcomes, whatever it takes; return what may be published.

    A deadlock is a rerun, not an attempt. Any other exception halves the batch; of a single item it is a failure, with
    its stack, kept for another attempt.

    Raises:
        LedgerUnavailable: the database is away; nothing of what was not committed counts.
    """
    for _ in range(_RERUNS):
        try:
            return await _commit(ledger, handler, items)
        except LedgerRerun:
            continue
        except (LedgerUnavailable, NotNow):
            raise
        except Exception as error:  # noqa: BLE001 -- the one place where the unexpected becomes an outcome
            return await _halve(ledger, handler, items, error)
    return await _halve(ledger, handler, items, LedgerRerun(f"chosen as victim {_RERUNS} times"))


async def _commit(ledger: Ledger, handler: Handler, items: Sequence[Item]) -> list[Unsent]:
    async with ledger.begin() as tx:
        known = await tx.already(handler.consumer, [item.key for item in items])
        fresh = list({(item.key, item.user): item for item in items if item.key not in known}.values())
        decisions = await decide(handler, tx, fresh)
        if len(fresh) > 1 and any(map(_in_the_way, fresh, decisions)):
            raise _Apart
        await items_done(tx, handler.consumer, fresh, decisions)
        unsent = await tx.write([change for decision in decisions for change in decision.changes])
        again = [Finished(item.key, Done(), item.failed_id) for item in items if item.key in known and item.failed_id]
        await tx.finish(
            handler.consumer,
            [
                Finished(item.key, made.outcome, item.failed_id, made.strangers, _born(made))
                for item, made in zip(fresh, decisions, strict=True)
            ]
            + again,
            [failure for item, made in zip(fresh, decisions, strict=True) if (failure := failure_of(item, made))],
        )
    await handler.committed(decisions)
    return unsent


def _born(made: Decision) -> UUID | None:
    """The notice that a request became."""
    return next((change.notice.notice_id for change in made.changes if isinstance(change, NoticeInserted)), None)


class _Apart(Exception):
    """Items of one batch are in each other's way: halved until each has its own."""


def _in_the_way(item: Item, made: Decision) -> bool:
    """Whether a replay, which has one attempt, only has to wait for a neighbour in its batch."""
    return item.replayed and isinstance(made.outcome, Retry) and made.outcome.after == 0


async def decide(handler: Handler, tx: Transaction, items: Sequence[Item]) -> list[Decision]:
    """A decision each, in order: a malformed item's, or the handler's."""
    sound = [item for item in items if not item.faults]
    decided = iter(await handler.decide(tx, sound) if sound else ())
    return [await handler.malformed(tx, item) if item.faults else next(decided) for item in items]


async def _halve(ledger: Ledger, handler: Handler, items: Sequence[Item], error: Exception) -> list[Unsent]:
    if len(items) > 1:
        middle = len(items) // 2
        return [
            *await run_batch(ledger, handler, items[:middle]),
            *await run_batch(ledger, handler, items[middle:]),
        ]
    item = items[0]
    log.warning("item.failed", message_type=item.type, event_id=item.key.event_id, exc_info=error)
    await _record(ledger, handler, item, error)
    return []


async def _record(ledger: Ledger, handler: Handler, item: Item, error: Exception) -> None:
    stack = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)[-8:]))
    async with ledger.begin() as tx:
        made = await handler.broken(tx, item, f"{type(error).__name__} at {place(error)}")
        failure = failure_of(item, made)
        if failure is None:
            raise TypeError(f"{handler.consumer} says that a broken item is {made.outcome}") from error
        await item_failed(tx, handler.consumer, item, error)
        await tx.write(made.changes)
        await tx.finish(handler.consumer, [], [replace(failure, error=type(error).__name__, stack=stack)])


def place(error: Exception) -> str:
    """The file and line where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "nowhere"


def failure_of(item: Item, made: Decision) -> Failure | None:
    """What is kept of an item that did not end in Done or Refused, or None."""
    outcome = made.outcome
    if isinstance(outcome, Done | Refused):
        return None
    reason, after = _what_next(item, outcome)
    return Failure(
        key=item.key,
        type=item.type,
        notice_id=made.notice_id or item.notice_id,
        evidence_id=made.evidence_id or item.evidence_id,
        routing_key=item.delivery.routing_key,
        content_type=item.delivery.content_type,
        headers=item.headers(),
        body=item.body(),
        reason=reason.replace("\x00", ""),
        error=type(outcome).__name__,
        stack="",
        next_after=after,
        failed_id=item.failed_id,
        notice_type=notice_type_of(item),
    )


def _what_next(item: Item, outcome: Retry | DeadLetter) -> tuple[str, float | None]:
    """The reason to keep, and the seconds until the next attempt (None: dead)."""
    if isinstance(outcome, DeadLetter) or item.replayed:
        return outcome.reason, None
    schedule = entry.retries if (entry := CATALOGUE.get(item.type)) else QUICK
    if item.attempts >= len(schedule):
        return f"gave up after {item.attempts + 1} attempts: {outcome.reason}", None
    return outcome.reason, schedule[item.attempts] if outcome.after is None else outcome.after
