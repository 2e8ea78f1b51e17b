"""One trace from request to sanction: across hops, batches, weeks in the database, retries and replays."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.kernel.domain.trace import parse, root_of
from services.kernel.runtime.dead_letters import runs
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.records import Kind
from services.kernel.runtime.decision import Decision, dead
from services.sanctions.handler import Sanctions
from tests.journeys.outside import OFFICER, desk, notice_id, waits_for
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System, fee_outstanding
from tests.rig.traces import Seen, collector, in_memory, in_this_process, seen

THEIRS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = "00-5cf92f3577b34da6a3ce929d0e0e4736-10f067aa0ba902b7-00"
PAGE = (Path(__file__).parents[2] / "deploy" / "observability" / "TRACES.md").read_text()
CHAIN = (
    "process notice.requested.v1", "create notice.accepted.v1", "process notice.rendered.v1", "hand over alert",
    "create notice.served.v1", "create notice.lapsed.v1", "process deadline.passed.v1", "create sanction.proposed.v1",
    "create sanction.fired.v1",
)  # fmt: skip
TOLD = ("notice.accepted.v1", "notice.served.v1", "notice.lapsed.v1", "sanction.proposed.v1", "sanction.fired.v1")


@pytest_asyncio.fixture
async def system(
    postgres_server: PrivatePostgres, trial_template: str, rabbit_node: RabbitNode, sink: SinkProcess, tmp_path: Path
) -> AsyncIterator[System]:
    """A database, a broker and a mail system, and nobody at work yet."""
    rabbit_node.delete_all_queues()
    database = postgres_server.new_database(template=trial_template)
    system = System(database, rabbit_node.url, f"smtp://127.0.0.1:{sink.port}", tmp_path)
    yield system
    system.stop()


def asked(ref: str, traceparent: str | None = None) -> dict[str, Any]:
    event = fee_outstanding(ref)
    return event if traceparent is None else {**event, "traceparent": traceparent}


async def lapsed(system: System, *refs: str) -> None:
    """Their deadlines pass; three weeks go by."""
    for ref in refs:
        await system.until_state(ref, "served")
    await system.advance(days=25)
    for ref in refs:
        await system.until_state(ref, "lapsed")


async def no_objection(system: System, *refs: str) -> None:
    """Nothing stands against them: from lapsed to sanctioned."""
    for ref in refs:
        await waits_for(system, ref, "objection_window")
    await system.advance(days=2)
    for ref in refs:
        await system.until_state(ref, "sanctioned")


async def sanctioned(system: System, *refs: str) -> None:
    """From the request to the sanction."""
    await lapsed(system, *refs)
    await no_objection(system, *refs)


async def told(system: System, ref: str) -> list[dict[str, Any]]:
    """Every event about this reference, as it was published."""
    rows = await system.fetch("SELECT body FROM outbox WHERE source = 'fees' ORDER BY outbox_id")
    events = [json.loads(row["body"]) for row in rows]
    return [event for event in events if event["data"].get("source_ref") == ref]


async def holds_together(system: System, ref: str, spans: list[Seen], given: str | None = None) -> list[Seen]:
    """All of a notice is one trace: what was told of it, and its spans, each below another; these, as they are."""
    theirs = parse(given)
    trace = root_of(await notice_id(system, ref), theirs).trace_id
    of_notice = [span for span in spans if span.trace == trace]
    events = await told(system, ref)
    assert {event["traceparent"][3:35] for event in events} == {trace}
    created = {span.span: span.name for span in of_notice if span.name.startswith("create ")}
    assert {event["traceparent"][36:52]: f"create {event['type']}" for event in events} == created
    named = str(await notice_id(system, ref))
    assert {span.trace for span in spans if span.attributes.get("duly.notice_id") == named} == {trace}
    ids = [span.span for span in of_notice]
    assert len(set(ids)) == len(ids)
    outside = [span for span in of_notice if span.parent not in ids]
    assert [(span.name, span.parent) for span in outside] == [
        ("process notice.requested.v1", theirs.span_id if theirs else "")
    ]
    return of_notice


async def test_a_notice_is_one_trace_with_upstreams_word_and_without_also_in_one_batch(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracer, exporter = in_memory("traces")
    system.settings["DULY_LINGER"] = "0.5"  # so that all of them are one batch
    requests = [asked("theirs", THEIRS), asked("ours"), asked("neighbour")]
    async with in_this_process(system, tracer, monkeypatch, *requests):
        await sanctioned(system, "theirs", "ours", "neighbour")
        spans = seen(exporter.get_finished_spans())
    for ref, given in (("theirs", THEIRS), ("ours", None), ("neighbour", None)):
        of_notice = await holds_together(system, ref, spans, given)
        assert set(CHAIN) <= {span.name for span in of_notice}
        assert not any(span.failed for span in of_notice)
    assert {event["type"] for event in await told(system, "theirs")} >= set(TOLD)
    said = {key for span in spans for key in span.attributes}
    assert [key for key in sorted(said) if f"`{key}`" not in PAGE] == [], "every attribute is told of"
    rendered = [span for span in spans if span.name == "process notice.requested.v1"]
    assert len({span.links for span in rendered}) < len(rendered), "a batch's items are linked to one delivery"


async def test_what_upstream_does_not_record_is_not_recorded_here_and_still_passed_on(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracer, exporter = in_memory("traces")
    async with in_this_process(system, tracer, monkeypatch, asked("unsampled", UNSAMPLED)):
        await system.until_state("unsampled", "served")
        spans = seen(exporter.get_finished_spans())
    trace = UNSAMPLED[3:35]
    assert [span for span in spans if span.trace == trace] == []
    assert {event["traceparent"][3:35] + event["traceparent"][-2:] for event in await told(system, "unsampled")} == {
        trace + "00"
    }


async def test_a_retry_and_a_replayed_dead_letter_stay_in_the_trace(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracer, exporter = in_memory("traces")
    real, ran = Sanctions._one, Counter[str]()

    async def first_fails_then_dies(self: Sanctions, tx: Any, item: Any) -> Decision:
        ran["all"] += 1
        if ran["all"] == 1:
            raise RuntimeError("planted")
        return dead("planted") if ran["all"] == 2 else await real(self, tx, item)

    monkeypatch.setattr(Sanctions, "_one", first_fails_then_dies)
    async with in_this_process(system, tracer, monkeypatch, asked("again", THEIRS)):
        await lapsed(system, "again")
        await system.until("SELECT count(*) FROM failed_item WHERE state = 'dead'", 1)
        async with desk(system) as officers:
            await runs.begin(officers, officers.ids, Kind.REPLAY, Chosen(), OFFICER)
        await no_objection(system, "again")
        spans = seen(exporter.get_finished_spans())
    gates = [span for span in await holds_together(system, "again", spans, THEIRS) if "deadline.passed" in span.name]
    assert [span.attributes["duly.outcome"] for span in gates[:2]] == ["failed", "dead_letter"]
    assert {span.attributes["duly.outcome"] for span in gates[2:]} == {"done"}
    assert [span.failed for span in gates[:3]] == [True, True, False]
    assert [span.attributes["duly.attempt"] for span in gates[:2]] == [1, 2]


async def test_real_workers_send_their_spans_to_a_collector(system: System) -> None:
    with collector() as door:
        system.settings |= {
            "DULY_TRACING": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": door.url, "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        }  # fmt: skip
        await system.start()
        await system.publish(asked("wire", THEIRS), asked("held"))
        await system.until_state("held", "served")
        hold = ("holds", "place", str(await notice_id(system, "held")), "--reason", "asked for", "--by", "A. Lewis")
        assert system.spawn("cli", program=("-m", "services.cli", *hold)).popen.wait(30) == 0
        await sanctioned(system, "wire")
        system.stop()  # what was still kept is sent before the end
        spans = [span for _, span in door.spans]
        of_notice = await holds_together(system, "wire", spans, THEIRS)
        held = await holds_together(system, "held", spans)
        wire = str(await notice_id(system, "wire"))
    assert "create hold.placed.v1" in {span.name for span in held}
    assert set(CHAIN) <= {span.name for span in of_notice}
    logged = [event for process in system.processes for event in process.events() if event["event"] == "sanction.fired"]
    assert [event["trace_id"] for event in logged if event["notice_id"] == wire] == [THEIRS[3:35]]
    workers = {name for name, span in door.spans if span in of_notice}
    assert workers == {"duly-renderer", "duly-notifier", "duly-deadlines", "duly-sanctions"}
    shown = json.dumps([(span.name, span.attributes) for span in spans])
    assert not [word for word in ("Harbour", "business.example", "PAY-1", "300.00") if word in shown]


async def test_a_collector_that_is_away_delays_and_fails_nothing(system: System) -> None:
    system.settings |= {"DULY_TRACING": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    await system.start("renderer", "notifier")
    await system.publish(asked("away"))
    await system.until_state("away", "served")
    began = time.monotonic()
    assert [process.stop() for process in system.processes] == [0, 0]
    assert time.monotonic() - began < 10
