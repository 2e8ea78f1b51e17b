"""Bad input through the real queues: each fault and every pair of faults, beside sound requests that do not notice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from schemas.catalogue import CATALOGUE, EXCHANGE
from services.kernel.adapters.broker import Topology, open_broker
from services.kernel.ports import Outgoing
from tests.journeys.faults import BROKEN, FAULTS, KNOWN, Broken, Faulty, pairs, singles
from tests.journeys.outside import Upstream
from tests.rig.rabbitmq import RabbitNode
from tests.rig.system import System, fee_outstanding, paid

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUESTS = "notice.requested.v1"
FACTS = "obligation.satisfied.v1"
EVERY_FIFTH = 5
FAULTY = (*singles(), *pairs())
BROKEN_PAIRS = tuple(combinations(BROKEN, 2))
FORGED_MARK = {"mark_id": str(uuid4()), "sent_at": "2099-01-01T00:00:00Z"}
MARKUP = "<script>alert(1)</script> {{ 7*7 }} {% raw %} ((fee_amount)) **b** [a](http://e.example) & 'q' \"q\""


def wire(event: dict[str, Any]) -> bytes:
    return json.dumps({"specversion": "1.0", "id": str(uuid4()), **event}).encode()


@dataclass
class Stream:
    """Messages as systems send them that do not use our publisher: any bytes, and sound requests among them."""

    messages: list[Outgoing] = field(default_factory=list)
    sound: list[str] = field(default_factory=list)

    def put(self, body: bytes, key: str = REQUESTS, *, of: Broken | None = None) -> None:
        kind, headers = (of.content_type, dict(of.headers)) if of else ("application/cloudevents+json", {})
        self.messages.append(Outgoing(len(self.messages), key, body, kind, headers, mandatory=True))

    def put_sound(self) -> None:
        ref = f"sound-{uuid4().hex[:12]}"
        self.sound.append(ref)
        self.put(wire({**fee_outstanding(ref), "id": ref}))

    async def flow(self, url: str) -> None:
        """In this order, pipelined, each confirmed."""
        broker = open_broker(url, Topology(exchange=EXCHANGE, queues=()), "upstream")
        try:
            assert len(await broker.publish(self.messages)) == len(self.messages)
        finally:
            await broker.close()

    async def sound_served(self, duly: System) -> None:
        """Wait until every sound request is a served notice."""
        query = "SELECT count(*) FROM notice WHERE source_ref = ANY($1) AND state = 'served'"
        await duly.until(query, len(self.sound), self.sound)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(duly: System, upstream: Upstream, rabbit_node: RabbitNode) -> AsyncIterator[dict[str, list[str]]]:
    """Every faulty request published, sound ones among them: what upstream was told, by the request's event id."""
    await duly.publish({**fee_outstanding(KNOWN), "id": "known"})
    await duly.until_state(KNOWN, "served")
    stream = Stream()
    for number, faulty in enumerate(FAULTY):
        stream.put(faulty.body())
        if number % EVERY_FIFTH == 0:
            stream.put_sound()
    await stream.flow(rabbit_node.url)
    await duly.until("SELECT count(*) FROM outbox WHERE type = 'notice.refused.v1'", len(FAULTY))
    await stream.sound_served(duly)
    await asyncio.wait_for(all_heard(upstream, len(FAULTY)), 30)
    refused = [event for event in upstream.heard if event["type"] == "notice.refused.v1"]
    yield {event["id"].removeprefix("fees:").removesuffix(":refused"): event["data"]["reasons"] for event in refused}


async def all_heard(upstream: Upstream, count: int) -> None:
    while len([event for event in upstream.heard if event["type"] == "notice.refused.v1"]) < count:
        upstream.listen()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("faulty", FAULTY, ids=lambda faulty: faulty.name)
async def test_upstream_is_told_every_fault_of_a_request_at_once(told: dict[str, list[str]], faulty: Faulty) -> None:
    reasons = told[faulty.event_id]
    for text in faulty.expected():
        assert any(text in reason for reason in reasons), f"{text!r} is not among {reasons}"
    assert all(reason.isprintable() for reason in reasons), "what is refused for its control characters sends none on"


async def test_no_pair_of_faults_is_left_out() -> None:
    apart = sum(1 for one, other in combinations(FAULTS, 2) if one.field == other.field)
    assert len(pairs()) == len(FAULTS) * (len(FAULTS) - 1) // 2 - apart
    assert apart == 1, "only the two faults of an address exclude each other"


