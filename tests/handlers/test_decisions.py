"""What persons decide about proposed sanctions, and the gate that alone lets them fire: declines, batches, brakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from schemas.messages.hops import DeadlinePassedV1, PassedDeadline
from services.kernel.adapters.postgres.desk import PostgresDesk, open_desk
from services.kernel.domain.changes import EvidenceStored, MarkCommitted
from services.kernel.domain.gate import Block, Fire, Wait, gate
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import State
from services.kernel.domain.proof import check_notice
from services.kernel.runtime.desk import Word, place_hold
from services.kernel.runtime.desk_brakes import judge_sampled, make_batch, reject_batch, release_batch
from services.kernel.runtime.desk_evidence import match_evidence
from services.kernel.runtime.desk_sanctions import approve, decide, decline
from services.kernel.runtime.fault import Fault
from services.sanctions.handler import Sanctions
from tests.handlers.bench import IDS, LIBRARY_HERE, Bench, hop
from tests.rig.notices import KIND, Made, make, notice_of

ALICE = Word("Alice Green", "not proportionate")
BOB = Word("Bob Brown", "looked at the sample")
CAROL = Word("Carol White", "an incident with the fee records")
FEE = ("aml-supervision", "fee-outstanding")
DISCRETIONARY = replace(
    LIBRARY_HERE,
    notice_types=MappingProxyType(
        {**LIBRARY_HERE.notice_types, FEE: replace(LIBRARY_HERE.notice_types[FEE], sanction_automatic=False)}
    ),
)


class House:
    """The bench, a desk beside it, and two gates: one of an automatic kind, one of a discretionary."""

    def __init__(self, bench: Bench, desk: PostgresDesk, url: str) -> None:
        self.bench, self.desk, self.url = bench, desk, url
        self.strict = Sanctions(DISCRETIONARY, IDS)

    async def lapsed(self, count: int = 1, *, automatic: bool = True) -> list[Made]:
        """Notices whose sanction only a person could still stop."""
        made = [await make(self.bench.ledger, State.LAPSED, automatic=automatic) for _ in range(count)]
        await self.bench.write(MarkCommitted(IDS.uuid7(), datetime.now(UTC)))
        return made

    async def look(self, *made: Made, handler: Sanctions | None = None) -> None:
        """The gate looks at each."""
        for one in made:
            passed = DeadlinePassedV1(deadlines=(PassedDeadline(notice_id=one.notice_id, version=1),))
            await self.bench.run(handler or self.bench.sanctions, hop("deadline.passed.v1", passed, "sanctions"))

    async def held(self, count: int) -> list[Made]:
        """Notices that the switch alone holds."""
        await self.switch(stopped=True)
        made = await self.lapsed(count)
        await self.look(*made)
        assert await self.states(made) == ["lapsed"] * count
        return made

    async def switch(self, *, stopped: bool, said: Word = CAROL) -> None:
        async with self.desk.begin() as tx:
            await tx.stop_kind(KIND, said, stopped=stopped)

    async def states(self, made: Sequence[Made]) -> list[str]:
        return [await self.bench.state(one.notice_id) for one in made]

    async def batch(self) -> UUID:
        return (await make_batch(self.desk, IDS, KIND, CAROL)).batch_id

    async def judged(self) -> UUID:
        """A batch whose whole sample was judged right."""
        batch_id = await self.batch()
        for row in await self.desk.batch_items(batch_id, sampled=True):
            await judge_sampled(self.desk, batch_id, int(str(row["number"])), "right", BOB)
        return batch_id

    async def facts(self, made: Made) -> list[tuple[str, dict[str, Any]]]:
        """The evidence of one notice, which is sound."""
        notice = await notice_of(self.bench.ledger, made.notice_id)
        chain = (await self.desk.chains([made.notice_id]))[made.notice_id]
        assert check_notice(chain, notice.chain_head, notice.state) == []
        return [(fact.kind, dict(fact.data)) for fact in chain]

    async def told(self, made: Made) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.bench.ledger.pool.fetch(
            "SELECT type, body FROM outbox WHERE notice_id = $1 ORDER BY outbox_id", made.notice_id
        )
        return [(row["type"], json.loads(row["body"])["data"]) for row in rows]

    async def until_blocked(self, count: int = 1) -> None:
        """Until so many transactions wait for a lock."""
        async with asyncio.timeout(20):
            while count > await self.bench.value(  # noqa: ASYNC110 -- another connection's wait: nothing tells of it
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ):
                await asyncio.sleep(0.01)


@pytest.fixture
async def house(bench: Bench, trial_database_url: str) -> AsyncIterator[House]:
    async with open_desk(trial_database_url, IDS) as desk:
        yield House(bench, desk, trial_database_url)


# --- declining one ----------------------------------------------------------------------------------------------------


async def test_declined_sanction_is_dropped_and_the_notice_closed_with_who_and_why(house: House) -> None:
    [made] = await house.lapsed(automatic=False)
    assert made.sanction_id
    await decline(house.desk, made.sanction_id, ALICE)
    await house.look(made, handler=house.strict)
    assert await house.states([made]) == ["closed"]
    *_, declined, closed = await house.facts(made)
    assert declined == (
        "sanction.declined",
        {"sanction_id": str(made.sanction_id), "sanction": KIND, "declined_by": ALICE.by, "reason": ALICE.reason},
    )
    assert closed[1]["reason"].startswith("declined by Alice Green: not proportionate")
    told = await house.told(made)
    assert [kind for kind, _ in told] == ["sanction.declined.v1", "notice.closed.v1"]
    assert (told[0][1]["declined_by"], told[0][1]["reason"]) == (ALICE.by, ALICE.reason)
    [row] = await house.desk.sanctions(state="dropped", kind=None, most=9)
    assert (row["word"], row["word_by"]) == ("decline", ALICE.by)


async def test_sanction_may_be_declined_after_two_people_agreed_to_it_and_nobody_decides_it_again(house: House) -> None:
    [made] = await house.lapsed(automatic=False)
    assert made.sanction_id
    await decide(house.desk, made.sanction_id, BOB)
    await approve(house.desk, made.sanction_id, CAROL)
    await decline(house.desk, made.sanction_id, ALICE)
    for act in (decide, approve, decline):
        with pytest.raises(Fault, match="Alice Green has declined it already"):
            await act(house.desk, made.sanction_id, BOB)
    await house.look(made, handler=house.strict)
    assert await house.states([made]) == ["closed"]
    with pytest.raises(Fault, match="the sanction is dropped"):
        await decline(house.desk, made.sanction_id, BOB)


async def test_automatic_sanction_and_one_that_is_not_there_are_not_declined(house: House) -> None:
    [made] = await house.lapsed()
    assert made.sanction_id
    with pytest.raises(Fault, match="the gate alone decides"):
        await decline(house.desk, made.sanction_id, ALICE)
    with pytest.raises(Fault, match="there is no sanction"):
        await decline(house.desk, uuid4(), ALICE)


async def test_reason_as_long_as_reasons_may_be_closes_the_notice_all_the_same(house: House) -> None:
    [made] = await house.lapsed(automatic=False)
    assert made.sanction_id
    await decline(house.desk, made.sanction_id, Word("A" * 200, "x" * 1000))
    await house.look(made, handler=house.strict)
    assert await house.states([made]) == ["closed"]
    assert await house.bench.value("SELECT count(*) FROM failed_item") == 0


async def test_decline_while_the_gate_fires_waits_for_the_notice_and_then_finds_it_fired(house: House) -> None:
    [made] = await house.lapsed(automatic=False)
    assert made.sanction_id
    async with AsyncExitStack() as stack:
        tx = await stack.enter_async_context(house.bench.ledger.begin())
        await tx.lock([made.notice_id])  # the gate has the notice
        declining = asyncio.create_task(decline(house.desk, made.sanction_id, ALICE))
        await house.until_blocked()
        await tx._connection.execute(  # type: ignore[attr-defined]
            "UPDATE sanction SET state = 'fired', fired_at = now() WHERE sanction_id = $1", made.sanction_id
        )
    with pytest.raises(Fault, match="the sanction is fired: nothing is left to decide"):
        await declining
    assert await house.bench.value("SELECT count(*) FROM sanction_word") == 0


async def test_gate_that_waits_for_a_decline_under_way_finds_it(house: House) -> None:
    [made] = await house.lapsed(automatic=False)
    assert made.sanction_id
    await decide(house.desk, made.sanction_id, BOB)
    await approve(house.desk, made.sanction_id, CAROL)
    async with house.desk.begin() as tx:
        await tx.lock([made.notice_id])
        firing = asyncio.create_task(house.look(made, handler=house.strict))
        await house.until_blocked()
        await tx.decline_sanction(made.sanction_id, ALICE)
    await firing
    assert await house.states([made]) == ["closed"]


async def test_the_database_itself_lets_no_declined_sanction_fire(house: House) -> None:
    """As a worker would try that does not know of declining."""
    [made] = await house.lapsed(automatic=False)
    assert made.sanction_id
    await decline(house.desk, made.sanction_id, ALICE)
    with pytest.raises(asyncpg.CheckViolationError, match="it was declined"):
        await house.bench.value(
            "UPDATE sanction SET state = 'fired', fired_at = now() WHERE sanction_id = $1", made.sanction_id
        )


# --- batches ----------------------------------------------------------------------------------------------------------


async def test_batch_takes_what_the_brake_alone_holds(house: House) -> None:
    held = await house.held(3)
    waiting = await make(house.bench.ledger, State.LAPSED)
    await place_hold(house.desk, IDS, waiting.notice_id, HoldKind.MANUAL, ALICE)
    await house.look(waiting)
    done = await make_batch(house.desk, IDS, KIND, CAROL)
    assert (done.count, done.drawn) == (3, 3)
    rows = await house.desk.batch_items(done.batch_id, sampled=False)
    assert {row["sanction_id"] for row in rows} == {one.sanction_id for one in held}
    [batch] = await house.desk.batches(state="open", most=9)
    assert (batch["total"], batch["sampled"], batch["judged"], batch["made_by"]) == (3, 3, 0, CAROL.by)


async def test_one_batch_of_a_kind_is_open_at_a_time_and_none_is_made_of_nothing(house: House) -> None:
    await house.switch(stopped=True)
    with pytest.raises(Fault, match="held by the brake alone"):
        await house.batch()
    await house.held(1)
    batch_id = await house.batch()
    with pytest.raises(Fault, match=f"batch {batch_id} of {KIND} is open"):
        await house.batch()
    await reject_batch(house.desk, batch_id, BOB)


async def test_two_people_who_make_a_batch_at_once_make_one(house: House) -> None:
    await house.held(2)
    async with open_desk(house.url, IDS) as other:
        done = await asyncio.gather(
            make_batch(house.desk, IDS, KIND, ALICE), make_batch(other, IDS, KIND, BOB), return_exceptions=True
        )
    assert sorted(type(one).__name__ for one in done) == ["BatchDone", "Fault"]


async def test_batch_is_released_only_when_its_whole_sample_was_judged_right(house: House) -> None:
    await house.held(6)
    batch_id = await house.batch()
    first, *rest = [int(str(row["number"])) for row in await house.desk.batch_items(batch_id, sampled=True)]
    assert len(rest) == 4
    for number in rest:
        await judge_sampled(house.desk, batch_id, number, "right", BOB)
    with pytest.raises(Fault, match=f"1 of the 5 sampled cases are not judged: {first}"):
        await release_batch(house.desk, batch_id, BOB)
    await judge_sampled(house.desk, batch_id, first, "wrong", Word("Bob Brown", "the fee was paid"))
    with pytest.raises(Fault, match=f"sampled as wrong: {first}"):
        await release_batch(house.desk, batch_id, BOB)
    await judge_sampled(house.desk, batch_id, first, "right", Word("Alice Green", "that payment was another's"))
    assert (await release_batch(house.desk, batch_id, BOB)).count == 6
    notes = [row["note"] for row in await house.desk.judgements(batch_id, first)]
    assert notes == ["the fee was paid", "that payment was another's"]


async def test_only_what_was_drawn_is_judged_and_only_while_the_batch_is_open(house: House) -> None:
    await house.held(6)
    batch_id = await house.judged()
    rows = await house.desk.batch_items(batch_id, sampled=False)
    (left,) = [int(str(row["number"])) for row in rows if not row["sampled"]]
    for number in (left, 0, 99):
        with pytest.raises(Fault, match="is not in the sample"):
            await judge_sampled(house.desk, batch_id, number, "right", BOB)
    await release_batch(house.desk, batch_id, BOB)
    with pytest.raises(Fault, match="Bob Brown has released this batch already"):
        await judge_sampled(house.desk, batch_id, 1, "wrong", ALICE)
    with pytest.raises(Fault, match="there is no batch"):
        await reject_batch(house.desk, uuid4(), BOB)


async def test_released_ones_fire_past_the_switch_and_say_who_released_them(house: House) -> None:
    made = await house.held(2)
    batch_id = await house.judged()
    await release_batch(house.desk, batch_id, BOB)
    later = await house.lapsed()
    await house.look(*made, *later)
    assert await house.states([*made, *later]) == ["sanctioned", "sanctioned", "lapsed"]
    fired = (await house.facts(made[0]))[-1]
    assert fired[0] == "sanction.fired"
    assert fired[1] == {
        "sanction_id": str(made[0].sanction_id), "sanction": KIND, "released_by": BOB.by, "release_reason": BOB.reason,
        "brake_batch": str(batch_id),
    }  # fmt: skip


async def test_release_goes_past_the_cap_too_and_one_that_nobody_released_names_nobody(house: House) -> None:
    async with house.desk.begin() as tx:
        await tx.cap_kind(KIND, 0, CAROL)
    made = await house.lapsed(2)
    await house.look(*made)
    await release_batch(house.desk, await house.judged(), BOB)
    await house.look(*made)
    assert await house.states(made) == ["sanctioned", "sanctioned"]
    async with house.desk.begin() as tx:
        await tx.cap_kind(KIND, None, CAROL)
    [free] = await house.lapsed()
    await house.look(free)
    assert (await house.facts(free))[-1][1] == {"sanction_id": str(free.sanction_id), "sanction": KIND}


async def test_release_wakes_the_gate_for_every_notice_of_the_batch(house: House) -> None:
    await house.held(3)
    await release_batch(house.desk, await house.judged(), BOB)
    due = await house.bench.value("SELECT count(*) FROM gate_wait WHERE look_again_at <= legal_now()")
    assert due == 3


async def test_whoever_throws_the_switch_again_stops_the_released_ones_too(house: House) -> None:
    made = await house.held(2)
    await release_batch(house.desk, await house.judged(), BOB)
    await house.switch(stopped=True)  # it was on all the time
    await house.look(*made)
    assert await house.states(made) == ["lapsed", "lapsed"]
    await release_batch(house.desk, await house.judged(), BOB)
    await house.look(*made)
    assert await house.states(made) == ["sanctioned", "sanctioned"]


async def test_cap_set_after_a_release_leaves_the_release_as_it_is(house: House) -> None:
    made = await house.held(1)
    await release_batch(house.desk, await house.judged(), BOB)
    async with house.desk.begin() as tx:
        await tx.cap_kind(KIND, 0, CAROL)
    await house.look(*made)
    assert await house.states(made) == ["sanctioned"]


async def test_stop_that_waits_for_a_release_under_way_still_comes_after_it(house: House) -> None:
    """The order is that of the brake's lock, not of the clocks that were read before it was waited for."""
    made = await house.held(1)
    batch_id = await house.judged()
    async with open_desk(house.url, IDS) as other:

        async def stop() -> None:
            async with other.begin() as tx:
                await tx.stop_kind(KIND, CAROL, stopped=True)

        async with house.desk.begin() as tx:
            await tx.lock_brake(KIND)
            stopping = asyncio.create_task(stop())
            await house.until_blocked()
            await tx.say_of_batch(batch_id, "release", BOB)
            await tx.end_batch(batch_id, "released", BOB)
        await stopping
    await house.look(*made)
    assert await house.states(made) == ["lapsed"]


