"""Stalls: what stops, is slow, refuses or goes away, and what comes of it; judged by database and sink."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import amqp
import pytest
import pytest_asyncio

from tests.faults.stalls_rig import Town, a_town
from tests.rig.system import fee_outstanding, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
_WAITS_FOR = "SELECT waiting_for FROM gate_wait JOIN notice USING (notice_id) WHERE source_ref = $1"
_SANCTION = "SELECT s.state FROM sanction s JOIN notice USING (notice_id) WHERE source_ref = $1"
_FIRED = "SELECT count(*) FROM sanction JOIN notice USING (notice_id) WHERE source_ref = $1 AND fired_at IS NOT NULL"

_TRIED = "SELECT count(*) FROM attempt a JOIN notice USING (notice_id) WHERE source_ref = $1 AND a.state = $2"
_WHY = """
    SELECT e.data->>'reason' FROM notice_event e JOIN notice USING (notice_id)
    WHERE source_ref = $1 AND e.kind = 'notice.unserved'
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with a_town(tmp_path_factory.mktemp("stalls")) as town:
        yield town
        assert await town.system.fetch("SELECT worker, reason FROM failed_item WHERE worker <> 'intake'") == []
        assert await town.system.value("SELECT lost FROM conservation") == 0


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def well_again(town: Town) -> AsyncIterator[None]:
    """What one test broke is whole for the next."""
    yield
    town.heal()


async def test_a_bounce_held_by_a_stopped_process_stops_the_sanction_and_unserves_in_the_end(town: Town) -> None:
    system = town.system
    await town.served("held")
    (bounces,) = system.of("bounces")
    bounces.send(signal.SIGSTOP)
    await town.bounce("held")
    await until(town.all_delivered("duly.bounces"), 10)  # the stopped process holds it
    await system.advance(days=25)
    await system.until_state("held", "lapsed")
    await system.until("SELECT count(*) FROM sanction JOIN notice USING (notice_id) WHERE source_ref = $1", 1, "held")
    await system.advance(days=2)
    await system.until(_WAITS_FOR, ["evidence_waiting"], "held")
    assert await system.value(_FIRED, "held") == 0
    bounces.send(signal.SIGCONT)
    await system.until_state("held", "unserved")
    assert await system.value(_SANCTION, "held") == "dropped"


async def test_undecodable_evidence_stops_the_sanctions_of_its_source_alone_until_a_person_clears_it(
    town: Town,
) -> None:
    system = town.system
    await town.served("blocked")
    await system.publish({**fee_outstanding("free"), "source": "registry"})
    await system.until_state("free", "served")
    with town.rabbit.channel() as channel:
        headers = {"ce-source": "fees"}
        garbage = amqp.Message(b"{not json", content_type="application/cloudevents+json", application_headers=headers)
        channel.basic_publish(garbage, exchange="duly", routing_key="obligation.satisfied.v1")
    await system.until("SELECT count(*) FROM raw_evidence WHERE type = 'undecodable' AND state = 'dead'", 1)
    await system.advance(days=25)
    for ref in ("blocked", "free"):
        await system.until_state(ref, "lapsed")
    await system.until("SELECT count(*) FROM sanction WHERE state = 'proposed'", 2)
    await system.advance(days=2)
    await system.until_state("free", "sanctioned")
    await system.until(_WAITS_FOR, ["source_blocked"], "blocked")
    assert await system.value(_FIRED, "blocked") == 0
    await town.clear_undecodable()
    await system.until_state("blocked", "sanctioned")


async def test_a_bounce_that_overtakes_our_own_commit_unserves_and_the_acceptance_is_recorded(town: Town) -> None:
    town.sink.misbehave("dot", "250 2.0.0 taken", match="early@*", after=4)
    await town.publish("early")
    await until(town.took_mail_for("early"), 20)
    await town.bounce("early")
    await town.system.until_state("early", "unserved")
    assert await town.attempts("early") == ["sending"], "the bounce must overtake our own commit"
    await town.system.until("SELECT count(*) FROM attempt WHERE state = 'sending'", 0)
    assert await town.attempts("early") == ["accepted"]
    assert (await town.facts("early"))[-2:] == ["notice.unserved", "alert.accepted"]
    assert await town.states("early") == {"unserved": 1}


async def test_an_acceptance_that_comes_after_the_lease_is_recorded_and_duplicates_are_bounded(town: Town) -> None:
    async with town.instead("notifier", "--lease", "1"):
        town.sink.misbehave("dot", "250 2.0.0 taken", match="slow-always@*", after=3)
        town.sink.misbehave("dot", "250 2.0.0 taken", match="slow-once@*", after=3, times=1)
        await town.publish("slow-once", "slow-always")
        await town.all_are("slow-", "served", 2)
        await town.system.until("SELECT count(*) FROM attempt WHERE state NOT IN ('accepted', 'refused')", 0)
    for ref in ("slow-once", "slow-always"):
        accepted = await town.attempts(ref)
        assert set(accepted) == {"accepted"}
        assert 2 <= len(accepted) <= 6
        assert (await town.facts(ref)).count("alert.accepted") == len(accepted) == len(town.mails(ref))
        assert (await town.facts(ref)).count("notice.served") == 1
    town.judge_mails("slow-", most=6)


