"""Decisions, tried by somebody who looks for a way round them."""

from __future__ import annotations

import asyncio

import pytest

from services.kernel.adapters.postgres.desk import open_desk
from services.kernel.runtime.desk_brakes import judge_sampled, release_batch
from services.kernel.runtime.desk_evidence import match_evidence
from services.kernel.runtime.fault import Fault
from tests.handlers.bench import IDS
from tests.handlers.test_decisions import ALICE, BOB, CAROL, House, parked
from tests.handlers.test_decisions import house as house  # noqa: PLC0414 -- a fixture
from tests.rig.notices import KIND


async def test_what_was_judged_before_the_switch_was_thrown_again_releases_nothing(house: House) -> None:
    made = await house.held(2)
    batch_id = await house.judged()
    await house.switch(stopped=True)  # somebody knows something that whoever judged did not
    with pytest.raises(Fault, match="2 of the 2 sampled cases are not judged"):
        await release_batch(house.desk, batch_id, BOB)
    [row] = await house.desk.batches(state=None, most=1, batch_id=batch_id)
    assert (row["judged"], row["sampled"]) == (0, 2)
    for number in (1, 2):
        await judge_sampled(house.desk, batch_id, number, "right", ALICE)
    await release_batch(house.desk, batch_id, BOB)
    await house.look(*made)
    assert await house.states(made) == ["sanctioned", "sanctioned"]
    await house.switch(stopped=True)
    [row] = await house.desk.batches(state=None, most=1, batch_id=batch_id)
    assert row["judged"] == 2, "what was decided stays as it was decided"


async def test_switch_thrown_while_a_release_waits_is_seen_by_the_release(house: House) -> None:
    made = await house.held(1)
    batch_id = await house.judged()
    async with open_desk(house.url, IDS) as other, other.begin() as tx:
        await tx.stop_kind(KIND, CAROL, stopped=True)
        releasing = asyncio.create_task(release_batch(house.desk, batch_id, BOB))
        await house.until_blocked()
    with pytest.raises(Fault, match="are not judged"):
        await releasing
    await house.look(*made)
    assert await house.states(made) == ["lapsed"]


@pytest.mark.parametrize("state", ["receiving", "waiting", "retrying"])
async def test_report_that_a_worker_may_still_judge_is_matched_by_nobody(house: House, state: str) -> None:
    [made] = await house.lapsed()
    evidence_id = await parked(house, state=state)
    with pytest.raises(Fault, match=f"this evidence is {state}: what it proves is judged before"):
        await match_evidence(house.desk, IDS, evidence_id, made.notice_id, ALICE)
    assert await house.bench.value("SELECT count(*) FROM hold") == 0