async def test_two_people_who_release_at_once_release_once(house: House) -> None:
    made = await house.held(3)
    batch_id = await house.judged()
    async with open_desk(house.url, IDS) as other:
        done = await asyncio.gather(
            release_batch(house.desk, batch_id, ALICE), release_batch(other, batch_id, BOB), return_exceptions=True
        )
    [fault] = [one for one in done if isinstance(one, Fault)]
    assert "has released this batch already" in fault.what
    words = await house.bench.column("SELECT DISTINCT said_by FROM sanction_word")
    assert len(words) == 1
    assert words[0] in fault.what
    await house.look(*made)
    assert await house.states(made) == ["sanctioned"] * 3


async def test_what_changed_since_the_batch_was_made_is_the_gates_matter(house: House) -> None:
    """A hold placed meanwhile holds, what was released besides fires."""
    held, free = await house.held(2)
    batch_id = await house.judged()
    await place_hold(house.desk, IDS, held.notice_id, HoldKind.CONTESTED, ALICE)
    await release_batch(house.desk, batch_id, BOB)
    await house.look(held, free)
    assert await house.states([held, free]) == ["lapsed", "sanctioned"]
    assert await house.bench.column("SELECT waiting_for FROM gate_wait") == [["hold_open"]]


async def test_what_fired_before_the_release_gets_no_word(house: House) -> None:
    one, other = await house.held(2)
    batch_id = await house.judged()
    await house.switch(stopped=False)
    await house.look(one)
    assert (await release_batch(house.desk, batch_id, BOB)).count == 1
    assert await house.bench.column("SELECT sanction_id FROM sanction_word") == [other.sanction_id]