async def test_sound_requests_among_faulty_ones_are_served_at_once_and_none_twice(
    duly: System, told: dict[str, list[str]]
) -> None:
    assert told
    sound = "FROM notice WHERE source_ref LIKE 'sound-%'"
    assert await duly.value("SELECT count(*) FROM failed_item WHERE event_id LIKE 'sound-%'") == 0
    assert await duly.value(f"SELECT bool_and(state = 'served') {sound}")
    assert await duly.value(
        "SELECT count(*) FROM processed WHERE consumer = 'renderer' AND event_id LIKE 'sound-%'"
    ) == (await duly.value(f"SELECT count(*) {sound}"))


async def test_every_request_is_accepted_or_refused_and_nothing_is_lost(
    duly: System, told: dict[str, list[str]]
) -> None:
    notices = await duly.value("SELECT count(*) FROM notice")
    answered = await duly.value("SELECT count(*) FROM processed WHERE consumer = 'renderer'")
    assert answered == notices + len(told) == notices + len(FAULTY)
    assert await duly.value("SELECT count(*) FROM failed_item WHERE worker = 'renderer' AND state <> 'resolved'") == 0
    assert await duly.value("SELECT lost FROM conservation") == 0


async def test_messages_that_are_no_requests_are_dead_letters_with_reason_beside_one_another_and_sound_ones(
    duly: System, rabbit_node: RabbitNode, told: dict[str, list[str]]
) -> None:
    assert told
    stream = Stream()
    for number, pair in enumerate(BROKEN_PAIRS):
        for broken in pair:
            stream.put(broken.body, of=broken)
        if number % EVERY_FIFTH == 0:
            stream.put_sound()
    await stream.flow(rabbit_node.url)
    await stream.sound_served(duly)
    await duly.until("SELECT count(*) FROM failed_item WHERE worker = 'renderer' AND state = 'dead'", len(BROKEN))
    rows = await duly.fetch("SELECT body, reason FROM failed_item WHERE worker = 'renderer' AND state = 'dead'")
    reasons = {row["body"]: row["reason"] for row in rows}
    for broken in BROKEN:
        assert broken.says in reasons[broken.body], f"{broken.name}: {reasons[broken.body]}"


async def test_a_broken_message_beside_each_fault_changes_nothing_for_either(
    duly: System, upstream: Upstream, rabbit_node: RabbitNode, told: dict[str, list[str]]
) -> None:
    oversized = next(broken for broken in BROKEN if broken.name == "oversized")
    undecodable = next(broken for broken in BROKEN if broken.name == "not JSON")
    again = {f"again {number}": faulty for number, faulty in enumerate(singles())}
    before = await duly.value("SELECT count(*) FROM failed_item WHERE worker = 'renderer' AND state = 'dead'")
    stream = Stream()
    for number, (event_id, faulty) in enumerate(again.items()):
        stream.put(undecodable.body + bytes(str(number), "ascii"))
        stream.put(json.dumps({**json.loads(faulty.body()), "id": event_id}).encode())
        stream.put(oversized.body.replace(b"x" * 100, b"y" * 100, number + 1))
    stream.put_sound()
    await stream.flow(rabbit_node.url)
    await stream.sound_served(duly)
    await duly.until(
        "SELECT count(*) FROM failed_item WHERE worker = 'renderer' AND state = 'dead'", before + 2 * len(again)
    )
    for event_id, faulty in again.items():
        event = await upstream.until_any(lambda heard, one=event_id: heard["id"] == f"fees:{one}:refused")
        assert event["data"]["reasons"] == told[faulty.event_id]