@pytest.mark.parametrize(
    ("name", "phase", "reply"),
    [("auth", "auth", "535 5.7.8 authentication failed"), ("connect", "connect", "554 5.7.1 not from your network")],
)
async def test_a_storm_of_refusals_that_are_ours_unserves_nobody(town: Town, name: str, phase: str, reply: str) -> None:
    town.sink.misbehave(phase, reply)
    town.sink.control(do="disconnect")
    await town.publish(*(f"{name}-{n}" for n in range(60)))
    said = f"%{reply[:3]} at {phase}%"
    await town.system.until(
        "SELECT count(*) > 0 FROM attempt WHERE code = $1 AND phase = $2", True, int(reply[:3]), phase
    )
    await town.system.until(
        "SELECT on_since IS NOT NULL AND (reason LIKE $1 OR reason LIKE '%permanent refusals%') FROM sending_brake",
        True, said,
    )  # fmt: skip
    assert set(await town.states(f"{name}-")) == {"rendered"}
    assert [mail for mail in town.sink.mails() if mail["recipient"].startswith(f"{name}-")] == []
    town.sink.behave()
    await town.release()
    await town.all_are(f"{name}-", "served", 60)
    town.judge_mails(f"{name}-", most=1)


async def test_a_burst_of_refused_recipients_stops_sending_before_it_unserves_many(town: Town) -> None:
    town.sink.misbehave("rcpt", "550 5.1.1 no such user", match="burst-*")
    await town.publish(*(f"burst-{n}" for n in range(200)))
    await town.system.until("SELECT on_since IS NOT NULL AND until IS NULL FROM sending_brake")
    await town.system.until("SELECT count(*) FROM attempt WHERE state = 'sending'", 0)
    standing = await town.states("burst-")
    unserved = standing.get("unserved", 0)
    assert unserved < 60
    assert standing.get("served", 0) == 0
    await town.system.until("SELECT count(*) FROM notice WHERE source_ref LIKE 'burst-%'", 200)
    assert (await town.states("burst-"))["rendered"] == 200 - unserved
    town.sink.behave()
    await town.release()
    await town.system.value("UPDATE notice SET source_ref = 'gone-' || source_ref WHERE state = 'unserved'")
    await town.all_are("burst-", "served", 200 - unserved)
    assert await town.system.value("SELECT on_since IS NULL FROM sending_brake"), (
        "what was refused before counts no more"
    )


async def test_a_mailbox_that_puts_us_off_for_three_days_unserves_and_a_relay_that_is_away_does_not(town: Town) -> None:
    town.sink.misbehave("rcpt", "451 4.2.1 mailbox busy", match="busy@*")
    await town.publish("busy")
    await town.system.until(_TRIED, 1, "busy", "later")
    town.sink.stop()
    await town.publish("away")
    await town.system.until(_TRIED, 1, "away", "later")
    await _three_days_ago(town, "away")
    await town.system.until(_TRIED, 2, "away", "later")
    assert await town.states("away") == {"rendered": 1}
    town.sink.start().misbehave("rcpt", "451 4.2.1 mailbox busy", match="busy@*")
    await _three_days_ago(town, "busy")
    await town.system.until_state("busy", "unserved")
    assert "retries exhausted" in await town.system.value(_WHY, "busy")
    town.sink.behave()
    await town.all_are("away", "served", 1)


async def test_workers_wait_for_a_database_that_goes_away_and_lose_nothing(town: Town) -> None:
    await town.publish(*(f"dark-{n}" for n in range(100)))
    await town.system.until("SELECT count(*) > 5 FROM notice WHERE source_ref LIKE 'dark-%' AND state = 'served'")
    await town.without_database(1.5)  # long enough for every worker to notice
    await town.all_are("dark-", "served", 100)
    town.judge_mails("dark-", most=2)
    town.all_live()


async def test_workers_wait_for_a_broker_that_is_killed_and_lose_nothing(town: Town) -> None:
    await town.publish(*(f"mute-{n}" for n in range(100)))
    await town.system.until("SELECT count(*) > 5 FROM notice WHERE source_ref LIKE 'mute-%'")
    await asyncio.to_thread(town.rabbit.kill)
    await asyncio.to_thread(town.rabbit.start)
    await town.all_are("mute-", "served", 100)
    town.judge_mails("mute-", most=2)
    town.all_live()


async def _three_days_ago(town: Town, ref: str) -> None:
    """The first attempt was made so long ago, and the next is due."""
    await town.system.value(
        "UPDATE attempt SET started_at = started_at - interval '73 hours', retry_at = clock_timestamp()"
        " WHERE notice_id = (SELECT notice_id FROM notice WHERE source_ref = $1)",
        ref,
    )
