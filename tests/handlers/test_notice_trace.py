"""Where a notice's trace is kept, what told events say of it, and that workers of the version before need not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from schemas.messages.hops import NoticeRenderedV1
from services.kernel.domain.trace import parse, root_of
from services.kernel.ports import Phase, SmtpReply
from services.kernel.runtime.decision import Decision
from services.kernel.runtime.items import Item
from services.kernel.runtime.tracing import trace_with
from tests.handlers.bench import Bench, hop, item
from tests.rig.system import fee_outstanding
from tests.rig.traces import in_memory

THEIRS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
MIGRATION = Path(__file__).parents[2] / "schemas" / "database" / "migrations" / "0008_tracing.sql"
AS_BEFORE = "SELECT * FROM notice WHERE notice_id = ANY($1::uuid[]) ORDER BY notice_id FOR NO KEY UPDATE"


async def told(bench: Bench) -> list[dict[str, Any]]:
    """All that upstream was told, in order."""
    return [json.loads(body) for body in await bench.column("SELECT body FROM outbox WHERE source = 'fees' ORDER BY 1")]


async def test_upstreams_trace_is_kept_with_the_notice_and_passed_on_by_whoever_tells_of_it(bench: Bench) -> None:
    named = await bench.rendered({**fee_outstanding("given"), "traceparent": THEIRS})
    async with bench.ledger.begin() as tx:
        assert (await tx.lock([named]))[named].traceparent == THEIRS
        assert await tx.traces([named]) == {named: THEIRS}
    await serve(bench, named)
    assert {event["traceparent"] for event in await told(bench)} == {THEIRS}


async def test_a_notice_without_one_keeps_none_and_is_told_without_while_nobody_traces(bench: Bench) -> None:
    named = await bench.rendered(fee_outstanding("bare"))
    await serve(bench, named)
    assert await bench.value("SELECT count(*) FROM notice_trace") == 0
    assert [event for event in await told(bench) if "traceparent" in event] == []


async def test_what_is_told_again_names_the_same_span_and_makes_it_once(bench: Bench) -> None:
    tracer, exporter = in_memory("bench")
    trace_with(tracer)
    try:
        named = await bench.rendered(fee_outstanding("again"))
        await bench.run(bench.renderer, [item({**fee_outstanding("again"), "traceparent": THEIRS})])
    finally:
        trace_with(None)
    first, second = await told(bench)
    assert first == second
    assert first["traceparent"][3:35] == root_of(named).trace_id
    names = [span.name for span in exporter.get_finished_spans()]
    assert names == ["process notice.requested.v1", "create notice.accepted.v1", "process notice.requested.v1"]
    theirs = parse(THEIRS)
    assert theirs is not None
    assert [f"{link.context.trace_id:032x}" for link in exporter.get_finished_spans()[-1].links] == [theirs.trace_id]


async def test_what_was_rolled_back_made_no_span(bench: Bench) -> None:
    tracer, exporter = in_memory("bench")
    trace_with(tracer)
    made = await decided(bench, item(fee_outstanding("gone")))
    try:
        with pytest.raises(asyncpg.UniqueViolationError):
            await bench.write(*made.changes, *made.changes)
    finally:
        trace_with(None)
    assert exporter.get_finished_spans() == ()


async def test_a_type_of_a_senders_own_is_in_no_span(bench: Bench) -> None:
    """Whoever may send may call a message anything; what it is called is no name of a span."""
    tracer, exporter = in_memory("bench")
    trace_with(tracer)
    try:
        own = {"source": "fees", "type": "Canary Smith", "traceparent": THEIRS, "data": {}}
        await bench.run(bench.renderer, [item(own)])
    finally:
        trace_with(None)
    (span,) = exporter.get_finished_spans()
    assert span.name == "process unknown"
    assert "Canary" not in span.to_json()


async def decided(bench: Bench, one: Item) -> Decision:
    async with bench.ledger.begin() as tx:
        (made,) = await bench.renderer.decide(tx, [one])
    return made


async def test_workers_of_the_version_before_go_on_through_the_migration(bench: Bench) -> None:
    """Their statement is prepared, and in use in a transaction that may hold what the mail system said."""
    named = await bench.rendered(fee_outstanding("before"))
    async with bench.ledger.pool.acquire() as old:
        await old.execute("DROP TABLE notice_trace")
        await locked_as_before(old, named)
        await bench.ledger.pool.execute(MIGRATION.read_text())
        assert await locked_as_before(old, named) == 1


async def locked_as_before(old: Any, named: object) -> int:
    async with old.transaction():
        rows: list[asyncpg.Record] = await old.fetch(AS_BEFORE, [named])
    return len(rows)


async def serve(bench: Bench, named: UUID) -> None:
    """The alert is claimed, and the mail system takes it."""
    await bench.run(bench.notifier, hop("notice.rendered.v1", NoticeRenderedV1(notices=(named,)), "notifier"))
    await bench.settle(bench.claims[-1], SmtpReply(Phase.DONE, 250, "2.0.0", "queued"))
