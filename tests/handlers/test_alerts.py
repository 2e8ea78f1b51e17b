"""Claiming and settling alerts: what may be sent, and what each reply makes of the notice."""

from __future__ import annotations

from uuid import UUID

import pytest

from schemas.messages.hops import NoticeRenderedV1
from services.kernel.ports import Phase, SmtpReply
from services.kernel.runtime.decision import NotNow
from services.notifier.handler import Claim
from tests.handlers.bench import Bench, hop
from tests.rig.system import fee_outstanding

TAKEN = SmtpReply(Phase.AFTER_DATA, 250, "2.0.0", "queued")
GONE = SmtpReply(Phase.AFTER_DATA, None, "", "connection lost")
NO_USER = SmtpReply(Phase.RCPT, 550, "5.1.1", "no such user")
LATER = SmtpReply(Phase.RCPT, 451, "4.2.1", "try again")
NOT_YOU = SmtpReply(Phase.MAIL, 550, "5.7.1", "sender refused")


async def claim(bench: Bench, notice_id: UUID) -> Claim | None:
    before = len(bench.claims)
    await bench.run(bench.notifier, hop("notice.rendered.v1", NoticeRenderedV1(notices=(notice_id,)), "notifier"))
    return bench.claims[-1] if len(bench.claims) > before else None


async def claimed(bench: Bench, ref: str = "n") -> Claim:
    made = await claim(bench, await bench.rendered(fee_outstanding(ref)))
    assert made is not None
    return made


async def test_an_attempt_is_committed_before_anything_is_sent(bench: Bench) -> None:
    made = await claimed(bench)
    row = await bench.ledger.pool.fetchrow("SELECT state, number, lease_until > started_at AS leased FROM attempt")
    assert (row["state"], row["number"], row["leased"]) == ("sending", 1, True)
    assert made.tries == 1


async def test_an_alert_in_flight_is_not_sent_again(bench: Bench) -> None:
    made = await claimed(bench)
    assert await claim(bench, made.notice_id) is None


async def test_nothing_is_claimed_while_the_sending_brake_is_on(bench: Bench) -> None:
    notice_id = await bench.rendered(fee_outstanding("n"))
    async with bench.ledger.begin() as tx:
        await tx.set_sending_brake("a burst", None, "test")
    with pytest.raises(NotNow, match="a burst"):
        await claim(bench, notice_id)
    assert await bench.notifier.may_begin(bench.ledger) == "a burst"
    assert await bench.value("SELECT count(*) FROM attempt") == 0


async def test_a_suppressed_address_makes_it_unserved_without_a_mail(bench: Bench) -> None:
    await bench.value("INSERT INTO suppressed_address VALUES ('n@business.example', 'asked', now()) RETURNING 1")
    notice_id = await bench.rendered(fee_outstanding("n", address="N@Business.Example"))
    assert await claim(bench, notice_id) is None
    assert await bench.state(notice_id) == "unserved"


async def test_an_acceptance_serves_and_sets_the_deadline(bench: Bench) -> None:
    made = await claimed(bench)
    await bench.settle(made, TAKEN)
    assert await bench.state(made.notice_id) == "served"
    assert await bench.value("SELECT state FROM attempt") == "accepted"
    assert await bench.value("SELECT period_days FROM deadline WHERE passed_at IS NULL") == 21


async def test_an_acceptance_after_the_lease_was_lost_is_recorded_and_serves(bench: Bench) -> None:
    made = await claimed(bench)
    await bench.value("UPDATE attempt SET lease_until = now() - interval '1 hour' RETURNING 1")
    async with bench.ledger.begin() as tx:
        assert await tx.abandon_attempts(10) == 1
    await bench.settle(made, TAKEN)
    assert await bench.value("SELECT state FROM attempt") == "accepted"
    assert await bench.state(made.notice_id) == "served"


async def test_an_acceptance_never_moves_an_unserved_notice(bench: Bench) -> None:
    made = await claimed(bench)
    await bench.settle(made, NO_USER)
    assert await bench.state(made.notice_id) == "unserved"
    await bench.settle(made, TAKEN)
    assert await bench.state(made.notice_id) == "unserved"
    assert await bench.value("SELECT kind FROM notice_event ORDER BY seq DESC LIMIT 1") == "alert.accepted"


async def test_an_unknown_outcome_is_sent_once_more_and_then_held(bench: Bench) -> None:
    made = await claimed(bench)
    await bench.settle(made, GONE)
    again = await claim(bench, made.notice_id)
    assert again is not None
    assert again.tries == 2
    await bench.settle(again, GONE)
    assert await claim(bench, made.notice_id) is None
    assert await bench.value("SELECT kind FROM hold WHERE lifted_at IS NULL") == "delivery_doubt"
    assert await bench.state(made.notice_id) == "rendered"
    assert await bench.value("SELECT count(*) FROM attempt WHERE retry_at IS NOT NULL") == 0


async def test_a_temporary_refusal_waits_and_unserves_only_when_the_patience_is_over(bench: Bench) -> None:
    made = await claimed(bench)
    await bench.settle(made, LATER)
    assert await bench.state(made.notice_id) == "rendered"
    assert await bench.value("SELECT retry_at > clock_timestamp() FROM attempt")
    await bench.value("UPDATE attempt SET started_at = started_at - interval '73 hours' RETURNING 1")
    again = await claim(bench, made.notice_id)
    assert again is not None
    await bench.settle(again, LATER)
    assert await bench.state(made.notice_id) == "unserved"
    reason = await bench.value("SELECT data->>'reason' FROM notice_event WHERE kind = 'notice.unserved'")
    assert reason.startswith("retries exhausted")


async def test_a_refusal_of_the_sender_is_ours_and_never_final(bench: Bench) -> None:
    made = await claimed(bench)
    await bench.value("UPDATE attempt SET started_at = started_at - interval '500 hours' RETURNING 1")
    await bench.settle(made, NOT_YOU)
    assert await bench.state(made.notice_id) == "rendered"
    assert await bench.value("SELECT state FROM attempt") == "ours"
    assert await bench.value("SELECT retry_at IS NOT NULL FROM attempt")


async def test_in_a_burst_a_refusal_decides_nothing(bench: Bench) -> None:
    made = await claimed(bench)
    await bench.settle(made, NO_USER, braked=True)
    assert await bench.state(made.notice_id) == "rendered"
    assert await bench.value("SELECT state FROM attempt") == "ours"


async def test_an_attempt_whose_process_died_again_and_again_is_held(bench: Bench) -> None:
    made: Claim | None = await claimed(bench)
    while made is not None:
        notice_id = made.notice_id
        await bench.value(
            "UPDATE attempt SET lease_until = now() - interval '1 hour' WHERE state = 'sending' RETURNING 1"
        )
        async with bench.ledger.begin() as tx:
            await tx.abandon_attempts(10)
            assert await tx.alerts_due(10, 30) == [notice_id]
        made = await claim(bench, notice_id)
    assert await bench.value("SELECT count(*) FROM attempt") == 6
    assert await bench.value("SELECT kind FROM hold WHERE lifted_at IS NULL") == "delivery_doubt"
