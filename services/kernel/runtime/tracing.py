"""Tracing, on or off for a whole process: the trace of whatever is told, and what each transaction did, as spans.

Spans are made when the work is committed, from what is known then; nothing waits for them, and where nobody traces all
of this is one look at a variable. Names and attributes: `deploy/observability/TRACES.md`.
Standards: W3C Trace Context; OpenTelemetry's conventions for messaging, CloudEvents and HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Literal
from uuid import UUID

from pydantic_core import from_json
from structlog.contextvars import bind_contextvars, unbind_contextvars

from schemas.catalogue import EXCHANGE
from services.kernel.domain.changes import Announced, Change, NoticeInserted, NoticeSaved
from services.kernel.domain.notice import Notice
from services.kernel.domain.trace import SpanContext, parse, root_of, span_in
from services.kernel.ports import Span, SpanKind, Tracer
from services.kernel.runtime.logging import logger

_tracer: Tracer | None = None
_open: ContextVar[Told | None] = ContextVar("transaction", default=None)
_around: ContextVar[SpanContext | None] = ContextVar("span_around", default=None)


def trace_with(tracer: Tracer | None) -> None:
    """Trace this process, or do not."""
    global _tracer  # noqa: PLW0603 -- like logs: a matter of the process, set once when it starts
    _tracer = tracer
    _root.cache_clear()


def tracer() -> Tracer | None:
    """Where this process's spans go; None: it is not traced."""
    return _tracer


def root(notice_id: UUID, traceparent: str | None) -> SpanContext | None:
    """The first span of a notice's trace; None where nobody traces."""
    return None if _tracer is None else _root(notice_id, traceparent)


@lru_cache(maxsize=4_096)  # asked for several times in each transaction
def _root(notice_id: UUID, traceparent: str | None) -> SpanContext:
    given = parse(traceparent)
    first = root_of(notice_id, given)
    return first.but(sampled=_tracer is not None and _tracer.samples(first.trace_id, given))


def traceparent_of(notice: Notice, event_id: str) -> str | None:
    """What an event about this notice says of its trace; where nobody traces, what upstream said is passed on."""
    first = root(notice.notice_id, notice.traceparent)
    return notice.traceparent if first is None else span_in(first, "create", event_id).traceparent


# --- what a transaction told ------------------------------------------------------------------------------------------


class Told:
    """One transaction: the notices that it saw, what it told about them, and in which span; recorded when committed."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer, self.began, self.around = tracer, time.time_ns(), _around.get()
        self.notices: dict[UUID, Notice] = {}
        self._parents: dict[UUID, SpanContext] = {}
        self._spans: list[Span] = []
        self._changes: list[Change] = []

    def saw(self, notices: Mapping[UUID, Notice]) -> None:
        """These were read. The log lines of a transaction about a single notice bear its trace id."""
        self.notices.update(notices)
        if len(self.notices) == 1:
            for notice in notices.values():
                bind_contextvars(trace_id=_root(notice.notice_id, notice.traceparent).trace_id)
        else:
            unbind_contextvars("trace_id")

    def wrote(self, changes: Sequence[Change]) -> None:
        """These were written."""
        self._changes += changes

    def did(self, span: Span, notice_id: UUID | None) -> None:
        """One piece of work ended with this transaction; what is told about this notice hangs below it."""
        self._spans.append(span)
        if notice_id is not None:
            self._parents[notice_id] = span.context

    def committed(self) -> None:
        """All of it is true now."""
        self.tracer.record([*self._spans, *self._created()])

    def _created(self) -> Iterator[Span]:
        """One `create` for each event about a notice. What is told once more has had it already."""
        moved = {c.notice.notice_id: c.notice for c in self._changes if isinstance(c, NoticeInserted | NoticeSaved)}
        now = time.time_ns()
        for change in self._changes:
            if not isinstance(change, Announced) or change.notice_id not in moved:
                continue
            notice = moved[change.notice_id]
            first = _root(notice.notice_id, notice.traceparent)
            if first.sampled:
                event_id = str(from_json(change.body)["id"])
                context = span_in(first, "create", event_id)
                parent = self._parents.get(notice.notice_id, first)
                yield Span(
                    f"create {change.type}", "producer", context, parent, now, now,
                    {**messaging("create", EXCHANGE), "messaging.message.id": event_id,
                     "cloudevents.event_type": change.type},
                )  # fmt: skip


@contextmanager
def transaction() -> Iterator[None]:
    """Around a transaction: record what it did if it is committed, nothing if it is not."""
    if _tracer is None:
        yield
        return
    told, outer = Told(_tracer), _open.get()
    _open.set(told)
    try:
        yield
    finally:
        _open.set(outer)  # not `reset`: whoever ends a generator may do so elsewhere than it began
        unbind_contextvars("trace_id")
    try:
        told.committed()
    except Exception as fault:  # noqa: BLE001 -- the work is committed: its spans must not make it look undone
        logger().error("trace.lost", exc_info=fault)


def told() -> Told | None:
    """The transaction that is open; None where nobody traces."""
    return None if _tracer is None else _open.get()


# --- what is done with the broker -------------------------------------------------------------------------------------

Operation = Literal["process", "create", "send", "ack"]
_KINDS: Mapping[Operation, SpanKind] = {"process": "consumer", "create": "producer", "send": "client", "ack": "client"}
_TYPES: Mapping[Operation, str] = {"ack": "settle"}
Attributes = dict[str, str | int | bool]


@contextmanager
def around(operation: Operation, of: str, count: int) -> Iterator[None]:
    """A span for what is done with so many messages of a queue or exchange, in the trace of what is around it."""
    if _tracer is None:
        yield
        return
    outer = _around.get()
    context = _tracer.fresh() if outer is None else span_in(outer, operation, str(time.perf_counter_ns()))
    began, fault = time.time_ns(), ""
    _around.set(context)
    try:
        yield
    except BaseException as error:
        fault = type(error).__name__
        raise
    finally:
        _around.set(outer)
        attributes = {**messaging(operation, of), "messaging.batch.message_count": count}
        name, kind = f"{operation} {of}", _KINDS[operation]
        _tracer.record([Span(name, kind, context, outer, began, time.time_ns(), attributes, fault=fault)])


def messaging(operation: Operation, of: str) -> Attributes:
    """What every span of messaging says."""
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": operation,
        "messaging.operation.type": _TYPES.get(operation, operation),
        "messaging.destination.name": of,
    }
