"""The dry run's verdict is what replaying then does: over five hundred real dead letters, judged by the database.

All are rehearsed together on the database where they died, which must be the same afterwards, byte for byte; then they
are replayed on a copy, one by one in the same order, and each verdict is compared with what came of it. Replaying one
may change what another comes to (two requests of one notice lie here): dead letters of such stories are rehearsed once
more, each right before its own replay, and it is that verdict which counts. So is the first of every story, to compare
the effects that the rehearsal named as well.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import structlog

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.desk import PostgresDesk
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.verdict import Verdict
from services.kernel.ledger import Rehearsed
from services.kernel.runtime import rehearsal
from services.kernel.runtime.dead_letters import runs
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.records import Kind, RunItem
from services.kernel.runtime.desk import Word
from tests.rig.dead_letters import SEED, Yard, alerts, facts, gates, requests, seeded
from tests.rig.dead_letters.crew import Crew
from tests.rig.dead_letters.judge import Judged, Snapshot, judge, said_falsely, snapshot, subject
from tests.rig.postgres import PrivatePostgres

ALICE = Word("Alice Green", "to see what would come of it")
OF_ONE_MATTER = {
    "two_requests_of_one_notice", "two_requests_that_differ", "request_that_came_again_while_others_of_it_are_dead",
    "alert_named_twice", "two_bounces_of_one_mail", "payment_paid_twice", "gates_of_one_notice_named_twice",
}  # fmt: skip
"""Stories whose dead letters change what becomes of one another."""
TRULY_SAFE = requests.request_killed_by_a_fault_since_mended
LIED_ABOUT = (
    TRULY_SAFE, requests.request_that_is_not_json, requests.request_out_of_scope, alerts.alert_sent_since_by_the_rescue,
    alerts.alert_of_a_notice_that_ended, gates.gate_of_an_old_deadline, facts.payment_looked_at_again_and_settled,
)  # fmt: skip
"""Stories of every verdict, for a dry run that lies."""
LEAST = 500


@dataclass(frozen=True, slots=True)
class Compared:
    """One dead letter: what its rehearsal said right before, and what its replay did."""

    failed_id: UUID
    story: str
    worker: str
    type: str
    said: RunItem
    did: Judged
    false: list[str]

    @property
    def agrees(self) -> bool:
        return self.said.outcome is self.did.verdict and not self.false

    def __str__(self) -> str:
        said = f"{self.said.outcome} ({self.said.why}; {'; '.join(self.said.effects)})"
        return f"{self.worker}/{self.story}: said {said}, did {self.did.verdict} ({self.did.why}) {self.false}"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresLedger]:
    ledger = await PostgresLedger.open(url, SystemIds(), name="test", most=4)
    try:
        yield ledger
    finally:
        await ledger.pool.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.relay.runs._LOOK", 0)


async def run_all(crew: Crew, kind: Kind, ids: Iterable[UUID]) -> list[RunItem]:
    """Rehearse or replay these, in batches of one, to the end of the run; its items."""
    chosen = Chosen(ids=tuple(ids), states=("dead",))
    async with crew.ledger.pool.acquire() as connection:
        desk = PostgresDesk(connection, crew.ids)
        run = await runs.begin(desk, crew.ids, kind, chosen, ALICE, steps=(1,), per_second=None)
        await crew.drive()
        items = await desk.run_items(run.run_id, 10_000)
        if (await runs.shown(desk, run.run_id)).state == "stopped":
            await runs.cancel(desk, run.run_id, ALICE)
    assert all(item.outcome is not None for item in items), f"{kind} did not end"
    return items


async def elsewhere_done(crew: Crew, failed_id: UUID) -> bool:
    """The other process that is posting this event gets through; who was handed it here finds nothing to do.

    While another posts it, a replay does nothing and is handed out again, so nothing could be judged before.
    """
    done: str = await crew.ledger.pool.execute(
        "UPDATE webhook_delivery SET delivered_at = now(), due_at = NULL, claimed_until = NULL"
        " WHERE claimed_until > clock_timestamp() AND lpad(to_hex(outbox_id), 32, '0')::uuid ="
        " (SELECT subject FROM failed_item WHERE failed_id = $1)", failed_id,
    )  # fmt: skip
    return done != "UPDATE 0"


async def compare(crew: Crew, yard: Yard, failed_ids: Iterable[UUID], first: dict[UUID, RunItem]) -> list[Compared]:
    """Replay each of these, one after the other, and judge what came of it against what its rehearsal said."""
    crew.receiver.status = 204
    found: list[Compared] = []
    seen: set[str] = set()
    before = await snapshot(crew.ledger)
    for failed_id in failed_ids:
        story = yard.stories[failed_id]
        was, said, fresh = await subject(crew.ledger, failed_id), first[failed_id], False
        if story in OF_ONE_MATTER or story not in seen:
            seen.add(story)
            said, fresh = await once_more(crew, failed_id, before), True
        if await elsewhere_done(crew, failed_id):
            before = await snapshot(crew.ledger)
        await run_all(crew, Kind.REPLAY, [failed_id])
        after = await snapshot(crew.ledger)
        did = await judge(crew.ledger, was, before, after)
        false = said_falsely(said.effects, did, before, after) if fresh else []
        found.append(Compared(failed_id, story, was["worker"], was["type"], said, did, false))
        before = after
    return found


async def once_more(crew: Crew, failed_id: UUID, before: Snapshot) -> RunItem:
    """Rehearse one on the copy, right before its replay; it changes nothing there either."""
    (said,) = await run_all(crew, Kind.REHEARSAL, [failed_id])
    assert not (await snapshot(crew.ledger)).differs_from(before, frozenset({"replay_run", "replay_item"}))
    return said


async def in_order(ledger: PostgresLedger) -> list[UUID]:
    rows = await ledger.pool.fetch(
        "SELECT failed_id FROM failed_item WHERE state = 'dead' ORDER BY created_at, failed_id"
    )
    return [row[0] for row in rows]


def table(compared: Iterable[Compared]) -> str:
    """How many of each worker came to each verdict."""
    counts = Counter((each.worker, str(each.did.verdict)) for each in compared)
    workers = sorted({worker for worker, _ in counts})
    lines = [f"{'':10}" + "".join(f"{verdict:>14}" for verdict in Verdict)]
    lines += [f"{each:10}" + "".join(f"{counts[each, str(verdict)]:>14}" for verdict in Verdict) for each in workers]
    return "\n".join(lines)


async def test_the_dry_runs_verdict_is_what_replaying_then_does(
    postgres_server: PrivatePostgres, trial_template: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url, copied = postgres_server.new_database("graves", template=trial_template), "graves_copied"
    with structlog.testing.capture_logs():
        async with opened(url) as ledger:
            yard = await seeded(ledger)
        copy_url = postgres_server.new_database(copied, template="graves")
        async with opened(url) as ledger:
            first = await rehearsed_together(ledger, yard)
        async with opened(copy_url) as ledger:
            crew = Crew(ledger, SystemIds(), yard.faults)
            compared = await compare(crew, yard, await in_order(ledger), first)
    with capsys.disabled():
        sys.stdout.write(f"\n{len(compared)} dead letters of {len(set(yard.stories.values()))} stories, seed {SEED}\n")
        sys.stdout.write(table(compared) + "\n")
    differ = [str(each) for each in compared if not each.agrees]
    assert not differ, "\n".join(differ)
    assert_of_every_kind(compared, yard)


async def rehearsed_together(ledger: PostgresLedger, yard: Yard) -> dict[UUID, RunItem]:
    """Rehearse all where they died; nothing may change, nothing be told, sent or posted."""
    crew = Crew(ledger, SystemIds(), yard.faults)
    before = await snapshot(ledger, whole=True)
    items = await run_all(crew, Kind.REHEARSAL, await in_order(ledger))
    after = await snapshot(ledger, whole=True)
    assert after.differs_from(before) == ["replay_item", "replay_run"]
    assert (list(crew.told.carried), crew.claims, crew.receiver.told) == ([], [], [])
    return {item.failed_id: item for item in items}


def assert_of_every_kind(compared: list[Compared], yard: Yard) -> None:
    """No verdict and no worker is proved by a handful."""
    assert len(compared) == len(yard.stories) >= LEAST
    verdicts = Counter(each.did.verdict for each in compared)
    assert set(verdicts) == set(Verdict)
    assert min(verdicts.values()) >= 40, verdicts
    workers = Counter(each.worker for each in compared)
    assert set(workers) == {"renderer", "notifier", "intake", "bounces", "responses", "sanctions", "webhooks"}
    assert min(workers.values()) >= 40, workers


async def test_a_dry_run_that_calls_everything_safe_is_found_out(
    postgres_server: PrivatePostgres, trial_template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge does not lean on what it judges: one dead letter of each story is enough to tell."""
    whole = rehearsal.verdict_of

    def all_safe(*asked: Any) -> Rehearsed:
        return Rehearsed(Verdict.SAFE, "", whole(*asked).effects)

    url = postgres_server.new_database(template=trial_template)
    with structlog.testing.capture_logs():
        async with opened(url) as ledger:
            yard = Yard(ledger)
            for story in LIED_ABOUT:
                await yard.tell(story)
            await yard.rest()
            monkeypatch.setattr(rehearsal, "verdict_of", all_safe)
            first = await rehearsed_together(ledger, yard)
            one_each = {yard.stories[failed_id]: failed_id for failed_id in await in_order(ledger)}
            crew = Crew(ledger, SystemIds(), yard.faults)
            compared = await compare(crew, yard, one_each.values(), first)
    found = {each.story for each in compared if not each.agrees}
    assert found == {story.__name__ for story in LIED_ABOUT} - {TRULY_SAFE.__name__}
    assert {each.did.verdict for each in compared if not each.agrees} == set(Verdict) - {Verdict.SAFE}
