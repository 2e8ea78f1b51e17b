"""Spans of HTTP doors: whose trace they belong to, and that they never say what was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from services.kernel.adapters.web.tracing import Traced, go_on
from services.kernel.runtime.tracing import trace_with
from tests.rig.traces import Seen, in_memory, seen

THEIRS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def answer(request: Request) -> Response:
    if request.path_params["ref"] == "broken":
        raise RuntimeError("planted")
    return Response(status_code=202)


APP = Starlette(routes=[Route("/v1/notices/{ref}", answer, methods=["GET"])])


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    tracer, spans = in_memory("doors")
    trace_with(tracer)
    yield spans
    trace_with(None)


async def ask(path: str, *headers: tuple[bytes, bytes], partner: bool = False, method: str = "GET") -> None:
    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        if partner:  # as a door says once it knows who calls
            go_on(scope)
        await APP(scope, receive, send)

    scope: Scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"key=secret",
        "headers": list(headers), "root_path": "",
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        """Nobody listens."""

    await Traced(door, "intake")(scope, receive, send)


def one(exporter: InMemorySpanExporter) -> Seen:
    (span,) = seen(exporter.get_finished_spans())
    return span


async def test_a_partners_trace_goes_on(exporter: InMemorySpanExporter) -> None:
    await ask("/v1/notices/a", (b"traceparent", THEIRS.encode()), partner=True)
    span = one(exporter)
    assert (span.trace, span.parent) == (THEIRS[3:35], THEIRS[36:52])


async def test_a_strangers_trace_is_linked_only(exporter: InMemorySpanExporter) -> None:
    await ask("/v1/notices/a", (b"traceparent", THEIRS.encode()))
    span = one(exporter)
    assert span.trace != THEIRS[3:35]
    assert (span.parent, span.links) == ("", (THEIRS[3:35],))


async def test_what_a_partner_does_not_record_is_not_recorded(exporter: InMemorySpanExporter) -> None:
    await ask("/v1/notices/a", (b"traceparent", THEIRS[:-1].encode() + b"0"), partner=True)
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize("headers", [[b"nonsense"], [THEIRS.encode(), THEIRS.encode()], [b"\xff"]])
async def test_a_broken_traceparent_begins_a_trace_of_its_own(
    exporter: InMemorySpanExporter, headers: list[bytes]
) -> None:
    await ask("/v1/notices/a", *((b"traceparent", value) for value in headers), partner=True)
    assert one(exporter).parent == ""


@pytest.mark.parametrize("path", ["/v1/notices/XK0417", "/somewhere/XK0417"])
async def test_a_span_says_the_pattern_and_never_the_path(exporter: InMemorySpanExporter, path: str) -> None:
    await ask(path)
    span = one(exporter)
    assert span.name == ("GET /v1/notices/{ref}" if "notices" in path else "GET")
    assert span.attributes["http.response.status_code"] == (202 if "notices" in path else 404)
    assert not any(word in json.dumps(span.attributes) for word in ("XK0417", "secret"))


async def test_a_method_of_a_strangers_own_is_another(exporter: InMemorySpanExporter) -> None:
    await ask("/v1/notices/a", method="XK0417")
    assert one(exporter).attributes["http.request.method"] == "_OTHER"


async def test_a_fault_of_ours_is_one(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(RuntimeError, match="planted"):
        await ask("/v1/notices/broken")
    span = one(exporter)
    assert span.failed
    assert span.attributes["error.type"] == "RuntimeError"
