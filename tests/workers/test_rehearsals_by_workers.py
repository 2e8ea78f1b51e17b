"""A few dead letters of each worker, rehearsed and replayed by real processes over a real broker: the verdicts hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from uuid import UUID

import pytest
import structlog

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.desk import PostgresDesk, open_desk
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.verdict import Verdict
from services.kernel.runtime.dead_letters import runs
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.records import Ended, Kind, RunItem
from services.kernel.runtime.desk import Word
from tests.rig.dead_letters import Yard, alerts, bounces, facts, gates, hooks, requests
from tests.rig.dead_letters.judge import Snapshot, snapshot
from tests.rig.rabbitmq import RabbitNode
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System
from tests.rig.webhook_receiver import receiving

IDS = SystemIds()
SAID = Word("O. Perator", "the cause is mended")
STORIES = (
    gates.gate_killed_before_the_proposal, gates.gate_of_an_old_deadline, gates.gate_of_an_unknown_notice,
    requests.request_killed_by_a_fault_since_mended, requests.request_whose_fixed_date_comes_too_soon_by_now,
    requests.request_that_is_not_json, requests.request_out_of_scope, alerts.alert_killed_by_a_fault_since_mended,
    alerts.alert_of_a_notice_that_ended, alerts.alert_sent_since_by_the_rescue, hooks.event_whose_receiver_was_down,
    hooks.event_delivered_by_another_message, bounces.bounce_that_would_unserve, bounces.bounce_cleared_by_a_person,
    facts.fact_killed_by_a_fault_since_mended, facts.fact_that_names_no_notice, facts.payment_of_an_unknown_notice,
    facts.payment_killed_by_a_fault_since_mended, facts.payment_looked_at_again_and_settled,
)  # fmt: skip
WORKERS = ("renderer", "notifier", "intake", "bounces", "responses", "sanctions", "webhooks", "relay")
ENDS = {
    Verdict.SAFE: {Ended.DONE}, Verdict.ALREADY_DONE: {Ended.DONE}, Verdict.EXPIRED: {Ended.DONE, Ended.REFUSED},
    Verdict.UNSAFE: {Ended.FAILED, Ended.REFUSED},
}  # fmt: skip
"""How a replay may end, by what its rehearsal said."""
FACTS = {
    "notice", "notice_event", "notice_content", "attempt", "deadline", "hold", "sanction", "reversal", "raw_evidence",
    "failed_item", "failed_item_action",
}  # fmt: skip
"""What no rehearsal may touch, while `relay` goes about its other rounds."""


@pytest.fixture
async def ledger(trial_database_url: str) -> AsyncIterator[PostgresLedger]:
    opened = await PostgresLedger.open(trial_database_url, IDS, name="test", most=4)
    yield opened
    await opened.pool.close()


@pytest.fixture
def duly(trial_database_url: str, rabbit_node: RabbitNode, smtp_sink: SinkProcess, tmp_path: Path) -> Iterable[System]:
    rabbit_node.delete_all_queues()
    settings = {"DULY_WEBHOOK_KEYS": f"fees:{'ab' * 24}", "DULY_RESCUE_GRACE": "3600", "DULY_MARK_EVERY": "0.5"}
    system = System(trial_database_url, rabbit_node.url, f"smtp://127.0.0.1:{smtp_sink.port}", tmp_path, settings)
    yield system
    system.stop()


async def ended(duly: System, desk: PostgresDesk, kind: Kind, ids: Iterable[UUID]) -> list[RunItem]:
    """Begin a run over these, and wait until each has come to something; one that fails again stops nobody else."""
    chosen = Chosen(ids=tuple(ids), states=("dead",))
    run = await runs.begin(desk, IDS, kind, chosen, SAID, steps=(5000,), per_second=None)
    still = "SELECT count(*) FROM replay_item WHERE run_id = $1 AND ended_at IS NULL"
    await duly.until(still, 0, run.run_id, seconds=120)
    return await desk.run_items(run.run_id, 5000)


async def at_rest(duly: System, ledger: PostgresLedger) -> Snapshot:
    """How it stands once nothing has moved while three marks went round by relay, broker and intake."""
    before = await snapshot(ledger, whole=True)
    while True:
        marks = await ledger.pool.fetchval("SELECT count(*) FROM mark")
        await duly.until("SELECT count(*) > $1 FROM mark", True, marks + 2, seconds=60)
        now = await snapshot(ledger, whole=True)
        if not FACTS & set(now.differs_from(before)):
            return now
        before = now


async def test_what_real_workers_said_of_their_dead_letters_is_what_they_then_did(
    duly: System, ledger: PostgresLedger
) -> None:
    yard = Yard(ledger)
    async with receiving() as receiver, open_desk(duly.database, IDS) as desk:
        with structlog.testing.capture_logs():
            await yard.value("INSERT INTO webhook VALUES ('fees', $1, 'A', now()) RETURNING 1", receiver.url)
            for story in STORIES:
                await yard.tell(story)
            await yard.rest()
        await duly.start(*WORKERS)
        before = await at_rest(duly, ledger)
        said = {item.failed_id: item for item in await ended(duly, desk, Kind.REHEARSAL, yard.stories)}
        changed = (await snapshot(ledger, whole=True)).differs_from(before)
        assert not FACTS & set(changed)
        dead = "event-whose-receiver-was-down"
        assert not [each for each in receiver.ids() if dead in each], "a rehearsal posts nothing"
        did = {item.failed_id: item for item in await ended(duly, desk, Kind.REPLAY, yard.stories)}
        assert [each for each in receiver.ids() if dead in each], "a replay does"
    wrong = [
        f"{yard.stories[failed_id]}: {said[failed_id].outcome}, {said[failed_id].why}; did {item.outcome}, {item.why}"
        for failed_id, item in did.items()
        if item.outcome not in ENDS[Verdict(str(said[failed_id].outcome))]
    ]
    assert not wrong, "\n".join(wrong)
    counts = Counter(str(item.outcome) for item in said.values())
    assert set(counts) == set(Verdict)
    assert min(counts.values()) >= 10, counts
    assert {item.worker for item in said.values()} == set(WORKERS) - {"relay"}