async def test_markup_and_template_syntax_in_values_are_literal_text(duly: System) -> None:
    request = fee_outstanding("markup")
    request["data"]["values"]["business_name"] = MARKUP
    await duly.publish(request)
    await duly.until_state("markup", "served")
    (content,) = await duly.fetch(
        "SELECT body_text, body_html FROM notice_content JOIN notice USING (notice_id) WHERE source_ref = 'markup'"
    )
    assert MARKUP in content["body_text"]
    assert "<script" not in content["body_html"]
    assert "href" not in content["body_html"].replace(MARKUP, "")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }} {% raw %} ((fee_amount)) **b** [a](" in content["body_html"]


async def test_a_type_that_nobody_takes_comes_back_to_its_publisher(rabbit_node: RabbitNode, duly: System) -> None:
    assert duly.processes
    broker = open_broker(rabbit_node.url, Topology(exchange=EXCHANGE, queues=()), "upstream")
    body = wire(fee_outstanding("nobody's"))
    sent = (Outgoing(0, "summons.requested.v1", body, mandatory=True), Outgoing(1, REQUESTS, body, mandatory=True))
    try:
        assert await broker.publish(sent) == {1}, "confirmed is what a queue took"
    finally:
        await broker.close()


# --- facts about notices ----------------------------------------------------------------------------------------------


async def test_a_response_to_an_unknown_notice_waits_and_is_then_refused(duly: System, upstream: Upstream) -> None:
    (event_id,) = await duly.publish(paid("never-heard-of"))
    await duly.until("SELECT state FROM raw_evidence WHERE source_ref = 'never-heard-of'", "parked")
    await duly.advance(seconds=5)
    refused = await upstream.until_any(lambda heard: heard["data"].get("event_id") == event_id)
    assert refused["type"] == "evidence.refused.v1"
    assert refused["data"]["reason"] == "no such notice"
    await duly.until("SELECT state FROM raw_evidence WHERE source_ref = 'never-heard-of'", "refused")


async def test_a_response_that_overtook_its_request_finds_the_notice(duly: System) -> None:
    await duly.publish(paid("overtaken"))
    await duly.until("SELECT state FROM raw_evidence WHERE source_ref = 'overtaken'", "parked")
    await duly.publish(fee_outstanding("overtaken"))
    await duly.until_state("overtaken", "satisfied")


EVIDENCE_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "names no notice": ({"kind": "payment"}, "exactly one of"),
    "names it twice": ({"kind": "payment", "source_ref": "x", "notice_id": str(uuid4())}, "exactly one of"),
    "unknown kind": ({"kind": "prayer", "source_ref": "x"}, "kind: Input should be"),
    "a field too many": ({"kind": "payment", "source_ref": "x", "colour": "red"}, "colour: Extra inputs"),
    "an instant without zone": (
        {"kind": "payment", "source_ref": "x", "received_at": "2026-01-01T00:00:00"},
        "timezone",
    ),
    "a line break in a reference": ({"kind": "payment", "source_ref": "x\r\ny"}, "control character U+000D"),
}


async def test_malformed_facts_are_kept_whole_told_and_dead_and_sound_ones_beside_them_work(
    duly: System, upstream: Upstream, rabbit_node: RabbitNode
) -> None:
    refs = [f"beside-{number}" for number in range(len(EVIDENCE_FAULTS))]
    await duly.publish(*map(fee_outstanding, refs))
    for ref in refs:
        await duly.until_state(ref, "served")
    undecodable = [b"\xff\xfe", b"{", b"", b"x" * 70_000]
    stream = Stream()
    for ref, (name, (data, _)) in zip(refs, EVIDENCE_FAULTS.items(), strict=True):
        stream.put(wire({"type": FACTS, "source": "fees", "id": name, "data": data}), FACTS)
        stream.put(wire(paid(ref)), FACTS)
    for body in undecodable:
        stream.put(body, FACTS)
    stream.put(wire({"type": "mark.sent.v1", "source": "fees", "data": FORGED_MARK}), "mark.sent.v1")
    await stream.flow(rabbit_node.url)
    for ref in refs:
        await duly.until_state(ref, "satisfied")
    for name, (_, says) in EVIDENCE_FAULTS.items():
        event = await upstream.until_any(lambda heard, one=name: heard["data"].get("event_id") == one)
        assert says in event["data"]["reason"]
    dead = len(EVIDENCE_FAULTS) + len(undecodable)
    await duly.until(
        "SELECT count(*) FROM failed_item WHERE worker = 'intake' AND state = 'dead' AND reason <> ''", dead
    )
    assert await duly.value("SELECT count(*) FROM raw_evidence WHERE type = 'undecodable' AND state = 'dead'") == dead
    assert await duly.value("SELECT count(*) FROM mark WHERE sent_at > legal_now() + interval '1 year'") == 0, (
        "a forged mark"
    )


async def test_a_known_reference_of_another_source_is_another_notice(duly: System) -> None:
    await duly.publish({**fee_outstanding(KNOWN), "source": "registry"})
    await duly.until(f"SELECT count(*) FROM notice WHERE source_ref = '{KNOWN}' AND state = 'served'", 2)
    await duly.publish({**paid(KNOWN), "source": "registry"})
    await duly.until(f"SELECT state FROM notice WHERE source_ref = '{KNOWN}' AND source = 'registry'", "satisfied")
    assert await duly.value(f"SELECT state FROM notice WHERE source_ref = '{KNOWN}' AND source = 'fees'") == "served"


async def test_every_type_that_upstream_sends_has_a_limit() -> None:
    assert all(0 < entry.most_bytes <= 1 << 20 for entry in CATALOGUE.values())
