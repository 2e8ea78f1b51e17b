"""Traces as they are seen from outside: Duly's workers in this process with their spans in memory, and a collector."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.kernel.adapters.broker import open_broker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.mail.smtp import SmtpMailer, SmtpSettings
from services.kernel.adapters.parts import put_together
from services.kernel.adapters.tracing import OpenTelemetryTracer
from services.kernel.runtime.program import Together
from services.kernel.runtime.tracing import trace_with
from tests.rig.system import WORKERS, System


@dataclass(frozen=True)
class Seen:
    """One span, however it came here; ids in hexadecimal, `parent` empty for a root."""

    name: str
    trace: str
    span: str
    parent: str
    attributes: dict[str, Any] = field(hash=False)
    links: tuple[str, ...] = ()
    failed: bool = False


def in_memory(worker: str) -> tuple[OpenTelemetryTracer, InMemorySpanExporter]:
    """A tracer of Duly's whose spans stay here."""
    exporter = InMemorySpanExporter()
    return OpenTelemetryTracer(worker, SimpleSpanProcessor(exporter)), exporter


def seen(spans: Sequence[ReadableSpan]) -> list[Seen]:
    """Spans of the SDK as they would be sent."""
    return [
        Seen(
            span.name,
            f"{span.context.trace_id:032x}",
            f"{span.context.span_id:016x}",
            f"{span.parent.span_id:016x}" if span.parent else "",
            dict(span.attributes or {}),
            tuple(f"{link.context.trace_id:032x}" for link in span.links),
            failed=not span.status.is_ok and not span.status.is_unset,
        )
        for span in spans
        if span.context
    ]


@asynccontextmanager
async def in_this_process(
    system: System, tracer: OpenTelemetryTracer, monkeypatch: pytest.MonkeyPatch, *first: dict[str, Any]
) -> AsyncIterator[None]:
    """Every worker as tasks on this loop, traced; `first` is published before any of them takes anything."""
    for name, value in system.environment().items():
        if name.startswith("DULY_"):
            monkeypatch.setenv(name, value)
    broker = open_broker(system.broker, topology_of_catalogue(), "duly traces")
    parts = await put_together("traces", system.database, broker, connections=8)
    trace_with(tracer)
    mailers: list[SmtpMailer] = []

    def mailer(settings: SmtpSettings) -> SmtpMailer:
        mailers.append(SmtpMailer(settings))
        return mailers[-1]

    monkeypatch.setattr("services.notifier.__main__.SmtpMailer", mailer)  # a process just ends; a test closes
    stopping = asyncio.Event()
    work = asyncio.create_task(asyncio.sleep(0))
    try:
        await parts.broker.connect()
        await system.publish(*first)
        built = [importlib.import_module(f"services.{name}.__main__").build(parts) for name in WORKERS]
        work = asyncio.create_task(Together("traces", built).run(stopping))
        yield
    finally:
        stopping.set()
        await work
        trace_with(None)
        for each in mailers:
            await each.close()
        await parts.close()


class Collector:
    """What an OpenTelemetry collector is at its door: spans by OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Seen]] = []
        collector = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/v1/traces":
                    collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {each.key: each.value.string_value for each in span.attributes}
                    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                    links = tuple(link.trace_id.hex() for link in span.links)
                    self.spans.append((named["service.name"], Seen(span.name, *ids, attributes, links)))


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on this machine."""
    one = Collector()
    thread = threading.Thread(target=one.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.server.shutdown()
        one.server.server_close()
        thread.join()
