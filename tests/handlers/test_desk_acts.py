"""What named persons do to a notice, on a real database: each act lands whole, with who and why, or is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.kernel.adapters.library import load_library
from services.kernel.adapters.postgres.desk import PostgresDesk, open_desk
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.changes import EvidenceStored
from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import State
from services.kernel.domain.proof import check_notice
from services.kernel.runtime.desk import Word, clear_evidence, extend_deadline, lift_hold, place_hold, word
from services.kernel.runtime.desk_sanctions import approve, decide, rescind, uphold
from services.kernel.runtime.fault import Exit, Fault
from tests.rig.notices import IDS, Made, demand, make, notice_of
from tests.rig.postgres import database_url, migrated_template, postgres_server

__all__ = ["database_url", "migrated_template", "postgres_server"]

LIBRARY = load_library(Path(__file__).parents[2] / "services" / "renderer" / "library")
ALICE = Word("Alice Green", "asked for by the business")
BOB = Word("Bob Brown", "agreed")


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[PostgresLedger]:
    opened = await PostgresLedger.open(database_url, IDS, name="test")
    yield opened
    await opened.pool.close()


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[PostgresDesk]:
    async with open_desk(database_url, IDS) as opened:
        yield opened


async def told(ledger: PostgresLedger, made: Made) -> list[str]:
    rows = await ledger.pool.fetch("SELECT type FROM outbox WHERE notice_id = $1 ORDER BY outbox_id", made.notice_id)
    return [row["type"] for row in rows]


async def woken(ledger: PostgresLedger, made: Made) -> bool:
    found = await ledger.pool.fetchval(
        "SELECT look_again_at IS NOT NULL FROM gate_wait WHERE notice_id = $1", made.notice_id
    )
    return bool(found)


async def assert_sound(desk: PostgresDesk, ledger: PostgresLedger, made: Made, last: str, by: str) -> None:
    notice = await notice_of(ledger, made.notice_id)
    facts = (await desk.chains([made.notice_id]))[made.notice_id]
    assert check_notice(facts, notice.chain_head, notice.state) == []
    assert (facts[-1].kind, facts[-1].actor) == (last, by)


async def test_hold_is_placed_by_name_and_wakes_the_gate(desk: PostgresDesk, ledger: PostgresLedger) -> None:
    made = await make(ledger, State.LAPSED)
    hold_id = await place_hold(desk, IDS, made.notice_id, HoldKind.SPECIAL_TREATMENT, ALICE)
    [row] = await desk.holds(lifted=False, kind=None, notice_id=None, most=10)
    assert (row["hold_id"], row["placed_by"], row["kind"]) == (hold_id, ALICE.by, "special_treatment")
    assert await told(ledger, made) == ["hold.placed.v1"]
    assert await woken(ledger, made)
    await assert_sound(desk, ledger, made, "hold.placed", ALICE.by)


@pytest.mark.parametrize("state", [State.SATISFIED, State.CLOSED, State.SANCTIONED, State.UNSERVED, State.WITHDRAWN])
async def test_hold_on_what_is_over_is_refused(desk: PostgresDesk, ledger: PostgresLedger, state: State) -> None:
    made = await make(ledger, state)
    with pytest.raises(Fault, match="nothing is left that a hold could stop"):
        await place_hold(desk, IDS, made.notice_id, HoldKind.MANUAL, ALICE)


async def test_hold_is_lifted_by_name_once(desk: PostgresDesk, ledger: PostgresLedger) -> None:
    made = await make(ledger, State.LAPSED)
    hold_id = await place_hold(desk, IDS, made.notice_id, HoldKind.MANUAL, ALICE)
    assert await lift_hold(desk, hold_id, BOB) == made.notice_id
    assert await told(ledger, made) == ["hold.placed.v1", "hold.lifted.v1"]
    await assert_sound(desk, ledger, made, "hold.lifted", BOB.by)
    with pytest.raises(Fault, match="Bob Brown lifted this hold"):
        await lift_hold(desk, hold_id, ALICE)
    with pytest.raises(Fault, match="there is no hold"):
        await lift_hold(desk, uuid4(), ALICE)


async def test_deadline_is_extended_as_a_new_version(desk: PostgresDesk, ledger: PostgresLedger) -> None:
    made = await make(ledger, State.SERVED)
    assert made.notice.deadline_at
    later = made.notice.deadline_at.date() + timedelta(days=14)
    deadline = await extend_deadline(desk, LIBRARY, made.notice_id, later, ALICE)
    now = await notice_of(ledger, made.notice_id)
    assert (now.deadline_version, now.deadline_at) == (2, deadline.due_at)
    rows = await ledger.pool.fetch(
        "SELECT version, approver FROM deadline WHERE notice_id = $1 ORDER BY 1", made.notice_id
    )
    assert [tuple(row) for row in rows] == [(1, None), (2, ALICE.by)]
    assert await told(ledger, made) == ["deadline.extended.v1"]
    await assert_sound(desk, ledger, made, "deadline.extended", ALICE.by)


async def test_deadline_is_never_shortened(desk: PostgresDesk, ledger: PostgresLedger) -> None:
    made = await make(ledger, State.SERVED)
    with pytest.raises(Fault, match="extended, never shortened"):
        await extend_deadline(desk, LIBRARY, made.notice_id, date(2026, 1, 1), ALICE)


@pytest.mark.parametrize(
    ("state", "days_ago", "why"),
    [
        (State.LAPSED, 40, "the deadline has passed"),
        (State.SERVED, 40, "the deadline has passed"),  # the worker has not found it yet
        (State.RENDERED, 1, "no deadline runs"),
        (State.SATISFIED, 1, "no deadline runs"),
    ],
)
async def test_deadline_that_does_not_run_is_not_extended(
    desk: PostgresDesk, ledger: PostgresLedger, state: State, days_ago: int, why: str
) -> None:
    made = await make(ledger, state, days_ago=days_ago)
    with pytest.raises(Fault, match=why):
        await extend_deadline(desk, LIBRARY, made.notice_id, date(2040, 1, 1), ALICE)


async def test_extension_beyond_the_calendar_is_refused(desk: PostgresDesk, ledger: PostgresLedger) -> None:
    made = await make(ledger, State.SERVED)
    with pytest.raises(Fault, match="beyond the calendar"):
        await extend_deadline(desk, LIBRARY, made.notice_id, date.max, ALICE)


async def test_discretionary_sanction_needs_two_people(desk: PostgresDesk, ledger: PostgresLedger) -> None:
    made = await make(ledger, State.LAPSED, automatic=False)
    assert made.sanction_id
    with pytest.raises(Fault, match="nobody has decided yet"):
        await approve(desk, made.sanction_id, BOB)
    await decide(desk, made.sanction_id, ALICE)
    with pytest.raises(Fault, match="may not approve too"):
        await approve(desk, made.sanction_id, Word("ALICE green", "again"))
    await approve(desk, made.sanction_id, BOB)
    [row] = await desk.sanctions(state=None, kind=None, most=10)
    assert (row["decided_by"], row["approved_by"], row["state"]) == (ALICE.by, BOB.by, "proposed")
    assert await woken(ledger, made)
    await assert_sound(desk, ledger, made, "sanction.approved", BOB.by)
    with pytest.raises(Fault, match="has approved already"):
        await approve(desk, made.sanction_id, Word("Carol", "too"))


async def test_automatic_sanction_is_not_decided_by_anyone(desk: PostgresDesk, ledger: PostgresLedger) -> None:
    made = await make(ledger, State.LAPSED)
    assert made.sanction_id
    with pytest.raises(Fault, match="the gate alone decides"):
        await decide(desk, made.sanction_id, ALICE)


async def test_rescinded_sanction_of_an_undelivered_notice_leaves_it_unserved(
    desk: PostgresDesk, ledger: PostgresLedger
) -> None:
    made = await make(ledger, State.SANCTIONED)
    assert made.sanction_id
    with pytest.raises(Fault, match="no reversal is demanded"):
        await rescind(desk, made.sanction_id, ALICE)
    await demand(ledger, made, verdict="final")
    await rescind(desk, made.sanction_id, ALICE)
    assert (await notice_of(ledger, made.notice_id)).state is State.UNSERVED
    assert await told(ledger, made) == ["sanction.rescinded.v1", "notice.unserved.v1"]
    await assert_sound(desk, ledger, made, "notice.unserved", ALICE.by)
    with pytest.raises(Fault, match="rescinded already"):
        await rescind(desk, made.sanction_id, BOB)


async def test_rescinded_sanction_of_a_satisfied_notice_does_not_call_it_unserved(
    desk: PostgresDesk, ledger: PostgresLedger
) -> None:
    made = await make(ledger, State.SANCTIONED)
    assert made.sanction_id
    await demand(ledger, made, response_kind="payment")
    await rescind(desk, made.sanction_id, ALICE)
    assert (await notice_of(ledger, made.notice_id)).state is State.SANCTIONED
    assert await told(ledger, made) == ["sanction.rescinded.v1"]
    [row] = await desk.sanctions(state="rescinded", kind=None, most=10)
    assert row["reversal_decided_by"] == ALICE.by
    await assert_sound(desk, ledger, made, "sanction.rescinded", ALICE.by)


async def test_upheld_sanction_stays_and_says_who_upheld_it(desk: PostgresDesk, ledger: PostgresLedger) -> None:
    made = await make(ledger, State.SANCTIONED)
    assert made.sanction_id
    await demand(ledger, made, verdict="final")
    await uphold(desk, made.sanction_id, ALICE)
    assert (await notice_of(ledger, made.notice_id)).state is State.SANCTIONED
    assert await told(ledger, made) == ["sanction.upheld.v1"]
    await assert_sound(desk, ledger, made, "sanction.upheld", ALICE.by)
    with pytest.raises(Fault, match="upheld already"):
        await rescind(desk, made.sanction_id, BOB)


async def test_cleared_evidence_is_recorded_with_the_notice_it_names(
    desk: PostgresDesk, ledger: PostgresLedger
) -> None:
    made = await make(ledger, State.LAPSED)
    row = EvidenceStored(
        IDS.uuid7(), "cli", None, None, "mail.received", "message/rfc822", "{}", b"?", made.notice_id, None, None, (),
        "parked",
    )  # fmt: skip
    async with ledger.begin() as tx:
        await tx.write([row])
    assert await clear_evidence(desk, row.evidence_id, ALICE) == made.notice_id
    assert await desk.raw_evidence(settled=False, state=None, door=None, most=10) == []
    assert await woken(ledger, made)
    await assert_sound(desk, ledger, made, "evidence.cleared", ALICE.by)
    with pytest.raises(Fault, match="cleared already"):
        await clear_evidence(desk, row.evidence_id, ALICE)


async def test_clearing_undecodable_evidence_wakes_all_who_wait_for_it(
    desk: PostgresDesk, ledger: PostgresLedger
) -> None:
    made = await make(ledger, State.LAPSED)
    await ledger.pool.execute("UPDATE gate_wait SET waiting_for = '{source_blocked}'")
    row = EvidenceStored(
        IDS.uuid7(), "amqp", "fees", None, "undecodable", "text/plain", "{}", b"\xff", None, None, None, (), "dead"
    )
    async with ledger.begin() as tx:
        await tx.write([row])
    assert await clear_evidence(desk, row.evidence_id, ALICE) is None
    assert await woken(ledger, made)


@pytest.mark.parametrize(
    ("by", "reason", "what"), [(" ", "why", "name"), ("Alice", "", "reason"), ("A\nB", "why", "name")]
)
def test_no_act_without_a_plain_name_and_a_reason(by: str, reason: str, what: str) -> None:
    with pytest.raises(Fault, match=f"the {what} cannot be recorded") as caught:
        word(by, reason)
    assert caught.value.code is Exit.USAGE


async def test_every_statement_of_the_desk_can_be_prepared(database_url: str) -> None:
    from services.kernel.adapters.postgres.connection import connect  # noqa: PLC0415
    from services.kernel.adapters.postgres.queries import queries  # noqa: PLC0415

    connection = await connect(database_url)
    try:
        for name, text in queries().items():
            if name.startswith("desk_"):
                assert await connection.prepare(text), name
    finally:
        await connection.close()