async def test_rejected_batch_closes_its_notices_by_name_and_leaves_the_others(house: House) -> None:
    made = await house.held(2)
    batch_id = await house.batch()
    assert (await reject_batch(house.desk, batch_id, ALICE)).count == 2
    [later] = await house.lapsed()
    await house.look(*made, later)
    assert await house.states([*made, later]) == ["closed", "closed", "lapsed"]
    declined = (await house.facts(made[0]))[-2]
    assert declined[0] == "sanction.declined"
    assert (declined[1]["declined_by"], declined[1]["brake_batch"]) == (ALICE.by, str(batch_id))
    [row] = await house.desk.batches(state="rejected", most=9)
    assert (row["dropped"], row["proposed"], row["decided_by"]) == (2, 0, ALICE.by)


async def test_batch_under_way_waits_for_a_gate_that_is_at_one_of_its_notices(house: House) -> None:
    made = await house.held(2)
    batch_id = await house.batch()
    async with house.bench.ledger.begin() as tx:
        await tx.lock([made[0].notice_id])
        await tx.lock_wait(made[0].notice_id)
        rejecting = asyncio.create_task(reject_batch(house.desk, batch_id, ALICE))
        await house.until_blocked()
        await tx.lock_brake(KIND)  # would be a deadlock if the batch had it already
    assert (await rejecting).count == 2


