"""Kills: workers are killed again and again while two thousand notices are in work, and each ends as the law says."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from schemas.catalogue import DELIVERY_LIMIT
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.mail.reports import failure_report
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.runtime.door import store
from services.kernel.runtime.mail_door import evidence_of_mail
from tests.faults.judge import BOUNCE_DOMAIN, KEYRING, judge_evidence, judge_mails
from tests.faults.killer import Aim, Dots, Killer, Restarted, running, tally, watched
from tests.faults.sink_log import SinkLog
from tests.faults.zygote import Zygote
from tests.rig.rabbitmq import RabbitNode
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System, fee_outstanding, paid, responded

pytestmark = pytest.mark.slow
SEED = os.environ.get("DULY_TEST_SEED", "duly-1")
NOTICES, KILLS = 2000, 50
SLOW, REPLY_AFTER = "slow-", 0.1
"""Notices to addresses that begin so get the mail system's 250 so many seconds after it took the mail."""

SMALL = {
    "DULY_BATCH": "10", "DULY_PREFETCH": "100", "DULY_HAND_OUT_AGAIN": "20", "DULY_LEASE_MARGIN": "0.5",
    "DULY_SMTP_CONNECT_SECONDS": "0.5", "DULY_SMTP_COMMAND_SECONDS": "0.5", "DULY_SMTP_DATA_SECONDS": "1",
    "DULY_SMTP_WAIT_SECONDS": "1.5", "DULY_SMTP_CONNECTIONS": "4", "DULY_SMTP_PER_DESTINATION": "4",
}  # fmt: skip
"""Small batches, so that there are many transactions to die in; a short lease, so that what died is soon sent again."""

MOST_IN_HAND = 8
"""Mails between the final dot and the commit that a kill finds on average: four dialogues, and replies in settling."""

TO_SERVED = """
SELECT (SELECT count(*) FROM notice) AS renderer, (SELECT count(*) FROM notice WHERE state <> 'rendered') AS notifier,
       (SELECT count(*) FROM notice WHERE state <> 'rendered') AS relay"""
TO_THE_END = """
SELECT e.stored AS intake, e.answered AS responses, e.classified AS bounces, n.lapsed AS deadlines,
       s.proposed + s.fired AS sanctions, e.answered + e.classified + n.lapsed + s.proposed + s.fired AS relay
FROM (SELECT count(*) FILTER (WHERE door = 'amqp') AS stored,
             count(*) FILTER (WHERE door = 'amqp' AND state <> 'waiting') AS answered,
             count(*) FILTER (WHERE door = 'mail' AND state <> 'waiting') AS classified FROM raw_evidence) e,
     (SELECT count(*) FILTER (WHERE lapsed_at IS NOT NULL) AS lapsed FROM notice) n,
     (SELECT count(*) AS proposed, count(*) FILTER (WHERE fired_at IS NOT NULL) AS fired FROM sanction) s"""
UNFINISHED = "SELECT count(*) FROM raw_evidence WHERE state NOT IN ('processed', 'refused', 'cleared')"


@pytest.fixture(scope="module")
def refs() -> list[str]:
    """Two thousand references; of every ten one or so is to an address that is answered slowly."""
    chance = random.Random(f"{SEED}:refs")
    return [f"{SLOW if chance.random() < 0.08 else 'fee-'}{number:04}" for number in range(NOTICES)]


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SinkProcess]:
    mail = SinkProcess(tmp_path, keep=True).start()
    mail.misbehave("dot", "250 2.0.0 taken", match=f"{SLOW}*", after=REPLY_AFTER)
    yield mail
    mail.stop()


@pytest.fixture
async def system(trial_database_url: str, rabbit_node: RabbitNode, sink: SinkProcess, tmp_path: Path) -> System:
    rabbit_node.delete_all_queues()
    return System(trial_database_url, rabbit_node.url, f"smtp://127.0.0.1:{sink.port}", tmp_path, settings=SMALL)


def anywhere(chance: random.Random) -> Aim:
    """Half of the kills fall in a transaction on purpose, some just behind one, the others where they fall."""
    return chance.choices(
        (Aim.IN_TRANSACTION, Aim.AFTER_COMMIT, Aim.ANYWHERE), weights=(5, 2, 3)
    )[0]  # fmt: skip


def dots_too(chance: random.Random) -> Aim:
    """Of the notifier's kills, half fall after a final dot."""
    return Aim.AFTER_DOT if chance.random() < 0.5 else anywhere(chance)


def tell(what: str) -> None:
    """To the test's output: pytest shows it where the test failed, or with -s."""
    sys.stdout.write(f"\n{what}\n")


def killers(system: System, zygote: Zygote, *workers: str, **settings: str) -> dict[str, Killer]:
    made = {worker: Killer(system, zygote, worker, SEED, settings) for worker in workers}
    system.processes += [killer.process() for killer in made.values()]
    return made


