"""What relay tells `/metrics` is what the database says, and the page of metrics names all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.kernel.runtime.measures import Measures
from services.kernel.runtime.settings import read
from services.relay.handler import Relay
from services.relay.settings import RelaySettings
from tests.handlers.bench import IDS, Bench
from tests.handlers.test_relay_rounds import served

PAGE = Path(__file__).parents[2] / "deploy" / "observability" / "METRICS.md"
DEAD = """INSERT INTO failed_item (failed_id, worker, state, source, event_id, type, subject, routing_key, content_type,
                                   headers, body, reason, attempts, history, created_at, changed_at)
          SELECT gen_random_uuid(), worker, 'dead', 'fees', gen_random_uuid()::text, 'x', gen_random_uuid(), 'x',
                 'x', '{}', '', 'broken', 1, '[]', clock_timestamp(), clock_timestamp()
          FROM unnest($1::text[]) AS worker"""
BRAKE = """INSERT INTO brake (kind, stopped, changed_by, changed_at, reason)
           VALUES ('registration.cancel', true, 'R. Officer', clock_timestamp(), 'a look first')"""
MARK = "INSERT INTO mark VALUES (gen_random_uuid(), legal_now() - $1 * interval '1 second', clock_timestamp())"
UP = """INSERT INTO inbox_up SELECT at - interval '1 day' * days, at, clock_timestamp() - interval '1 minute' * beat
        FROM (SELECT legal_now() AS at) AS now, (VALUES (1, 7), (2, 900)) AS up(days, beat)"""


class Nobody:
    """A broker that nothing is sent to."""


@pytest.fixture
def measures() -> Measures:
    return Measures()


async def measure(bench: Bench, measures: Measures) -> dict[tuple[str, str], float]:
    """One round of relay's, and what `/metrics` then tells: by name and label."""
    relay = Relay(bench.ledger, Nobody(), IDS, read(RelaySettings), measures)  # type: ignore[arg-type]
    assert await relay.measure() is False
    return {
        (sample.name, next(iter(sample.labels.values()))): sample.value
        for metric in measures.registry.collect()
        for sample in metric.samples
    }


async def test_the_page_names_all_that_waits(bench: Bench, measures: Measures) -> None:
    told = await measure(bench, measures)
    table = PAGE.read_text(encoding="utf-8").partition("| `what` waits |")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    assert {what for name, what in told if name == "duly_waiting"} == named
    assert {what for name, what in told if name == "duly_oldest_seconds"} == named


async def test_nothing_stands_still_in_an_empty_house(bench: Bench, measures: Measures) -> None:
    told = await measure(bench, measures)
    assert told[("duly_stopped", "mail")] == 0
    assert told[("duly_measured_timestamp_seconds", "relay")] > 0
    absent = {"duly_dead_letters", "duly_gate_waiting", "duly_sanctions_last_hour", "duly_silence_seconds"}
    assert not {name for name, _ in told} & absent


async def test_brakes_dead_letters_and_silence_are_told_and_then_forgotten(bench: Bench, measures: Measures) -> None:
    pool = bench.ledger.pool
    await pool.execute(DEAD, ["bounces", "bounces", "webhooks"])
    await pool.execute(BRAKE)
    await pool.execute(MARK, 9000)
    await pool.execute(MARK, 600)
    await pool.execute(UP)
    async with bench.ledger.begin() as tx:
        await tx.set_sending_brake("twenty refusals", None, "duly")
    told = await measure(bench, measures)
    assert told[("duly_dead_letters", "bounces")] == 2
    assert told[("duly_dead_letters", "webhooks")] == 1
    assert told[("duly_stopped", "registration.cancel")] == told[("duly_stopped", "mail")] == 1
    assert told[("duly_sanctions_last_hour", "registration.cancel")] == 0
    assert 600 <= told[("duly_silence_seconds", "mark")] < 700
    assert 420 <= told[("duly_silence_seconds", "inbox")] < 520
    await pool.execute("UPDATE failed_item SET state = 'discarded' WHERE worker = 'webhooks'")
    await pool.execute("UPDATE brake SET stopped = false")
    told = await measure(bench, measures)
    assert ("duly_dead_letters", "webhooks") not in told
    assert told[("duly_dead_letters", "bounces")] == 2
    assert told[("duly_stopped", "registration.cancel")] == 0


async def test_what_the_gate_waits_for_is_told_by_reason(bench: Bench, measures: Measures) -> None:
    for ref in ("a", "b"):
        await served(bench, ref)
    await bench.advance(days=23)
    assert await bench.lapse() == 2
    told = await measure(bench, measures)
    assert told[("duly_waiting", "gate")] == 2
    assert not {name for name, _ in told} & {"duly_gate_waiting"}, "the gate has not looked yet"
    await bench.value("UPDATE gate_wait SET waiting_for = '{mark_missing}' RETURNING 1")
    await bench.value(
        "UPDATE gate_wait SET waiting_for = '{hold_open,mark_missing}' "
        "WHERE notice_id = (SELECT min(notice_id::text)::uuid FROM gate_wait) RETURNING 1"
    )
    told = await measure(bench, measures)
    assert told[("duly_gate_waiting", "mark_missing")] == 2
    assert told[("duly_gate_waiting", "hold_open")] == 1