async def test_thousands_are_released_in_one_go(house: House) -> None:
    made = await house.held(1)
    await house.bench.value(
        """WITH copies AS (
               INSERT INTO notice SELECT (jsonb_populate_record(n, jsonb_build_object(
                   'notice_id', gen_random_uuid(), 'source_ref', 'many/' || g, 'matter', 'many/' || g))).*
               FROM notice n, generate_series(1, 3000) g WHERE n.notice_id = $1 RETURNING *),
           proposed AS (
               INSERT INTO sanction SELECT (jsonb_populate_record(s, jsonb_build_object(
                   'sanction_id', gen_random_uuid(), 'notice_id', c.notice_id, 'matter', c.matter))).*
               FROM sanction s, copies c WHERE s.notice_id = $1 RETURNING *)
           INSERT INTO gate_wait (notice_id, version, looked_at, waiting_for)
           SELECT notice_id, 1, clock_timestamp(), '{stopped}' FROM proposed RETURNING 1""",
        made[0].notice_id,
    )
    batch_id = await house.judged()
    [row] = await house.desk.batches(state=None, most=9)
    assert (row["total"], row["sampled"]) == (3001, 50)
    assert (await release_batch(house.desk, batch_id, BOB)).count == 3001
    assert await house.bench.value("SELECT count(*) FROM gate_wait WHERE look_again_at <= legal_now()") == 3001