async def test_two_thousand_notices_end_right_though_every_worker_is_killed_fifty_times(
    system: System, sink: SinkProcess, refs: list[str]
) -> None:
    tell(f"DULY_TEST_SEED={SEED}")
    log, began = SinkLog(sink.log), time.monotonic()
    async with Zygote() as zygote:
        first = await serve(system, zygote, log, refs)
        duplicates = await judge_mails(system, log, NOTICES)
        tell(f"{tally(first)}\n{duplicates} duplicate mails, {time.monotonic() - began:.0f} s")
        assert sum(kill.unsettled for kill in first["notifier"].kills) >= 15
        assert duplicates <= KILLS * MOST_IN_HAND
        second = await end(system, zygote, log, refs)
    tell(f"{tally(second)}\n{time.monotonic() - began:.0f} s")
    await judge_evidence(system)
    for worker in ("intake", "renderer", "notifier", "bounces", "responses", "deadlines", "sanctions", "relay"):
        kills = [kill for killer in (first, second) if worker in killer for kill in killer[worker].kills]
        assert len(kills) >= KILLS
        assert sum(kill.in_transaction for kill in kills) >= KILLS // 4, f"few kills met {worker} at work"


async def test_all_queues_deleted_between_acceptance_and_service_lose_no_notice(
    system: System, sink: SinkProcess, rabbit_node: RabbitNode, refs: list[str]
) -> None:
    sink.misbehave("dot", "250 2.0.0 taken", after=0.03)
    log, served = SinkLog(sink.log), "SELECT count(*) >= $1 FROM notice WHERE state = 'served'"
    async with Zygote() as zygote, running(killers(system, zygote, "renderer", "notifier", "relay")):
        await system.publish(*(fee_outstanding(ref) for ref in refs))
        await system.until("SELECT count(*) FROM notice", NOTICES, seconds=60)
        for share in (0, 0.4, 0.7):
            await system.until(served, True, int(share * NOTICES), seconds=60)
            assert not await system.value(served, NOTICES * 9 // 10), "too late: most were served already"
            await asyncio.to_thread(rabbit_node.delete_all_queues)
        await system.until(served, True, NOTICES, seconds=90)
        await system.until("SELECT count(*) FROM outbox WHERE sent_at IS NULL", 0)
    assert await judge_mails(system, log, NOTICES) == 0
    await judge_evidence(system)


async def test_what_kills_its_worker_is_dead_at_last_and_its_neighbours_are_done(system: System) -> None:
    neighbours = [fee_outstanding(f"fee-{number}") for number in range(60)]
    async with (
        Zygote() as zygote,
        running(killers(system, zygote, "relay")),
        Restarted(system, zygote, "renderer", DULY_TEST_POISON="poison-1") as renderer,
    ):
        await system.publish(*neighbours[:30], fee_outstanding("poison-1"), *neighbours[30:])
        await system.until("SELECT count(*) FROM failed_item WHERE state = 'dead'", 1, seconds=30)
        await system.until("SELECT count(*) FROM notice", len(neighbours), seconds=30)
        await system.until("SELECT count(*) FROM failed_item WHERE state = 'retry'", 0)
    (dead,) = await system.fetch("SELECT body, reason FROM failed_item WHERE state = 'dead'")
    assert b"poison-1" in dead["body"]
    assert "killed its worker again" in dead["reason"]
    assert 2 * DELIVERY_LIMIT <= renderer.deaths <= 3 * DELIVERY_LIMIT


async def serve(system: System, zygote: Zygote, log: SinkLog, refs: list[str]) -> dict[str, Killer]:
    """The first act: requests, under kills of whoever makes them served."""
    those = killers(system, zygote, "renderer", "notifier", "relay")
    those["notifier"].dots = Dots(log, SLOW, REPLY_AFTER)
    async with running(those), watched(system, TO_SERVED) as progress:
        async with asyncio.TaskGroup() as acts:
            acts.create_task(system.publish(*(fee_outstanding(ref) for ref in refs)))
            acts.create_task(those["renderer"].spread(progress, KILLS, until=NOTICES * 9 // 10, aims=anywhere))
            acts.create_task(those["notifier"].spread(progress, KILLS, until=NOTICES * 8 // 10, aims=dots_too))
            acts.create_task(those["relay"].spread(progress, KILLS // 2, until=NOTICES * 8 // 10, aims=anywhere))
        await system.until("SELECT count(*) FROM notice WHERE state = 'served'", NOTICES, seconds=90)
    return those


async def end(system: System, zygote: Zygote, log: SinkLog, refs: list[str]) -> dict[str, Killer]:
    """The second act: bounces, payments and questions while deadlines pass; then the sanctions fire."""
    order = random.Random(f"{SEED}:ends").sample(refs, NOTICES)
    bounced, payers, asking, silent = order[:400], order[400:800], order[800:1000], order[1000:]
    those = killers(system, zygote, "intake", "responses", "bounces", "deadlines", "sanctions", "relay")
    await system.value(
        "INSERT INTO brake (kind, cap_per_hour, changed_by, changed_at, reason)"
        " VALUES ('registration.cancel', 10000, 'test', now(), 'many at once') RETURNING 1"
    )
    vouched = (await system.value("SELECT legal_now()")).isoformat()
    async with running(those), watched(system, TO_THE_END) as progress:

        def kill(worker: str, kills: int, until: int) -> None:
            acts.create_task(those[worker].spread(progress, kills, until=until, aims=anywhere))

        async with asyncio.TaskGroup() as acts:
            kill("intake", KILLS, len(payers + asking) * 9 // 10)
            kill("responses", KILLS, len(payers + asking) * 9 // 10)
            kill("bounces", KILLS, len(bounced) * 9 // 10)
            kill("deadlines", KILLS, len(silent) * 9 // 10)
            kill("sanctions", KILLS // 2, len(silent) * 9 // 10)
            kill("relay", KILLS // 2, NOTICES)
            await system.publish(
                *(paid(ref, received_at=vouched) for ref in payers),
                *(responded(ref, "question", source="fees") for ref in asking),
            )
            acts.create_task(bounce(system, log, bounced))
            await system.advance(days=23)
        await settled(system, silent + asking)
        async with asyncio.TaskGroup() as acts:
            at = progress.counts["sanctions"]
            await system.advance(days=2)
            kill("sanctions", KILLS // 2, at + len(silent) * 9 // 10)
        await system.until("SELECT count(*) FROM notice WHERE state = 'sanctioned'", len(silent), seconds=90)
        await system.until("SELECT count(*) FROM outbox WHERE sent_at IS NULL", 0)
        await system.until("SELECT count(*) FROM failed_item WHERE state IN ('retry', 'replaying')", 0, seconds=90)
    await judge_ends(system, bounced=bounced, payers=payers, asking=asking, silent=silent)
    return those


async def bounce(system: System, log: SinkLog, refs: list[str]) -> None:
    """The door for returned mail: stores each report, and leaves the word to `bounces` in the outbox."""
    chance = random.Random(f"{SEED}:bounces")
    mails, ids = log.by_recipient(), SystemIds()
    ledger = await PostgresLedger.open(system.database, ids, name="door", most=1)
    for ref in refs:
        mail = chance.choice(mails[f"{ref}@business.example"])
        report = failure_report(
            log.content(mail),
            recipient=mail["recipient"], envelope_sender=mail["sender"], reporting_mta="mx.business.example",
            status="5.1.1", diagnostic="550 5.1.1 no such user", date=datetime.now(UTC), report_id=uuid4().hex,
        )  # fmt: skip
        row = evidence_of_mail(
            report, mail["sender"], door="mail", keyring=KEYRING, bounce_domain=BOUNCE_DOMAIN, ids=ids
        )
        async with ledger.begin() as tx:
            await store(tx, [row], "bounce.received.v1", ids)
        await asyncio.sleep(0.005)
    await ledger.close()


async def settled(system: System, lapsing: list[str]) -> None:
    """All evidence is decided, and whatever can lapse has lapsed and is proposed."""
    await system.until(UNFINISHED, 0, seconds=90)
    await system.until(
        "SELECT count(*) FROM notice n JOIN sanction USING (notice_id)"
        " WHERE source_ref = ANY($1::text[]) AND n.state = 'lapsed'",
        len(lapsing),
        lapsing,
        seconds=90,
    )


async def judge_ends(
    system: System, *, bounced: list[str], payers: list[str], asking: list[str], silent: list[str]
) -> None:
    """Each notice ended as what befell it demands; upstream was told of exactly one sanction for each that fired."""
    found = {row["source_ref"]: row["state"] for row in await system.fetch("SELECT source_ref, state FROM notice")}
    expected = {
        **dict.fromkeys(bounced, "unserved"), **dict.fromkeys(payers, "satisfied"), **dict.fromkeys(asking, "lapsed"),
        **dict.fromkeys(silent, "sanctioned"),
    }  # fmt: skip
    wrong = {ref: (found[ref], state) for ref, state in expected.items() if found[ref] != state}
    assert not wrong, f"(is, should be): {dict(list(wrong.items())[:10])}"
    held = await system.fetch("SELECT source_ref FROM hold JOIN notice USING (notice_id) WHERE lifted_at IS NULL")
    assert sorted(row["source_ref"] for row in held) == sorted(asking)
    told = await system.fetch(
        "SELECT source_ref FROM outbox JOIN notice USING (notice_id)"
        " WHERE type = 'sanction.fired.v1' AND sent_at IS NOT NULL"
    )
    assert sorted(row["source_ref"] for row in told) == sorted(silent)
    assert await system.value("SELECT count(*) FROM sanction WHERE state = 'fired'") == len(silent)
