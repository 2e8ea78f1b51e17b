"""The intake door over HTTP: what is taken in, what is refused and how, and who sees what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.runtime.batch import run_batch
from services.kernel.runtime.tracing import trace_with
from services.renderer.handler import Renderer
from tests.doors.conftest import serving
from tests.handlers.bench import IDS, LIBRARY_HERE, item
from tests.rig.intake import BATCH, KEYS, ONE, Keeping, door, event, sent_as, written
from tests.rig.system import fee_outstanding, information_request, paid, responded
from tests.rig.traces import in_memory, seen

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVIDENCE = "SELECT event_id FROM raw_evidence ORDER BY evidence_id"
KEPT = "SELECT count(*) FROM intake_event"


class Upstream:
    """An upstream system that comes over HTTP."""

    def __init__(self, client: httpx2.AsyncClient, ledger: PostgresLedger, broker: Keeping) -> None:
        self.client, self.ledger, self.broker = client, ledger, broker

    async def send(self, *events: dict[str, Any], source: str = "fees") -> httpx2.Response:
        if len(events) == 1:
            return await self.client.post("/v1/events", content=written(events[0]), headers=sent_as(source))
        return await self.client.post("/v1/events", content=written(list(events)), headers=sent_as(source, BATCH))

    async def get(self, path: str, source: str = "fees", **headers: str) -> httpx2.Response:
        return await self.client.get(path, headers={**sent_as(source), **headers})

    async def value(self, query: str) -> Any:
        return await self.ledger.pool.fetchval(query)

    async def column(self, query: str) -> list[Any]:
        return [row[0] for row in await self.ledger.pool.fetch(query)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(ledger: PostgresLedger) -> AsyncIterator[Upstream]:
    broker = Keeping()
    limits = {"rate": 1e6, "burst": 1e6}
    async with serving(door(ledger, broker, **limits)) as url, httpx2.AsyncClient(base_url=url) as client:
        yield Upstream(client, ledger, broker)


@pytest_asyncio.fixture(loop_scope="module")
async def empty(ledger: PostgresLedger) -> PostgresLedger:
    """The database without what other tests brought."""
    await ledger.pool.execute("TRUNCATE raw_evidence, intake_event, outbox CASCADE")
    return ledger


@pytest.fixture
def upstream(opened: Upstream, empty: PostgresLedger) -> Upstream:
    assert opened.ledger is empty
    return opened


def pointers(answer: httpx2.Response) -> list[str]:
    return [wrong["pointer"] for wrong in answer.json()["errors"]]


async def test_a_fact_is_raw_evidence_before_it_is_answered_and_travels_by_reference(upstream: Upstream) -> None:
    fact = event(paid("fees/1"))
    answer = await upstream.send(fact)
    assert answer.status_code == 202
    status = "/v1/notices?source_ref=fees%2F1"
    assert answer.json() == {"events": [{"id": fact["id"], "type": "obligation.satisfied.v1", "status": status}]}
    row = await upstream.ledger.pool.fetchrow("SELECT * FROM raw_evidence")
    assert (row["door"], row["source"], row["event_id"], row["state"]) == ("http", "fees", fact["id"], "waiting")
    assert (row["source_ref"], json.loads(row["headers"])) == ("fees/1", {"duly-credential": "key/fees"})
    assert json.loads(row["body"])["data"] == fact["data"]


async def test_a_request_waits_in_the_outbox_and_is_published_whole(upstream: Upstream) -> None:
    asked = event(fee_outstanding("fees/2"))
    assert (await upstream.send(asked)).status_code == 202
    assert await upstream.column("SELECT type FROM outbox") == ["notice.requested.v1"]
    assert await upstream.value("SELECT count(*) FROM raw_evidence") == 0
    assert await upstream.value("SELECT source IS NULL FROM outbox"), "no webhook carries a request back"


async def test_a_batch_is_taken_in_its_order_with_one_word_to_the_worker(
    empty: PostgresLedger,
) -> None:
    broker = Keeping()
    events = [event(paid(f"fees/{number}")) for number in range(30)]
    async with serving(door(empty, broker)) as url, httpx2.AsyncClient(base_url=url) as client:
        answer = await client.post("/v1/events", content=written(events), headers=sent_as(form=BATCH))
    assert answer.status_code == 202
    assert [each["id"] for each in answer.json()["events"]] == [each["id"] for each in events]
    rows = await empty.pool.fetch("SELECT event_id, evidence_id FROM raw_evidence ORDER BY evidence_id")
    assert [row["event_id"] for row in rows] == [each["id"] for each in events]
    (hop,) = broker.sent  # the door has stopped: all that was committed has been told
    assert json.loads(hop.body)["data"]["evidence"] == [str(row["evidence_id"]) for row in rows]
    assert await empty.pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0


async def test_an_empty_batch_is_taken_and_nothing_follows(upstream: Upstream) -> None:
    answer = await upstream.send()
    assert (answer.status_code, answer.json()) == (202, {"events": []})


async def test_binary_mode_is_the_same_event_percent_encoded_in_headers(upstream: Upstream) -> None:
    attributes = {
        "ce-specversion": "1.0", "ce-id": "r%C3%A9f%2F1", "ce-source": "fees", "ce-type": "obligation.satisfied.v1",
        "ce-subject": '"say \\"so\\""', "content-type": "application/json; charset=utf-8",
        "authorization": f"Bearer {KEYS['fees']}",
    }  # fmt: skip
    answer = await upstream.client.post("/v1/events", content=written(paid("x")["data"]), headers=attributes)
    assert answer.status_code == 202, answer.text
    kept = json.loads(await upstream.value("SELECT body FROM raw_evidence"))
    assert (kept["id"], kept["subject"], kept["data"]["source_ref"]) == ("réf/1", 'say "so"', "x")


async def test_the_trace_of_the_request_goes_with_events_that_bring_none(upstream: Upstream) -> None:
    mine, its_own = f"00-{'a' * 32}-{'b' * 16}-01", f"00-{'c' * 32}-{'d' * 16}-01"
    events = [event(paid("a")), event(paid("b"), traceparent=its_own)]
    headers = {**sent_as(form=BATCH), "traceparent": mine}
    assert (await upstream.client.post("/v1/events", content=written(events), headers=headers)).status_code == 202
    bodies = await upstream.column("SELECT body FROM raw_evidence ORDER BY evidence_id")
    assert [json.loads(body)["traceparent"] for body in bodies] == [mine, its_own]


async def test_a_broken_trace_refuses_nothing(upstream: Upstream) -> None:
    headers = {**sent_as(), "traceparent": "nonsense"}
    answer = await upstream.client.post("/v1/events", content=written(event(paid("a"))), headers=headers)
    assert answer.status_code == 202
    assert "traceparent" not in json.loads(await upstream.value("SELECT body FROM raw_evidence"))


async def test_a_stranger_writes_into_nobodys_trace_and_decides_nothing_of_what_is_recorded(upstream: Upstream) -> None:
    """Until a caller has shown its key it is a stranger, also where anybody may read."""
    tracer, spans = in_memory("intake")
    trace_with(tracer)
    theirs = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    try:
        await upstream.client.get("/v1/openapi.json", headers=theirs)
        await upstream.client.post("/v1/events", content=b"{}", headers={**theirs, "authorization": "Bearer guessed"})
        await upstream.get("/v1/notices?source_ref=x", **theirs)
    finally:
        trace_with(None)
    found = [span for span in seen(spans.get_finished_spans()) if "http.request.method" in span.attributes]
    assert [(span.attributes["http.response.status_code"], span.trace == "a" * 32) for span in found] == [
        (200, False), (401, False), (404, True),
    ]  # fmt: skip


# --- the same again ---------------------------------------------------------------------------------------------------


async def test_the_same_event_gets_the_same_answer_and_counts_once(upstream: Upstream) -> None:
    events = [event(paid("a")), event(fee_outstanding("b"))]
    first, second = await upstream.send(*events), await upstream.send(*events)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    assert await upstream.value("SELECT count(*) FROM raw_evidence") == 1
    assert await upstream.value("SELECT count(*) FROM outbox WHERE type = 'notice.requested.v1'") == 1


async def test_the_same_id_with_other_content_is_refused_with_the_difference_and_nothing_is_stored(
    upstream: Upstream,
) -> None:
    first = event(paid("a"))
    await upstream.send(first)
    other = {**first, "data": {**first["data"], "kind": "other_fact"}}
    answer = await upstream.send(event(paid("new")), other)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/known-otherwise"
    (wrong,) = answer.json()["errors"]
    assert wrong["pointer"] == "/1"
    assert 'kind was "payment", now "other_fact"' in wrong["detail"]
    assert await upstream.column(EVIDENCE) == [first["id"]]


async def test_the_same_id_with_another_type_is_refused(upstream: Upstream) -> None:
    first = event(responded("a", "answer"))
    await upstream.send(first, source="caseworking")
    other = {**event(paid("a"), id=first["id"]), "source": "caseworking"}
    answer = await upstream.send(other, source="caseworking")
    assert answer.status_code == 409
    assert "another type: response.reported.v1" in answer.text


async def test_one_id_twice_in_a_batch_counts_once_or_is_refused_if_it_differs(upstream: Upstream) -> None:
    one = event(paid("a"))
    assert (await upstream.send(one, one)).status_code == 202
    assert await upstream.column(EVIDENCE) == [one["id"]]
    two = event(paid("b"))
    answer = await upstream.send(two, {**two, "data": paid("c")["data"]})
    assert answer.status_code == 409
    assert pointers(answer) == ["/1"]
    assert await upstream.column(EVIDENCE) == [one["id"]]


async def test_an_event_that_came_over_amqp_is_known_here_too(upstream: Upstream) -> None:
    fact = event(paid("a"))
    query = """INSERT INTO raw_evidence (evidence_id, door, source, event_id, type, received_at, content_type, headers,
               body, state) VALUES ($1, 'amqp', 'fees', $2, $3, now(), $4, '{}', $5, 'waiting')"""
    await upstream.ledger.pool.execute(query, uuid4(), fact["id"], fact["type"], ONE, written(fact))
    assert (await upstream.send(fact)).status_code == 202
    assert (await upstream.send({**fact, "data": paid("b")["data"]})).status_code == 409
    assert await upstream.value("SELECT count(*) FROM raw_evidence") == 1


async def test_two_doors_that_get_the_same_events_at_once_take_each_in_once(empty: PostgresLedger) -> None:
    brokers = Keeping(), Keeping()
    events = [event(paid(f"a{number}")) for number in range(20)]
    turned = list(reversed(events))
    async with (
        serving(door(empty, brokers[0])) as one,
        serving(door(empty, brokers[1])) as two,
        httpx2.AsyncClient() as client,
    ):
        posts = [
            client.post(f"{url}/v1/events", content=written(batch), headers=sent_as(form=BATCH))
            for _ in range(10)
            for url, batch in ((one, events), (two, turned))
        ]
        answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {202}
    assert await empty.pool.fetchval("SELECT count(*) FROM raw_evidence") == 20
    assert await empty.pool.fetchval(KEPT) == 20
    told = [uid for broker in brokers for hop in broker.sent for uid in json.loads(hop.body)["data"]["evidence"]]
    assert len(told) == len(set(told)) == 20


async def test_of_two_contents_under_one_id_that_race_one_is_taken_and_the_other_refused(
    empty: PostgresLedger,
) -> None:
    one = event(paid("a"))
    other = {**one, "data": paid("b")["data"]}
    async with (
        serving(door(empty, Keeping())) as first,
        serving(door(empty, Keeping())) as second,
        httpx2.AsyncClient() as client,
    ):
        pairs = [(first, one), (second, other)] * 8
        posts = [client.post(f"{url}/v1/events", content=written(each), headers=sent_as()) for url, each in pairs]
        answers = await asyncio.gather(*posts)
    statuses = [answer.status_code for answer in answers]
    assert sorted({*statuses}) == [202, 409]
    assert {*statuses[::2]} != {*statuses[1::2]}
    assert await empty.pool.fetchval("SELECT count(*) FROM raw_evidence") == 1


# --- faults -----------------------------------------------------------------------------------------------------------


async def test_every_fault_of_every_event_is_told_at_once_and_nothing_is_stored(upstream: Upstream) -> None:
    asked = event(fee_outstanding("a", address="no address", channel="letter", surplus=1))
    del asked["data"]["values"]["fee_amount"]
    asked["data"]["values"]["fee_due_on"] = "tomorrow"
    answer = await upstream.send(event(paid("sound")), asked, event(paid("b"), type="no.such.v1"), {"id": 5})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/faulty-events"
    assert {*pointers(answer)} >= {
        "/1/data/surplus", "/1/data/address", "/1/data/notice_type", "/1/data/values/fee_amount",
        "/1/data/values/fee_due_on", "/2/type", "/3/id", "/3/source", "/3/type",
    }  # fmt: skip
    assert not any(pointer.startswith("/0") for pointer in pointers(answer))
    assert await upstream.value(KEPT) == 0
    assert await upstream.value("SELECT count(*) FROM raw_evidence") == 0


@pytest.mark.parametrize(
    ("given", "source", "pointer", "says"),
    [
        (fee_outstanding("a", regime="gambling"), "fees", "/data/regime", "unknown regime"),
        (fee_outstanding("a", notice_type="nothing"), "fees", "/data/notice_type", "unknown notice type"),
        (fee_outstanding("a", notice_type="compliance-intervention"), "fees", "/data/notice_type", "allows only"),
        (fee_outstanding("a", respond_by="2020-01-01"), "fees", "/data/respond_by", ""),
        (information_request("a", requested_by=None), "caseworking", "/data", "names the caseworker"),
        (
            information_request("a", period={"days": 3, "reason": "x", "approver": "clerk:ann"}),
            "caseworking",
            "/data/period",
            "",
        ),
        (paid("a", notice_id=str(uuid4())), "fees", "/data", "exactly one"),
        (paid("a", received_at=5), "fees", "/data/received_at", "datetime"),
    ],
)
async def test_a_person_sees_at_once_what_the_renderer_would_say(
    upstream: Upstream, given: dict[str, Any], source: str, pointer: str, says: str
) -> None:
    answer = await upstream.send(event(given), source=source)
    assert answer.status_code == 422
    assert any(wrong["pointer"] == pointer and says in wrong["detail"] for wrong in answer.json()["errors"])


async def test_a_reference_that_is_known_with_other_data_is_refused_at_the_door(
    upstream: Upstream, empty: PostgresLedger
) -> None:
    await run_batch(empty, Renderer(LIBRARY_HERE, IDS, batch=10), [item(fee_outstanding("known"))])
    assert (await upstream.send(event(fee_outstanding("known")))).status_code == 202
    answer = await upstream.send(event(fee_outstanding("known", business_id="B-other")))
    assert answer.status_code == 409
    assert 'business_id was "B-known", now "B-other"' in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"NaN", b'{"a": Infinity}', b"[" * 5000, b'"\\ud800"'])
async def test_what_is_no_json_is_refused_whole(upstream: Upstream, body: bytes) -> None:
    answer = await upstream.client.post("/v1/events", content=body, headers=sent_as())
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/not-readable")


async def test_a_form_that_is_not_read_names_those_that_are(upstream: Upstream) -> None:
    answer = await upstream.client.post("/v1/events", content=b"<a/>", headers=sent_as(form="text/xml"))
    assert answer.status_code == 415
    assert (
        answer.headers["accept"] == "application/cloudevents+json, application/cloudevents-batch+json, application/json"
    )


async def test_a_body_or_batch_beyond_the_limit_is_refused(empty: PostgresLedger) -> None:
    limited = door(empty, Keeping(), most_bytes=65536, most_events=3)
    async with serving(limited) as url, httpx2.AsyncClient(base_url=url) as client:
        long = await client.post("/v1/events", content=b"x" * 65537, headers=sent_as())
        many = [event(paid(f"a{number}")) for number in range(4)]
        batch = await client.post("/v1/events", content=written(many), headers=sent_as(form=BATCH))
    assert (long.status_code, batch.status_code) == (413, 413)
    assert await empty.pool.fetchval(KEPT) == 0


# --- who --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic ZmVlczpmZWVz"},
        {"authorization": "Bearer duly_fees_" + "x" * 43},
        {"authorization": "Bearer duly_nobody_" + "x" * 43},
        {"authorization": "Bearer duly_"},
        {"x-api-key": "f" * 43},
        {"authorization": "Bearer a.b.c"},
    ],
)
async def test_who_is_not_known_learns_nothing_and_stores_nothing(upstream: Upstream, headers: dict[str, str]) -> None:
    sent = {"content-type": ONE, **headers}
    answers = [
        await upstream.client.post("/v1/events", content=written(event(paid("a"))), headers=sent),
        await upstream.client.get(f"/v1/notices/{uuid4()}", headers=headers),
        await upstream.client.get("/v1/notices?source_ref=a", headers=headers),
        await upstream.client.get("/v1/evidence-roots/2026-11-22", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [401] * 4
    assert all(answer.headers["www-authenticate"].startswith('Bearer realm="duly"') for answer in answers)
    assert await upstream.value(KEPT) == 0


async def test_a_key_may_come_in_a_header_of_its_own(upstream: Upstream) -> None:
    headers = {"x-api-key": KEYS["fees"], "content-type": ONE}
    answer = await upstream.client.post("/v1/events", content=written(event(paid("a"))), headers=headers)
    assert answer.status_code == 202


async def test_an_event_of_another_source_is_forbidden_and_the_whole_batch_with_it(upstream: Upstream) -> None:
    answer = await upstream.send(event(paid("a")), event(paid("b"), source="registry"))
    assert answer.status_code == 403
    assert pointers(answer) == ["/1/source"]
    assert await upstream.value(KEPT) == 0


async def test_a_batch_is_known_as_one_however_its_content_type_is_written(upstream: Upstream) -> None:
    events = [event(paid("a")), event(paid("b"), type="no.such.v1")]
    headers = sent_as(form="Application/CloudEvents-Batch+JSON; charset=utf-8")
    answer = await upstream.client.post("/v1/events", content=written(events), headers=headers)
    assert answer.status_code == 422
    assert pointers(answer) == ["/1/type"]


async def test_what_only_duly_sends_is_no_upstreams(upstream: Upstream) -> None:
    mark = {
        "type": "mark.sent.v1",
        "source": "fees",
        "data": {"mark_id": str(uuid4()), "sent_at": "2026-11-22T08:00:00Z"},
    }
    answer = await upstream.send(event(mark))
    assert answer.status_code == 422
    assert pointers(answer) == ["/type"]


async def test_a_key_that_calls_too_often_is_told_when_to_come_again(empty: PostgresLedger) -> None:
    slow = door(empty, Keeping(), rate=0.1, burst=2)
    async with serving(slow) as url, httpx2.AsyncClient(base_url=url) as client:
        answers = [await client.get("/v1/evidence-roots/2026-11-22", headers=sent_as()) for _ in range(3)]
        other = await client.get("/v1/evidence-roots/2026-11-22", headers=sent_as("registry"))
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 11
    assert other.status_code == 404


async def test_an_address_that_keeps_failing_to_sign_in_is_slowed_down(ledger: PostgresLedger) -> None:
    headers = {"authorization": "Bearer duly_fees_" + "x" * 43}
    async with serving(door(ledger, Keeping())) as url, httpx2.AsyncClient(base_url=url) as client:
        answers = [await client.get("/v1/notices?source_ref=a", headers=headers) for _ in range(40)]
        known = await client.get("/v1/notices?source_ref=a", headers=sent_as())
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert known.status_code == 404


# --- when something is away -------------------------------------------------------------------------------------------


async def test_while_the_database_is_away_nothing_is_taken_and_the_caller_comes_again() -> None:
    gone = await PostgresLedger.open("postgresql://duly@127.0.0.1:1/duly", IDS, name="test", most=1)
    async with serving(door(gone, Keeping())) as url, httpx2.AsyncClient(base_url=url) as client:
        answer = await client.post("/v1/events", content=written(event(paid("a"))), headers=sent_as())
    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/unavailable"
    assert int(answer.headers["retry-after"]) >= 1


async def test_while_the_broker_is_away_events_are_taken_and_stay_in_the_outbox(empty: PostgresLedger) -> None:
    async with serving(door(empty, Keeping(away=True))) as url, httpx2.AsyncClient(base_url=url) as client:
        events = [event(paid("a")), event(fee_outstanding("b"))]
        answer = await client.post("/v1/events", content=written(events), headers=sent_as(form=BATCH))
    assert answer.status_code == 202
    types = await empty.pool.fetch("SELECT type FROM outbox WHERE sent_at IS NULL ORDER BY outbox_id")
    assert [row["type"] for row in types] == ["notice.requested.v1", "response.received.v1"]


# --- about the door ---------------------------------------------------------------------------------------------------


async def test_the_interface_and_each_kind_of_problem_can_be_read_by_anybody(upstream: Upstream) -> None:
    spec = (await upstream.client.get("/v1/openapi.json")).json()
    assert spec["openapi"] == "3.1.0"
    answer = await upstream.client.get("/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    page = await upstream.client.get(answer.json()["type"])
    assert page.status_code == 200
    assert "no such thing" in page.text.lower()


async def test_another_method_is_refused_with_those_that_there_are(upstream: Upstream) -> None:
    answer = await upstream.client.request("DELETE", "/v1/events", headers=sent_as())
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_every_answer_carries_the_security_headers(upstream: Upstream) -> None:
    for answer in (await upstream.client.get("/v1/openapi.json"), await upstream.client.get("/nowhere")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