# --- what the desk shows ----------------------------------------------------------------------------------------------


async def test_every_change_of_a_brake_is_kept_with_who_and_why(house: House) -> None:
    await house.switch(stopped=True, said=ALICE)
    await house.switch(stopped=True, said=BOB)
    async with house.desk.begin() as tx:
        await tx.cap_kind(KIND, 7, CAROL)
    await house.switch(stopped=False, said=BOB)
    async with house.desk.begin() as tx:
        await tx.stop_sending(ALICE)
        await tx.release_sending(CAROL)
    changes = await house.desk.brake_changes(kind=None, most=9)
    assert [(row["kind"], row["change"], row["cap_per_hour"], row["changed_by"]) for row in reversed(changes)] == [
        (KIND, "stopped", None, ALICE.by), (KIND, "stopped", None, BOB.by), (KIND, "capped", 7, CAROL.by),
        (KIND, "released", None, BOB.by), (None, "stopped", None, ALICE.by), (None, "released", None, CAROL.by),
    ]  # fmt: skip
    assert len(await house.desk.brake_changes(kind=KIND, most=9)) == 4
    with pytest.raises(asyncpg.CheckViolationError, match="append-only"):
        await house.bench.value("UPDATE brake_change SET changed_by = 'nobody' RETURNING 1")


