"""Dead letters against those who mean ill: what is locked stays locked, and nothing that comes is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.kernel.domain.persons import same_person
from services.kernel.ports import Delivery
from services.kernel.runtime.batch import failure_of
from services.kernel.runtime.dead_letters import acts, edits
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.records import Kind
from services.kernel.runtime.decision import dead
from services.kernel.runtime.fault import Fault
from services.kernel.runtime.items import ATTEMPTS, FAILED_ID, REHEARSAL, REPLAYED, items_of
from services.relay.casualties import Casualties
from tests.handlers.bench import IDS, Bench, delivery
from tests.handlers.dead_letter_bench import LEWIS, MOORE, Letters, letters_on
from tests.handlers.test_batches import break_at
from tests.handlers.test_relay_rounds import look, ripe
from tests.rig.system import fee_outstanding, paid

REQUESTED, SATISFIED = "notice.requested.v1", "obligation.satisfied.v1"


@pytest.fixture
async def letters(bench: Bench) -> AsyncIterator[Letters]:
    async with letters_on(bench) as made:
        yield made


# --- what is locked ---------------------------------------------------------------------------------------------------


def request_of(**changes: Any) -> dict[str, Any]:
    asked = {"specversion": "1.0", "id": "e-1", **fee_outstanding("n")}
    return {**asked, "data": {**asked["data"], **changes}}


def test_a_name_with_a_dot_hides_no_change_of_a_locked_field() -> None:
    before = request_of()
    after = {**request_of(matter="another"), "data.matter": before["data"].get("matter")}
    found = edits.diff(json.dumps(before).encode(), json.dumps(after).encode(), REQUESTED)
    assert any(each.locked and each.path == "data.matter" and each.after == '"another"' for each in found), found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"period": {"days": 20}}, {"period": ["days"]}), ({"matter": ["x"]}, {"matter": {"0": "x"}}),
        ({"matter": 1}, {"matter": 1.0}), ({"matter": "1"}, {"matter": 1}),
        ({"matter": "e\u0301"}, {"matter": "\u00e9"}),
        ({"period": {}}, {}), ({}, {"matter": None}),
        ({"period": {"days": 20, "reason": "r"}}, {"period": {"days": 20.5}}),
    ],
)  # fmt: skip
def test_another_form_of_a_locked_value_is_a_change_of_it(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = edits.diff(json.dumps({"data": before}).encode(), json.dumps({"data": after}).encode(), REQUESTED)
    assert any(each.locked for each in found), found


async def test_an_edit_that_says_one_thing_twice_is_refused(letters: Letters) -> None:
    [failed_id] = await letters.die(request_of())
    twice = json.dumps(request_of(language="cy")).replace('"language"', '"language": "en", "language"').encode()
    with pytest.raises(Fault, match="language stands twice"):
        await edits.propose(letters.desk, IDS, failed_id, twice, LEWIS)


async def test_a_body_that_can_be_read_is_checked_whatever_it_is_proposed_as(letters: Letters) -> None:
    failed_id = await torn(letters)
    for body in (json.dumps({**request_of(), "source": "elsewhere"}).encode(), json.dumps(request_of()).encode()):
        with pytest.raises(Fault, match="can be read, so that"):
            await edits.propose(letters.desk, IDS, failed_id, body, LEWIS, raw=True)
    assert (await edits.propose(letters.desk, IDS, failed_id, b"torn still", LEWIS, raw=True)).raw


async def torn(letters: Letters) -> UUID:
    [failed_id] = await letters.die(request_of(), reason="not JSON")
    query = "UPDATE failed_item SET body = 'torn', event_id = 'sha256:x' WHERE failed_id = $1 RETURNING failed_id"
    found: UUID = await letters.bench.value(query, failed_id)
    return found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("A. Lewis", "A.  Lewis ", True), ("A. Lewis", "A.\u00a0Lewis", True), ("A. Lewis", "A. Lew\u200bis", True),
        ("Zo\u00eb", "Zoe\u0308", True), ("\uff21. Lewis", "A. Lewis", True), ("Ann Price [a7c1]", "a7c1", True),
        ("a7c1", "Ann Price [a7c1]", True), ("Ann Price [a7c1]", "Ann Price [b2]", False),
        ("\u200b", "A. Lewis", True), ("A. Lewis", "B. Moore", False),
    ],
)  # fmt: skip
def test_a_person_is_the_same_however_the_name_is_written(one: str, other: str, same: bool) -> None:
    assert same_person(one, other) is same


# --- headers that anybody may make up ---------------------------------------------------------------------------------


def evidence(failed_id: UUID, run_id: UUID | None = None, **headers: str) -> Delivery:
    """A payment that an upstream reports, with headers that only Duly should send."""
    told = json.dumps({"specversion": "1.0", "id": str(uuid4()), **paid("n")}).encode()
    marks = {FAILED_ID: str(failed_id), **({} if run_id is None else {REHEARSAL: str(run_id)}), **headers}
    return delivery(told, SATISFIED, marks)


STORED = "SELECT count(*) FROM raw_evidence WHERE type = 'obligation.satisfied.v1' AND state = 'waiting'"


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("ended", [False, True])
async def test_evidence_with_the_headers_of_a_run_is_stored_all_the_same(
    letters: Letters, kind: Kind, *, ended: bool
) -> None:
    [failed_id] = await letters.die({"id": "e-0", **paid("m")}, worker="intake")
    run = await letters.begin(kind)
    handed = await letters.hand_out()
    if ended:
        await letters.work(handed)
        await letters.hand_out()
    before = await letters.bench.value(STORED)
    mark = {} if kind is Kind.REHEARSAL else {REPLAYED: f"1 {run.run_id}"}
    forged = evidence(failed_id, run.run_id if kind is Kind.REHEARSAL else None, **mark)
    await letters.work([forged])
    assert await letters.bench.value(STORED) == before + 1
    assert await letters.bench.value("SELECT count(*) FROM replay_item WHERE ended_at IS NULL") == (0 if ended else 1)


async def test_what_fails_under_anothers_name_is_kept_under_its_own(letters: Letters) -> None:
    [failed_id] = await letters.die(fee_outstanding("n"))
    faulty = json.dumps({"specversion": "1.0", "id": "mine", **fee_outstanding("x"), "data": {}}).encode()
    for named, marks in ((failed_id, {}), (IDS.uuid7(), {}), (IDS.uuid7(), {REPLAYED: f"1 {IDS.uuid7()}"})):
        await letters.work([delivery(faulty, REQUESTED, {FAILED_ID: str(named), **marks})])
    kept = await letters.bench.ledger.pool.fetch("SELECT event_id, attempts FROM failed_item ORDER BY created_at")
    assert [tuple(row)[1] for row in kept] == [7, 3]
    assert kept[1]["event_id"] == "mine"


async def test_a_made_up_number_of_attempts_breaks_no_worker(letters: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    break_at(monkeypatch, "n", RuntimeError())
    event = json.dumps({"specversion": "1.0", "id": "e-1", **fee_outstanding("n")}).encode()
    marks = {FAILED_ID: str(IDS.uuid7()), ATTEMPTS: "-100"}
    await letters.work([delivery(event, REQUESTED, marks)])
    assert await letters.bench.value("SELECT state FROM failed_item WHERE event_id = 'e-1'") == "retry"


async def test_a_message_that_names_anothers_dead_letter_leaves_no_mark_on_it(letters: Letters) -> None:
    [failed_id] = await letters.die({"id": "e-0", **paid("m")}, worker="intake")
    await letters.work([replace(evidence(failed_id), redelivered=True)])
    assert await letters.bench.value("SELECT begun FROM failed_item WHERE failed_id = $1", failed_id) == 0
    assert await letters.state(failed_id) == "dead"


async def test_what_killed_its_workers_under_anothers_name_is_kept_and_holds(letters: Letters) -> None:
    [failed_id] = await letters.die({"id": "e-0", **paid("m")}, worker="intake")
    run = await letters.begin(Kind.REHEARSAL)
    await letters.hand_out()
    casualties = Casualties(letters.bench.ledger, letters.broker)  # type: ignore[arg-type]
    await casualties._keep(evidence(failed_id, run.run_id))
    held = "SELECT count(*) FROM failed_item WHERE worker = 'intake' AND state IN ('dead', 'retry')"
    assert await letters.bench.value(held) == 2


async def test_a_worker_that_knows_no_rehearsals_does_nothing_in_earnest(letters: Letters) -> None:
    [failed_id] = await letters.die(fee_outstanding("n"))
    await letters.begin(Kind.REHEARSAL)
    [asked] = await letters.hand_out()
    older = replace(asked, headers={name: value for name, value in asked.headers.items() if name != REHEARSAL})
    await letters.bench.run(letters.bench.renderer, items_of(older, "renderer"))
    assert await letters.bench.value("SELECT count(*) FROM notice") == 0
    assert await letters.state(failed_id) == "dead"


# --- edits and what is still under way --------------------------------------------------------------------------------


async def test_a_retry_still_under_way_is_not_done_once_an_edit_has_replaced_it(letters: Letters) -> None:
    event = request_of(address="old@example.org")
    [failed_id] = await letters.die(event)
    under_way = delivery(json.dumps(event).encode(), REQUESTED, {FAILED_ID: str(failed_id), ATTEMPTS: "1"})
    edit = await edits.propose(
        letters.desk, IDS, failed_id, json.dumps(request_of(address="new@example.org")).encode(), LEWIS
    )
    run = await edits.approve(letters.desk, IDS, edit.edit_id, MOORE)
    await letters.work([under_way])
    assert await letters.bench.value("SELECT count(*) FROM notice") == 0
    assert (await letters.drive(run)).outcomes == {"done": 1}
    assert await letters.bench.value("SELECT address FROM notice") == "new@example.org"


# --- what is given up, and what never ends ----------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "waits"), [("fees", ["source_blocked"]), ("unknown", ["source_blocked"])])
async def test_giving_up_what_the_door_could_not_store_frees_no_sanction(
    letters: Letters, source: str, waits: list[str]
) -> None:
    notice_id = await ripe(letters.bench)
    [failed_id] = await letters.die({"id": "e-0", **paid("m"), "source": source}, worker="intake")
    assert await look(letters.bench, notice_id) == ["evidence_waiting"]
    for act in (acts.discard, acts.restore, acts.discard):
        assert await act(letters.desk, IDS, Chosen(ids=(failed_id,)), LEWIS) == 1
        assert await look(letters.bench, notice_id) == waits
    assert await letters.bench.state(notice_id) == "lapsed"
    assert await letters.bench.value("SELECT count(*) FROM raw_evidence") == 1


async def test_what_was_given_up_and_restored_frees_its_source_once_it_is_stored(letters: Letters) -> None:
    [failed_id] = await letters.die({"id": "e-0", **paid("m")}, worker="intake")
    for act in (acts.discard, acts.restore):
        await act(letters.desk, IDS, Chosen(ids=(failed_id,)), LEWIS)
    assert (await letters.drive(await letters.begin())).outcomes == {"done": 1}
    states = await letters.bench.column("SELECT type || ' ' || state FROM raw_evidence ORDER BY type")
    assert states == ["obligation.satisfied.v1 waiting", "undecodable cleared"]


async def test_a_message_that_comes_for_ever_grows_no_history_for_ever(letters: Letters) -> None:
    [failed_id] = await letters.die(fee_outstanding("n"))
    one = "jsonb_build_object('at', clock_timestamp(), 'error', n::text, 'stack', '')"
    many = f"SELECT jsonb_agg({one}) FROM generate_series(1, 200) n"
    await letters.bench.value(f"UPDATE failed_item SET history = ({many}) RETURNING 1")
    again = await letters.bench.again(failed_id)
    for failed in (failed_id, None):
        failure = failure_of(replace(again, failed_id=failed), dead("once more"))
        assert failure is not None
        async with letters.bench.ledger.begin() as tx:
            await tx.finish("renderer", [], [failure])
    kept = json.loads(await letters.bench.value("SELECT history::text FROM failed_item"))
    assert (len(kept), kept[0]["error"], kept[99]["error"], kept[-3]["error"]) == (200, "1", "100", "200")
    assert await letters.bench.value("SELECT attempts FROM failed_item") == 9


@pytest.mark.parametrize("closed", ["discarded", "resolved"])
async def test_what_comes_anew_after_it_was_given_up_and_fails_is_kept(
    letters: Letters, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    event = request_of()
    [failed_id] = await letters.die(event)
    erased = "UPDATE failed_item SET state = $1, body = '', erased_at = now(), body_sha256 = '\\x00' RETURNING 1"
    await letters.bench.value(erased, closed)
    body = json.dumps(event).encode()
    with monkeypatch.context() as broken:
        break_at(broken, "n", RuntimeError())
        await letters.work([delivery(body, REQUESTED)])
    assert await letters.state(failed_id) == "retry"
    assert await letters.bench.value("SELECT body FROM failed_item WHERE erased_at IS NULL") == body
    await letters.bench.run(letters.bench.renderer, [await letters.bench.again(failed_id)])
    assert await letters.bench.value("SELECT count(*) FROM notice") == 1
    assert await letters.state(failed_id) == "resolved"
