"""A rehearsal: the worker does an item with its own code, settings and rights, in a transaction that is rolled back.

It is the very path of a real run: already, decide, write, finish. Nothing is published, nothing outside the database
happens, nothing is logged; the verdicts of a batch are kept in a transaction of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.kernel.domain.notice import TERMINAL
from services.kernel.domain.outcome import DeadLetter, Refused, Retry
from services.kernel.domain.verdict import Verdict
from services.kernel.ledger import (
    Finished,
    Ledger,
    LedgerRerun,
    LedgerUnavailable,
    Named,
    Rehearsed,
    Transaction,
)
from services.kernel.ports import Delivery
from services.kernel.runtime.again import come
from services.kernel.runtime.batch import decide, failure_of, place
from services.kernel.runtime.consequences import consequences
from services.kernel.runtime.decision import Decision, Handler, NotNow
from services.kernel.runtime.items import Item, items_of
from services.kernel.runtime.logging import rehearsing

_DEATHS = 4
"""So many workers may die over a rehearsal before it is said to be its fault."""
_RERUNS = 10
_SETTLED = {"processed", "refused", "cleared"}
_WHY_MOST = 1000


async def rehearse(ledger: Ledger, handler: Handler, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Rehearse those of these that a run has handed out for that; the others, in order, are to be done in earnest.

    What is over (see `again`) is neither. The headers of what is to be done in earnest are true.

    Raises:
        LedgerUnavailable: the database is away; the rehearsals will be delivered again.
        NotNow: the handler's work must wait as a whole.
    """
    found: dict[Named, Rehearsed] = {}
    real: list[Delivery] = []
    for each in await come(ledger, handler.consumer, deliveries):
        if each.over or each.rehearsal in found:
            continue
        if each.rehearsal is None:
            real.append(each.delivery)
        else:
            found[each.rehearsal] = await _one(ledger, handler, each.rehearsal, each.delivery, each.begun)
    if found:
        await ledger.rehearsed(found)
    return real


async def _one(ledger: Ledger, handler: Handler, named: Named, delivery: Delivery, begun: int) -> Rehearsed:
    if begun >= _DEATHS:
        return Rehearsed(Verdict.UNSAFE, "its worker died over it")
    if delivery.redelivered:
        await ledger.rehearsal_again(named)
    return await _rehearsed(ledger, handler, items_of(delivery, handler.consumer))


async def _rehearsed(ledger: Ledger, handler: Handler, items: Sequence[Item]) -> Rehearsed:
    in_rehearsal = rehearsing.set(True)
    try:
        for _ in range(_RERUNS):
            try:
                async with ledger.rehearse() as tx:
                    return await _run(tx, handler, items)
            except LedgerRerun:
                continue
            except (LedgerUnavailable, NotNow):
                raise
            except Exception as error:  # noqa: BLE001 -- as in `run_batch`: the unexpected is an outcome
                return Rehearsed(Verdict.UNSAFE, f"{type(error).__name__} at {place(error)}")
        return Rehearsed(Verdict.UNSAFE, f"LedgerRerun: chosen as victim {_RERUNS} times")
    finally:
        rehearsing.reset(in_rehearsal)


async def _run(tx: Transaction, handler: Handler, items: Sequence[Item]) -> Rehearsed:
    known = await tx.already(handler.consumer, [item.key for item in items])
    fresh = [item for item in items if item.key not in known]
    if not fresh:
        return Rehearsed(Verdict.ALREADY_DONE, "it was done or refused before")
    decisions = await decide(handler, tx, fresh)
    named = {change.notice.notice_id for made in decisions for change in made.changes if hasattr(change, "notice")}
    concerned = {item.notice_id for item in fresh} | {item.evidence_id for item in fresh} | named
    before = await tx.standings([one for one in concerned if one is not None])
    pairs = list(zip(fresh, decisions, strict=True))
    await tx.write([change for made in decisions for change in made.changes])
    await tx.finish(
        handler.consumer,
        [Finished(item.key, made.outcome, item.failed_id, made.strangers) for item, made in pairs],
        [failure for item, made in pairs if (failure := failure_of(item, made))],
    )
    return _gravest([verdict_of(item, made, before) for item, made in pairs])


def _gravest(found: Sequence[Rehearsed]) -> Rehearsed:
    """Of several items in one message, what a person must know: what is unsafe, then what is safe."""
    order = (Verdict.UNSAFE, Verdict.SAFE, Verdict.EXPIRED, Verdict.ALREADY_DONE)
    return min(found, key=lambda one: order.index(one.verdict))


def verdict_of(item: Item, made: Decision, before: Mapping[UUID, str]) -> Rehearsed:
    """What a decision comes to; `before` are the states of its notices and its evidence as they were."""
    effects = consequences(made.changes, before)
    match made.outcome:
        case DeadLetter(reason) | Retry(reason):
            return Rehearsed(Verdict.UNSAFE, _plain(reason))
        case Refused(reason, late):
            verdict = Verdict.EXPIRED if late else Verdict.UNSAFE
            return Rehearsed(verdict, _plain(f"it would be refused: {reason}"), effects)
        case _ if effects:
            return Rehearsed(Verdict.SAFE, "", effects)
    return _nothing_follows(item, before)


def _plain(reason: str) -> str:
    return reason.replace("\x00", "")[:_WHY_MOST]


def _nothing_follows(item: Item, before: Mapping[UUID, str]) -> Rehearsed:
    evidence = before.get(item.evidence_id) if item.evidence_id else None
    notice = before.get(item.notice_id) if item.notice_id else None
    if evidence in _SETTLED:
        return Rehearsed(Verdict.ALREADY_DONE, f"its evidence is {evidence}")
    if notice in TERMINAL:
        return Rehearsed(Verdict.EXPIRED, f"its notice is {notice}")
    match item.type:
        case "notice.rendered.v1":
            sent = "is being sent" if notice == "rendered" else "was sent"
            return Rehearsed(Verdict.ALREADY_DONE, f"its notice is {notice}: the alert {sent}")
        case "delivery.queued.v1":
            return Rehearsed(Verdict.ALREADY_DONE, "the upstream is owed it no more, or it is being posted")
    stale = item.type == "deadline.passed.v1"
    why = "another version of the deadline is the current one" if stale else "nothing follows from it any more"
    return Rehearsed(Verdict.EXPIRED, why)
