"""The console before people who try what nobody should: odd values, words on record, and looks that no role has."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.kernel.adapters.ids import SystemIds
from services.kernel.domain.notice import State
from services.kernel.domain.persons import same_person, signature
from tests.rig.console import OpenedConsole
from tests.rig.console import console as console  # noqa: PLC0414 -- a fixture
from tests.rig.notices import make

WHY = "looked at with care"
IDS = SystemIds()
REQUEST = "notice.requested.v1"
LISTS = (
    "/overview", "/notices", "/dead-letters", "/dead-letters/runs", "/dead-letters/edits", "/sanctions",
    "/sanctions/batches", "/reversals", "/holds", "/evidence", "/stop", "/search", "/retention", "/audit",
)  # fmt: skip


async def dead(console: OpenedConsole, body: bytes) -> UUID:
    """A dead letter with this body."""
    failed_id = uuid4()
    await console.bench.value(
        "INSERT INTO failed_item (failed_id, worker, state, source, event_id, type, subject, routing_key, "
        "content_type, headers, body, reason, attempts, history, created_at, changed_at) "
        "VALUES ($1, 'renderer', 'dead', 'fees', "
        "$5, $2, $3, $2, 'application/cloudevents+json', '{}', $4, 'no such field', 7, "
        "jsonb_build_array(jsonb_build_object('at', clock_timestamp(), 'error', 'KeyError', 'stack', 'x')), "
        "clock_timestamp(), clock_timestamp()) RETURNING 1",
        failed_id, REQUEST, UUID(int=0), body, str(failed_id),
    )  # fmt: skip
    return failed_id


def request(data: dict[str, Any]) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "1", "source": "fees", "type": REQUEST, "data": data}).encode()


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"end": "x"}
    for _ in range(depth):
        found = {"a": found}
    return found


# --- odd values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dead-letters/list", "/dead-letters/chosen"])
@pytest.mark.parametrize(
    "query",
    ["text=%00", "worker=%00", "cause=a%00b", "template=%00", "type=%00", "since=0001-01-01T00:00:00%2B14:00",
     "since=9999-12-31T23:59:59-14:00", "after=0001-01-01T00:00:00%2B14:00~00000000-0000-0000-0000-000000000000",
     "state=%00", "id=%00", "text=%ff%fe", "text=%ed%a0%80"],
)  # fmt: skip
async def test_an_odd_choice_is_no_fault_of_ours(console: OpenedConsole, path: str, query: str) -> None:
    await dead(console, b"{}")
    operator = await console.officer("operator")
    assert (await operator.get(f"{path}?{query}")).status_code in {200, 404}


@pytest.mark.parametrize(
    "query",
    ["q=%00", "person=%00", "before=-1", "before=99999999999999999999", "notice=%00", "reason=%00", "state=%00",
     "kind=%00", "show=%00", "door=%00", "span=%00", "after=-1", "after=99999999999", "outcome=%00", "pause=%00"],
)  # fmt: skip
async def test_no_query_breaks_a_page(console: OpenedConsole, query: str) -> None:
    everybody = await console.officer("operator", "caseworker", "decision_maker", "admin")
    for path in LISTS:
        assert (await everybody.get(f"{path}?{query}")).status_code in {200, 404}, path


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"[]", b"null", b"{}", b'{"data": []}', request(nested(450)), request({"values": {"a.b": "x"}}),
     request({"values": "x"}), request({"values": {"": "x", "a": {"": "y"}}})],
    ids=["bytes", "list", "null", "empty", "no object", "deep", "dotted", "text", "nameless"],
)  # fmt: skip
async def test_an_edit_of_whatever_came_is_no_fault_of_ours(console: OpenedConsole, body: bytes) -> None:
    failed_id = await dead(console, body)
    operator = await console.officer("operator")
    path = f"/dead-letters/{failed_id}"
    assert (await operator.get(path)).status_code == 200
    assert (await operator.get(f"{path}/edit")).status_code == 200
    assert (await operator.get(f"{path}/edit?whole=1")).status_code == 200
    for fields in ({}, {"raw": "1"}, {"whole": "1", "body": "[" * 5000}, {"field:values.a.b": "y"}):
        answer = await operator.post(f"{path}/edit", reason=WHY, **fields)
        assert answer.status_code in {303, 422}, fields


# --- who may look at what ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["reader", "admin"])
async def test_who_may_not_read_messages_does_not_find_out_by_searching_what_they_say(
    console: OpenedConsole, role: str
) -> None:
    await dead(console, request({"address": "owner@secret.example"}))
    reader = await console.officer(role)
    for path in ("/dead-letters/list", "/dead-letters/chosen"):
        answers = [(await reader.get(f"{path}?text={text}")).text for text in ("owner@secret", "owner@secrex")]
        assert answers[0].replace("secret", "") == answers[1].replace("secrex", "")
    assert (await console.record(allowed=False))[-1]["act"] == "read_message"
    operator = await console.officer("operator")
    assert "no such field" in (await operator.get("/dead-letters/list?text=owner@secret")).text


async def test_nothing_in_a_message_turns_round_what_its_approver_reads(console: OpenedConsole) -> None:
    values = {"business_name": "Harbour", "fee_amount": "300.00"}
    failed_id = await dead(console, request({"values": values}))
    whole = request({"values": {**values, "business_name": "Harbour\u202e00.9\u2066\u00a0"}})
    edit_id = uuid4()
    await console.bench.value(
        "INSERT INTO failed_item_edit (edit_id, failed_id, state, raw, body_before, body, content_type, headers, "
        "item_changed_at, proposed_by, proposed_at, reason) SELECT $1, failed_id, 'proposed', false, body, $3, "
        "content_type, headers, changed_at, 'Ann [a]', changed_at, 'why' FROM failed_item WHERE failed_id = $2 "
        "RETURNING 1",
        edit_id, failed_id, json.dumps(json.loads(whole), ensure_ascii=False).encode(),
    )  # fmt: skip
    page = (await (await console.officer("operator")).get(f"/dead-letters/edits/{edit_id}")).text
    assert not {"\u202e", "\u2066"} & set(page)
    assert page.count("Harbour\\u202e00.9\\u2066\\u00a0") == 2


# --- what is on record ------------------------------------------------------------------------------------------------


async def test_an_act_that_the_law_refuses_is_on_record_as_refused(console: OpenedConsole) -> None:
    made = await make(console.bench.ledger, State.LAPSED, automatic=False)
    dora = await console.officer("decision_maker", person="dora")
    for act in ("decide", "approve"):
        assert (await dora.post(f"/sanctions/{made.sanction_id}/{act}", reason=WHY)).status_code == 303
    refused = await console.record(allowed=False)
    assert [(row["person"], row["act"]) for row in refused] == [("dora", "approve")]
    assert "may not approve too" in refused[0]["detail"]


async def test_an_edit_that_is_refused_is_on_record_as_refused(console: OpenedConsole) -> None:
    failed_id = await dead(console, request({"values": {"a": "x"}}))
    operator = await console.officer("operator")
    answer = await operator.post(f"/dead-letters/{failed_id}/edit", reason="", whole="1", body="{}")
    assert answer.status_code == 422
    assert [row["act"] for row in await console.record(allowed=False)] == ["mend"]


# --- who is who -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["a]b", "a[b", "[a]", "x] [y", "a [b]"])
@pytest.mark.parametrize("name", ["Ann", "Ann [x]", "Ann [y", "] [", "Ann [a [b]]"])
def test_no_bracket_in_a_name_or_an_id_makes_two_persons_of_one(person: str, name: str) -> None:
    assert same_person(signature(name, person), signature("Theodora", person))
    assert not same_person(signature(name, person), signature(name, "someone-else"))


@pytest.mark.parametrize("typed", ["Ann Price [A7C1]", "Ann [a7c1\u200b]", "Annie [\uff41\uff17\uff43\uff11]"])
def test_an_id_typed_in_another_way_is_the_same_id(typed: str) -> None:
    assert same_person(signature("Ann Price", "a7c1"), typed)


# --- where an act leads -----------------------------------------------------------------------------------------------


async def test_an_act_on_a_page_of_items_leads_back_to_them(console: OpenedConsole) -> None:
    operator = await console.officer("operator")
    ids = [str(uuid4()) for _ in range(50)]
    answer = await operator.client.post(
        "/dead-letters/discard", data={"csrf": operator.csrf, "reason": WHY, "id": ids, "state": "all"}
    )
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/dead-letters/chosen?id=" + ids[0])
    assert answer.headers["location"].count("id=") == 50


# --- lists that say what they show ------------------------------------------------------------------------------------


async def test_a_filter_finds_a_hold_however_many_others_are_older(console: OpenedConsole) -> None:
    made = await make(console.bench.ledger, State.LAPSED)
    query = (
        "INSERT INTO hold (hold_id, notice_id, kind, reason, placed_by, placed_at) SELECT gen_random_uuid(), $1, $2, "
        "$3, 'duly', legal_now() FROM generate_series(1, $4::integer) RETURNING 1"
    )
    await console.bench.value(query, made.notice_id, "delivery_doubt", "old", 501)
    await console.bench.value(query, made.notice_id, "objection", "the one that is looked for", 1)
    cara = await console.officer("caseworker")
    page = (await cara.get("/holds?kind=objection")).text
    assert made.notice.source_ref in page
    assert "501" in page
