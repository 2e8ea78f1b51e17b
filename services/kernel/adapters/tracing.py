"""`services.kernel.ports.Tracer` with OpenTelemetry: its sampling, its resource, its queue, its exporter.

Spans come here when they have ended, with their ids, so the SDK's own making of spans is not used: it would choose ids,
and costs ten times as much. The only module that imports opentelemetry (extra `tracing`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from functools import lru_cache

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import SpanContext as Context_

from services.kernel.domain.trace import SpanContext
from services.kernel.ports import Span
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.logging import logger

_TOLD_EVERY = 60.0
_LOGGERS = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")
_SCOPE = InstrumentationScope("duly")
_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_SAMPLED, _NOT_SAMPLED = TraceFlags(TraceFlags.SAMPLED), TraceFlags(TraceFlags.DEFAULT)


class OpenTelemetryTracer:
    """Spans to a processor of the SDK; sampled as OTEL_TRACES_SAMPLER says, by default all that upstream records."""

    def __init__(self, worker: str, processor: SpanProcessor) -> None:
        named = Resource({"service.name": f"duly-{worker}", "service.namespace": "duly"})
        self._resource = Resource.create().merge(named).merge(OTELResourceDetector().detect())
        self._sampler = TracerProvider(resource=self._resource, shutdown_on_exit=False).sampler
        self._ids = RandomIdGenerator()
        self._processor = processor
        self.samples = lru_cache(maxsize=10_000)(self._samples)

    def fresh(self) -> SpanContext:
        """See the port."""
        trace_id = f"{self._ids.generate_trace_id():032x}"
        return SpanContext(trace_id, f"{self._ids.generate_span_id():016x}", self._samples(trace_id, None))

    def _samples(self, trace_id: str, parent: SpanContext | None) -> bool:
        """See the port."""
        before = Context() if parent is None else set_span_in_context(NonRecordingSpan(_context(parent, remote=True)))
        return self._sampler.should_sample(before, int(trace_id, 16), "duly").decision is Decision.RECORD_AND_SAMPLE

    def record(self, spans: Sequence[Span]) -> None:
        """See the port."""
        try:
            for span in spans:
                if span.context.sampled:
                    self._processor.on_end(self._readable(span))
        except Exception as fault:  # noqa: BLE001 -- whatever is wrong with a span, the work goes on
            logger().error("trace.lost", exc_info=fault)

    def _readable(self, span: Span) -> ReadableSpan:
        return ReadableSpan(
            span.name,
            _context(span.context, remote=False),
            None if span.parent is None else _context(span.parent, remote=False),
            self._resource,
            {**span.attributes, "error.type": span.fault} if span.fault else span.attributes,
            links=[Link(_context(link, remote=False)) for link in span.links],
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR) if span.fault else Status(),
            start_time=span.began,
            end_time=span.ended,
            instrumentation_scope=_SCOPE,
        )

    def close(self, seconds: float) -> None:
        """See the port."""
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        ending.join(seconds)


def _context(of: SpanContext, *, remote: bool) -> Context_:
    flags = _SAMPLED if of.sampled else _NOT_SAMPLED
    return Context_(int(of.trace_id, 16), int(of.span_id, 16), remote, flags)


class _Seldom(logging.Filter):
    """A collector that is away is told of with every batch: each kind of report passes once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._next: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        place, now = (record.name, record.lineno), time.monotonic()
        if now < self._next.get(place, 0.0):
            return False
        self._next[place] = now + self._seconds
        return True


def open_tracer(worker: str, *, queue: int) -> OpenTelemetryTracer:
    """A tracer that sends by OTLP over HTTP to OTEL_EXPORTER_OTLP_ENDPOINT, from a thread of its own.

    Raises:
        Fault: a variable of the standard cannot be read.
    """
    seldom = _Seldom(_TOLD_EVERY)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(seldom)
    try:
        return OpenTelemetryTracer(worker, BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=queue))
    except ValueError as wrong:
        raise Fault("tracing cannot begin", str(wrong), "correct the variables OTEL_*", code=Exit.USAGE) from wrong
