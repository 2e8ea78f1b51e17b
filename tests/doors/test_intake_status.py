"""Where a notice stands, as its source may ask; and that nobody else may."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from schemas.resources import NoticeStatus
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import State
from services.kernel.runtime.batch import run_batch
from services.kernel.runtime.effects import Writing, place_hold, unserve
from services.kernel.runtime.items import items_of
from services.renderer.handler import Renderer
from services.responses.handler import Responses
from tests.doors.conftest import serving
from tests.handlers.bench import IDS, LIBRARY_HERE, delivery, item
from tests.rig.intake import Keeping, door, event, sent_as, written
from tests.rig.notices import make, notice_of
from tests.rig.system import fee_outstanding

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(ledger: PostgresLedger) -> AsyncIterator[httpx2.AsyncClient]:
    worker = door(ledger, Keeping(), rate=1e6, burst=1e6)
    async with serving(worker) as url, httpx2.AsyncClient(base_url=url, headers=sent_as()) as opened:
        yield opened


@pytest.mark.parametrize("state", State)
async def test_a_notice_in_any_state_is_shown_with_its_instants(
    client: httpx2.AsyncClient, ledger: PostgresLedger, state: State
) -> None:
    made = await make(ledger, state)
    answer = await client.get(f"/v1/notices/{made.notice_id}")
    assert answer.status_code == 200
    shown = answer.json()
    assert NoticeStatus.model_validate_json(answer.content, strict=True).state == state
    for instant in ("accepted_at", "served_at", "lapsed_at", "unserved_at", "sanctioned_at"):
        stored = getattr(
            made.notice if state is not State.SANCTIONED else await notice_of(ledger, made.notice_id), instant
        )
        assert (shown[instant] and datetime.fromisoformat(shown[instant])) == stored
    void = state in {State.UNSERVED, State.WITHDRAWN}
    assert (shown["deadline"] is None) == (void or made.notice.deadline_version is None)
    assert (shown["sanction"] or {}).get("sanction_id") == (str(made.sanction_id) if made.sanction_id else None)


async def test_what_was_told_is_shown_whole_by_its_sequence_and_each_once(
    client: httpx2.AsyncClient, ledger: PostgresLedger
) -> None:
    renderer = Renderer(LIBRARY_HERE, IDS, batch=10)
    for _ in range(2):  # the second time upstream may have missed the answer: it is told the same again
        await run_batch(ledger, renderer, [item(fee_outstanding("told"))])
    shown = (await client.get("/v1/notices?source_ref=told")).json()
    async with ledger.begin() as tx:
        notice = next(iter((await tx.lock([shown["notice_id"]])).values()))
        writing = Writing.begin(notice, datetime.now(UTC), "bounces")
        place_hold(writing, IDS.uuid7(), HoldKind.MANUAL, "she is ill", "ann")
        await tx.write(writing.finished())
    shown = (await client.get("/v1/notices?source_ref=told")).json()
    told = [(event["sequence"], event["type"], event["source"]) for event in shown["told"]]
    assert told == [("1", "notice.accepted.v1", "duly"), ("2", "hold.placed.v1", "duly")]
    assert [hold["kind"] for hold in shown["holds"]] == ["manual"]
    assert "reason" not in shown["holds"][0]


async def test_the_status_by_reference_says_where_it_is_by_id(
    client: httpx2.AsyncClient, ledger: PostgresLedger
) -> None:
    made = await make(ledger, State.SERVED)
    by_reference = await client.get("/v1/notices", params={"source_ref": made.notice.source_ref})
    by_id = await client.get(f"/v1/notices/{made.notice_id}")
    assert by_reference.content == by_id.content
    assert by_reference.headers["content-location"] == f"/v1/notices/{made.notice_id}"


async def test_who_knows_it_already_is_told_only_that_nothing_changed(
    client: httpx2.AsyncClient, ledger: PostgresLedger
) -> None:
    made = await make(ledger, State.SERVED)
    path = f"/v1/notices/{made.notice_id}"
    tag = (await client.get(path)).headers["etag"]
    again = await client.get(path, headers={"if-none-match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    async with ledger.begin() as tx:
        notice = (await tx.lock([made.notice_id]))[made.notice_id]
        writing = Writing.begin(notice, datetime.now(UTC), "bounces")
        unserve(writing, "mailbox unknown")
        await tx.write(writing.finished())
    changed = await client.get(path, headers={"if-none-match": tag})
    assert (changed.status_code, changed.json()["state"], changed.json()["deadline"]) == (200, "unserved", None)


@pytest.mark.parametrize("source", ["registry", "caseworking"])
async def test_another_sources_notice_is_not_there(
    client: httpx2.AsyncClient, ledger: PostgresLedger, source: str
) -> None:
    made = await make(ledger, State.SERVED)
    paths = [f"/v1/notices/{made.notice_id}", f"/v1/notices?source_ref={made.notice.source_ref}"]
    others = [await client.get(path, headers=sent_as(source)) for path in paths]
    nobodys = await client.get(f"/v1/notices/{uuid4()}", headers=sent_as(source))
    assert [answer.status_code for answer in others] == [404, 404]
    assert {answer.content for answer in others} == {nobodys.content}


async def test_two_sources_may_use_one_reference_and_each_sees_its_own(
    client: httpx2.AsyncClient, ledger: PostgresLedger
) -> None:
    made = {name: await make(ledger, State.SERVED, source=name, source_ref="same") for name in ("fees", "registry")}
    for name, each in made.items():
        shown = await client.get("/v1/notices?source_ref=same", headers=sent_as(name))
        assert shown.json()["notice_id"] == str(each.notice_id)


@pytest.mark.parametrize(
    "path", ["/v1/notices/none", "/v1/notices/%00", "/v1/evidence-roots/today", "/v1/notices?source_ref=%00"]
)
async def test_what_is_no_id_no_reference_and_no_day_is_not_there(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("query", ["", "?source_ref=", "?source_ref=a&source_ref=b", f"?source_ref={'x' * 201}"])
async def test_a_reference_that_can_be_none_is_refused(client: httpx2.AsyncClient, query: str) -> None:
    assert (await client.get(f"/v1/notices{query}")).status_code == 400


async def test_the_root_of_a_day_is_shown_to_every_source(client: httpx2.AsyncClient, ledger: PostgresLedger) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    async with ledger.begin() as tx:
        await tx.store_root(yesterday, b"\7" * 32, [])
    answer = await client.get(f"/v1/evidence-roots/{yesterday}", headers=sent_as("registry"))
    assert answer.status_code == 200
    assert json.loads(answer.content)["root"] == "07" * 32
    assert (await client.get(f"/v1/evidence-roots/{yesterday + timedelta(days=1)}")).status_code == 404


async def test_a_notice_asked_for_and_taken_back_over_http_tells_its_whole_story(ledger: PostgresLedger) -> None:
    broker = Keeping()
    handlers = {
        "notice.requested.v1": Renderer(LIBRARY_HERE, IDS, batch=10),
        "response.received.v1": Responses(LIBRARY_HERE, IDS, patience=timedelta(seconds=1)),
    }
    about = {"source_ref": "story", "reason": "issued in error", "requested_by": "ann"}
    withdrawn = {"type": "withdrawal.requested.v1", "source": "fees", "data": about}
    for said in (fee_outstanding("story"), withdrawn):
        async with serving(door(ledger, broker)) as url, httpx2.AsyncClient(base_url=url, headers=sent_as()) as client:
            assert (await client.post("/v1/events", content=written(event(said)))).status_code == 202
        for message in broker.sent:  # as the workers take them from their queues
            handler = handlers[message.routing_key]
            await run_batch(ledger, handler, items_of(delivery(message.body, message.routing_key), handler.consumer))
        broker.sent.clear()
    async with serving(door(ledger, broker)) as url, httpx2.AsyncClient(base_url=url, headers=sent_as()) as client:
        shown = (await client.get("/v1/notices?source_ref=story")).json()
    assert shown["state"] == "withdrawn"
    assert [each["type"] for each in shown["told"]] == ["notice.accepted.v1", "notice.withdrawn.v1"]
    assert await ledger.pool.fetchval("SELECT state FROM raw_evidence WHERE source_ref = 'story'") == "processed"