async def test_brake_used_by_a_program_of_before_is_kept_too(house: House) -> None:
    statement = """INSERT INTO brake (kind, stopped, changed_by, changed_at, reason) VALUES ('k', $1, 'Old', now(), 'r')
        ON CONFLICT (kind) DO UPDATE SET stopped = excluded.stopped, changed_by = excluded.changed_by RETURNING 1"""
    for stopped in (True, True, False):
        await house.bench.value(statement, stopped)
    changes = await house.desk.brake_changes(kind="k", most=9)
    assert [row["change"] for row in changes] == ["released", "stopped", "stopped"]


async def test_desk_can_ask_what_the_gate_would_say(house: House) -> None:
    [made] = await house.held(1)
    [notice] = await house.desk.notices_named([made.notice_id])
    facts, standing = await house.desk.gate_facts_now(LIBRARY_HERE, notice)
    assert standing.sanction_id == made.sanction_id
    now = gate(facts)
    assert isinstance(now, Wait)
    assert [reason.code for reason in now.reasons] == ["stopped"]
    assert gate(replace(facts, released=True)) == Fire()
    assert isinstance(gate(replace(facts, satisfied=True)), Block)


# --- which notice a report is about -----------------------------------------------------------------------------------


async def parked(house: House, door: str = "mail", state: str = "parked") -> UUID:
    row = EvidenceStored(
        IDS.uuid7(), door, None, None, "mail.received", "message/rfc822", "{}", b"returned", None, None, None,
        ("owner@business.example",), state,
    )  # fmt: skip
    async with house.bench.ledger.begin() as tx:
        await tx.store([row])
    return row.evidence_id


async def test_report_that_a_person_matches_places_a_hold_and_never_unserves(house: House) -> None:
    [made] = await house.lapsed()
    evidence_id = await parked(house)
    [candidate] = await house.desk.evidence_candidates(evidence_id)
    assert candidate["notice_id"] == made.notice_id
    hold_id = await match_evidence(house.desk, IDS, evidence_id, made.notice_id, ALICE)
    [hold] = await house.desk.holds(lifted=False, kind="delivery_doubt", notice_id=made.notice_id, most=9)
    assert (hold["hold_id"], hold["placed_by"]) == (hold_id, ALICE.by)
    kind, data = (await house.facts(made))[-1]
    assert (kind, data["evidence_id"], data["matched_by"]) == ("hold.placed", str(evidence_id), "person")
    row = await house.desk.evidence_one(evidence_id)
    assert row is not None
    assert (row["state"], row["notice_id"]) == ("processed", made.notice_id)
    await house.look(made)
    assert await house.states([made]) == ["lapsed"]
    with pytest.raises(Fault, match="processed already"):
        await match_evidence(house.desk, IDS, evidence_id, made.notice_id, BOB)


async def test_report_about_what_is_over_is_recorded_beside_it(house: House) -> None:
    made = await make(house.bench.ledger, State.SATISFIED)
    assert await match_evidence(house.desk, IDS, await parked(house), made.notice_id, ALICE) is None
    kind, data = (await house.facts(made))[-1]
    assert (kind, data["by"], data["matched_by"]) == ("mail.reported", ALICE.by, "person")


async def test_only_a_report_of_the_mail_system_about_a_notice_with_mail_is_matched(house: House) -> None:
    [made] = await house.lapsed()
    with pytest.raises(Fault, match="only a report of the mail system"):
        await match_evidence(house.desk, IDS, await parked(house, "inbox"), made.notice_id, ALICE)
    early = await make(house.bench.ledger, State.ACCEPTED)
    with pytest.raises(Fault, match="no mail of this notice can have come back"):
        await match_evidence(house.desk, IDS, await parked(house), early.notice_id, ALICE)
    with pytest.raises(Fault, match="there is no evidence"):
        await match_evidence(house.desk, IDS, uuid4(), made.notice_id, ALICE)
