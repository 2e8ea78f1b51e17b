"""The spans of items: each in its own notice's trace, however many share a batch, linked to their delivery."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from schemas.catalogue import CATALOGUE
from services.kernel.domain.changes import Change, NoticeInserted, NoticeSaved
from services.kernel.domain.notice import Notice
from services.kernel.domain.outcome import DeadLetter, Done, Outcome, Refused
from services.kernel.domain.trace import SpanContext, parse, span_in, trace_of
from services.kernel.ledger import Locks
from services.kernel.ports import Span
from services.kernel.runtime.decision import Decision
from services.kernel.runtime.items import NOBODY, Item
from services.kernel.runtime.tracing import Told, messaging, root, told, tracer


async def items_done(tx: Locks, consumer: str, items: Sequence[Item], decisions: Sequence[Decision]) -> None:
    """These decisions are about to be written in the open transaction; their spans end when it is committed."""
    open_now = told()
    if open_now is None:
        return
    unseen = [item.notice_id for item in items if item.notice_id and item.notice_id not in open_now.notices]
    given = await tx.traces(unseen) if unseen else {}
    for item, made in zip(items, decisions, strict=True):
        notice = _notice(open_now, item, made)
        notice_id = notice.notice_id if notice else item.notice_id
        traceparent = notice.traceparent if notice else given.get(notice_id or NOBODY)
        place = _place(consumer, item, notice_id, traceparent, born=_is_born(made.changes))
        if place is not None and place[0].sampled:
            open_now.did(_process(open_now, consumer, item, place, made.outcome, notice_id), notice_id)


async def item_failed(tx: Locks, consumer: str, item: Item, error: Exception) -> None:
    """This item's work raised; that is about to be written in the open transaction."""
    open_now = told()
    if open_now is None:
        return
    given = await tx.traces([item.notice_id]) if item.notice_id else {}
    place = _place(consumer, item, item.notice_id, given.get(item.notice_id or NOBODY), born=False)
    if place is None:
        place = _asked(consumer, item, item.attempts), None, ()
    fault = type(error).__name__
    open_now.did(_process(open_now, consumer, item, place, None, item.notice_id, fault), item.notice_id)


Place = tuple[SpanContext, SpanContext | None, tuple[SpanContext, ...]]
"""A span's own context, its parent, and what it is linked to."""


def _place(consumer: str, item: Item, notice_id: UUID | None, given: str | None, *, born: bool) -> Place | None:
    """Where an item's span belongs; None if neither a notice nor whoever sent it says: then its batch's span is all."""
    theirs = parse(item.envelope.traceparent) if item.envelope else None
    first = root(notice_id, given) if notice_id else None
    names = "process", consumer, item.key.source, item.key.event_id, str(item.key.subject), str(time.perf_counter_ns())
    if first is None:
        recording = tracer()
        if theirs is None or recording is None:
            return None
        theirs = theirs.but(sampled=recording.samples(theirs.trace_id, theirs))
        return span_in(theirs, *names), theirs, ()
    failed = (_asked(consumer, item, item.attempts - 1),) if born and theirs is None and item.attempts else ()
    if born or not first.sampled:
        return first, parse(given), failed
    elsewhere = (theirs,) if theirs and theirs.trace_id != first.trace_id else ()
    return span_in(first, *names), first, elsewhere


def _asked(consumer: str, item: Item, attempts: int) -> SpanContext:
    """The trace of a request that has no notice yet, and brought no trace: its attempts are linked by the notice's."""
    recording, first = tracer(), trace_of(item.key.source, item.key.event_id, consumer)
    sampled = recording is not None and recording.samples(first.trace_id, None)
    return span_in(first, str(attempts)).but(sampled=sampled)


def _process(
    open_now: Told, consumer: str, item: Item, place: Place, outcome: Outcome | None, notice_id: UUID | None,
    fault: str = "",
) -> Span:  # fmt: skip
    context, parent, links = place
    kind = item.type if item.type in CATALOGUE else "unknown"  # a sender may call it anything, also by a name
    attributes = messaging("process", f"duly.{consumer}") | {
        "messaging.message.id": item.key.event_id,
        "cloudevents.event_type": kind,
        "duly.outcome": "failed" if outcome is None else _name(outcome),
        "duly.attempt": item.attempts + 1,
    }
    if notice_id is not None:
        attributes["duly.notice_id"] = str(notice_id)
    if not isinstance(outcome, Done | Refused):
        fault = fault or _name(outcome) if outcome else fault
    around = (open_now.around,) if open_now.around else ()
    now = time.time_ns()
    return Span(
        f"process {kind}", "consumer", context, parent, open_now.began, now, attributes, (*links, *around), fault
    )


def _name(outcome: Outcome) -> str:
    return "dead_letter" if isinstance(outcome, DeadLetter) else type(outcome).__name__.lower()


def _notice(open_now: Told, item: Item, made: Decision) -> Notice | None:
    """The notice that an item is about, as far as its transaction saw or made it."""
    for change in made.changes:
        if isinstance(change, NoticeInserted | NoticeSaved):
            return change.notice
    named = item.notice_id or made.notice_id or _named(made.changes)
    return open_now.notices.get(named) if named else None


def _named(changes: Sequence[Change]) -> UUID | None:
    return next((found for change in changes if (found := getattr(change, "notice_id", None)) is not None), None)


def _is_born(changes: Sequence[Change]) -> bool:
    return any(isinstance(change, NoticeInserted) for change in changes)
