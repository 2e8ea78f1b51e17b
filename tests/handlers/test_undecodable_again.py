"""Evidence that cannot be read holds its source's sanctions once, however often it is replayed, until it is mended."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest

from services.intake.handler import Intake
from services.kernel.ports import Delivery
from services.kernel.runtime.items import FAILED_ID, items_of
from tests.handlers.bench import IDS, LIBRARY_HERE, Bench, delivery
from tests.rig.system import paid

SATISFIED = "obligation.satisfied.v1"
OPEN = "SELECT count(*) FROM raw_evidence WHERE type = 'undecodable' AND state = 'dead'"


@pytest.fixture
def intake() -> Intake:
    return Intake(LIBRARY_HERE, IDS, batch=100)


async def die(bench: Bench, intake: Intake, body: bytes = b"{broken", source: str = "fees") -> UUID:
    await bench.run(intake, items_of(delivery(body, SATISFIED, {"ce-source": source}), "intake"))
    found: UUID = await bench.value("SELECT failed_id FROM failed_item ORDER BY created_at DESC LIMIT 1")
    return found


def named(failed_id: UUID, body: bytes, source: str = "fees") -> Delivery:
    return delivery(body, SATISFIED, {FAILED_ID: str(failed_id), "ce-source": source})


async def test_a_replay_that_fails_again_holds_no_more_than_before(bench: Bench, intake: Intake) -> None:
    failed_id = await die(bench, intake)
    for _ in range(3):
        await bench.run(intake, [await bench.again(failed_id)])
    assert await bench.value(OPEN) == 1
    current = "SELECT e.state FROM failed_item f JOIN raw_evidence e USING (evidence_id) WHERE f.failed_id = $1"
    assert await bench.value(current, failed_id) == "dead"
    assert await bench.value("SELECT count(*) FROM raw_evidence WHERE type = 'undecodable'") == 4, "nothing is lost"


async def test_a_mended_message_clears_it_however_often_it_was_replayed(bench: Bench, intake: Intake) -> None:
    failed_id = await die(bench, intake)
    for _ in range(2):
        await bench.run(intake, [await bench.again(failed_id)])
    body = json.dumps({"specversion": "1.0", "id": "e1", **paid("n")}).encode()
    await bench.value(
        "INSERT INTO failed_item_action (action_id, failed_id, at, actor, action, reason)"
        " VALUES ($1, $2, now(), 'A', 'mend', 'b') RETURNING 1", IDS.uuid7(), failed_id,
    )  # fmt: skip
    await bench.run(intake, items_of(named(failed_id, body), "intake"))
    assert await bench.value("SELECT state FROM failed_item WHERE failed_id = $1", failed_id) == "resolved"
    assert await bench.value(OPEN) == 0


@pytest.mark.parametrize(("body", "source"), [(b"{other", "fees"), (b"{broken", "registry")])
async def test_a_message_that_names_anothers_dead_letter_clears_nothing_of_it(
    bench: Bench, intake: Intake, body: bytes, source: str
) -> None:
    failed_id = await die(bench, intake)
    forged = replace(named(failed_id, body, source), user_id=source)
    await bench.run(intake, items_of(forged, "intake"))
    assert await bench.value(OPEN) == 2
    assert await bench.value("SELECT count(*) FROM raw_evidence WHERE state = 'cleared'") == 0
