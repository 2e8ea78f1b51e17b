"""Traces: what a `traceparent` says, which trace a notice has, and that nobody pays who does not trace."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from schemas.cloudevents import CONTENT_TYPE, read
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.traced import traced
from services.kernel.adapters.tracing import OpenTelemetryTracer
from services.kernel.domain.trace import SpanContext, parse, root_of, span_in
from services.kernel.ports import Span
from services.kernel.runtime import tracing
from services.kernel.runtime.fault import Fault
from tests.rig.traces import in_memory, seen

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEX = "0123456789abcdef"
INVALID = (
    "", "nonsense", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", f"ff{GIVEN[2:]}", f"{GIVEN}\n",
    f"{GIVEN}-more", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
)  # fmt: skip


def test_a_traceparent_is_read_as_it_was_written() -> None:
    context = parse(GIVEN)
    assert context == SpanContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
    assert context.traceparent == GIVEN


@pytest.mark.parametrize("flags", ["00", "02", "03", "ff"])
def test_only_the_last_flag_says_that_it_is_sampled(flags: str) -> None:
    context = parse(GIVEN[:-2] + flags)
    assert context is not None
    assert context.sampled is bool(int(flags, 16) & 1)


@pytest.mark.parametrize("broken", INVALID)
def test_what_is_no_valid_traceparent_is_none_and_the_event_is_read_all_the_same(broken: str) -> None:
    assert parse(broken) is None
    head = f'{{"specversion":"1.0","id":"1","source":"fees","type":"notice.requested.v1","traceparent":{broken!r}}}'
    body = head.replace("'", '"').encode()
    envelope = read(body, CONTENT_TYPE, {})
    assert (envelope.id, envelope.traceparent) == ("1", None)


@given(st.uuids(), st.none() | st.just(parse(GIVEN)))
def test_a_notices_trace_is_the_given_one_or_follows_from_its_id(notice_id: UUID, theirs: SpanContext | None) -> None:
    root = root_of(notice_id, theirs)
    assert root == root_of(notice_id, theirs)
    assert parse(root.traceparent) == root
    assert root.span_id == root_of(notice_id).span_id
    assert theirs is None or root.trace_id == theirs.trace_id
    assert span_in(root, "create", "a").trace_id == root.trace_id
    assert len({root.span_id, span_in(root, "create", "a").span_id, span_in(root, "create", "b").span_id}) == 3


def test_a_sampler_of_a_tenth_takes_a_tenth_of_the_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a UUIDv7 begins with fixed bits: taken as it is, a tenth would be nothing."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.1")
    tracer, _ = in_memory("sampled")
    ids = SystemIds()
    taken = sum(tracer.samples(root_of(ids.uuid7()).trace_id, None) for _ in range(5_000))
    assert 350 < taken < 650
    assert tracer.samples("0" * 31 + "1", parse(GIVEN)), "whoever began the trace has decided"
    assert not tracer.samples("0" * 31 + "1", parse(GIVEN[:-1] + "0"))


def test_a_span_is_recorded_with_all_that_it_says() -> None:
    tracer, exporter = in_memory("renderer")
    parent = parse(GIVEN)
    assert parent is not None
    context = span_in(parent, "work")
    tracer.record(
        [Span("work", "client", context, parent, 1_000, 2_000, {"duly.attempt": 1}, (parent,), "TimeoutError")]
    )
    (raw,) = exporter.get_finished_spans()
    (span,) = seen([raw])
    assert (span.trace, span.span, span.parent) == (parent.trace_id, context.span_id, parent.span_id)
    assert (raw.start_time, raw.end_time, raw.kind.name) == (1_000, 2_000, "CLIENT")
    assert span.attributes == {"duly.attempt": 1, "error.type": "TimeoutError"}
    assert span.failed
    assert span.links == (parent.trace_id,)
    assert raw.resource.attributes["service.name"] == "duly-renderer"


def test_the_standards_variables_name_the_service_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "notices")
    tracer, exporter = in_memory("renderer")
    tracer.record([Span("work", "internal", tracer.fresh(), None, 1, 2, {})])
    assert exporter.get_finished_spans()[0].resource.attributes["service.name"] == "notices"


def test_an_exporter_that_hangs_does_not_keep_a_process_from_ending() -> None:
    released = threading.Event()

    class Hangs(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            assert spans
            released.wait(30)
            return SpanExportResult.FAILURE

    tracer = OpenTelemetryTracer("hangs", BatchSpanProcessor(Hangs(), schedule_delay_millis=10, max_queue_size=600))
    began = time.monotonic()
    tracer.record([Span("work", "internal", tracer.fresh(), None, 1, 2, {})] * 5_000)
    assert time.monotonic() - began < 1, "what does not fit is dropped"
    tracer.close(0.2)
    assert time.monotonic() - began < 2
    released.set()


def test_a_processor_that_breaks_breaks_nothing_else() -> None:
    class Breaks(SpanProcessor):
        def on_end(self, span: object) -> None:
            raise RuntimeError(f"planted over {span}")

    tracer = OpenTelemetryTracer("breaks", Breaks())
    with tracing_with(tracer), tracing.around("send", "duly", 1), tracing.transaction():
        pass


@contextmanager
def tracing_with(tracer: OpenTelemetryTracer) -> Iterator[None]:
    tracing.trace_with(tracer)
    try:
        yield
    finally:
        tracing.trace_with(None)


# --- off --------------------------------------------------------------------------------------------------------------


def test_without_tracing_nothing_of_opentelemetry_is_imported() -> None:
    workers = "renderer notifier bounces responses deadlines sanctions relay intake inbox webhooks callbacks"
    program = (
        "import sys, importlib\n"
        f"for name in {workers.split()}: importlib.import_module('services.' + name + '.__main__')\n"
        "import services.cli.app\nfrom services.kernel.adapters.traced import traced\nwith traced('x'): pass\n"
        "sys.exit(any(name.partition('.')[0] in ('opentelemetry', 'google') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_tracing_that_is_not_installed_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_TRACING", "on")
    monkeypatch.delitem(sys.modules, "services.kernel.adapters.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    with pytest.raises(Fault, match="tracing is not installed") as told, traced("renderer"):
        pass
    assert told.value.todo == "install duly[tracing], or set DULY_TRACING=off"


def test_the_standards_own_switch_turns_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_TRACING", "on")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with traced("renderer"):
        assert tracing.tracer() is None


def test_a_way_of_sending_that_is_not_there_is_a_fault_that_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_TRACING", "on")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(Fault, match="OTEL_EXPORTER_OTLP_PROTOCOL: should be 'http/protobuf'"), traced("renderer"):
        pass
