"""Whole stories, from upstream's request to the notice's end, through every real part in processes of their own.

The stories of this file share one system and its clock, which only moves forward; each has its own notices.
"""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from uuid import uuid4

import pytest

from services.kernel.adapters.library import load_library
from services.kernel.adapters.mail.reports import auto_reply, delay_report
from services.kernel.adapters.parts import LIBRARY
from services.kernel.domain.verp import envelope_sender, token
from services.kernel.runtime.desk import clear_evidence, extend_deadline, lift_hold
from services.kernel.runtime.desk_sanctions import rescind
from tests.journeys.outside import (
    OFFICER,
    Report,
    Upstream,
    bounced,
    desk,
    facts,
    gate_looks_again,
    keyring,
    lapse,
    mail_comes_back,
    notice_id,
    open_holds,
    sanction,
    through_the_mail_door,
    until_evidence,
    waits_for,
)
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System, fee_outstanding, information_request, paid, responded

pytestmark = pytest.mark.asyncio(loop_scope="module")


def address_of(ref: str) -> str:
    return f"{ref}@business.example"


def said(kind: str, ref: str, **more: object) -> dict[str, object]:
    """What upstream says about a notice besides payments and responses."""
    return {"type": kind, "source": "fees", "data": {"source_ref": ref, "reason": "registry's word", **more}}


async def of(duly: System, ref: str, query: str) -> object:
    """One value about one notice: `query` goes on from `SELECT` with tables that have its `notice_id`."""
    return await duly.value(f"SELECT {query} JOIN notice USING (notice_id) WHERE source_ref = $1", ref)


async def until_timer_passed(duly: System, ref: str) -> None:
    """Wait until the timer of a deadline has done its work, whatever that was."""
    timer = "SELECT bool_and(passed_at IS NOT NULL) FROM deadline JOIN notice USING (notice_id) WHERE source_ref = $1"
    await duly.until(timer, True, ref)


def complaint(original: bytes, recipient: str, sender: str) -> bytes:
    """A feedback report (RFC 5965)."""
    lines = (
        "From: <staff@hotmail.com>", f"To: <{sender}>", "Subject: complaint about message from 192.0.2.1",
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"', "MIME-Version: 1.0", "",
        "--b", "Content-Type: text/plain", "", "A recipient complains.",
        "--b", "Content-Type: message/feedback-report", "",
        "Feedback-Type: abuse", "User-Agent: Loop/1.0", "Version: 1", f"Original-Rcpt-To: <{recipient}>", "",
        "--b", "Content-Type: text/rfc822-headers", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + original.partition(b"\r\n\r\n")[0] + b"\r\n--b--\r\n"


def delayed(original: bytes, recipient: str, sender: str) -> bytes:
    return delay_report(
        original, recipient=recipient, envelope_sender=sender, reporting_mta="mx.business.example", status="4.4.1",
        diagnostic="451 4.4.1 no answer from host", date=datetime.now(UTC), report_id=uuid4().hex,
        retry_until=datetime.now(UTC) + timedelta(days=3),
    )  # fmt: skip


def away(original: bytes, recipient: str, sender: str) -> bytes:
    return auto_reply(
        original, recipient=recipient, envelope_sender=sender, text="I am away until Monday.", date=datetime.now(UTC),
        report_id=uuid4().hex,
    )  # fmt: skip


# --- satisfied --------------------------------------------------------------------------------------------------------


async def test_a_fee_paid_in_time_satisfies_and_a_late_duplicate_does_nothing(duly: System, upstream: Upstream) -> None:
    await duly.publish(fee_outstanding("paid"))
    await duly.until_state("paid", "served")
    await duly.publish(paid("paid"))
    await duly.until_state("paid", "satisfied")
    await duly.advance(days=30)
    await duly.publish(paid("paid"))
    await duly.until("SELECT count(*) FROM raw_evidence WHERE source_ref = 'paid' AND state = 'processed'", 2)
    await upstream.until("paid", "notice.satisfied.v1")
    assert await duly.state("paid") == "satisfied"
    assert (await facts(duly, "paid"))[-2:] == ["notice.satisfied", "response.recorded"]
    assert await open_holds(duly, "paid") == []
    assert (
        await duly.value("SELECT count(*) FROM sanction s JOIN notice n USING (notice_id) WHERE source_ref = 'paid'")
        == 0
    )
    assert [event["type"] for event in upstream.about("paid")] == [
        "notice.accepted.v1", "notice.served.v1", "notice.satisfied.v1",
    ]  # fmt: skip


async def test_a_request_for_information_with_an_approved_shorter_period_is_answered(
    duly: System, upstream: Upstream
) -> None:
    shorter = {"days": 7, "reason": "risk of flight", "approver": "senior-caseworker:J. Hughes"}
    await duly.publish(information_request("info", period=shorter))
    (served,) = await upstream.until("info", "notice.served.v1")
    deemed, due = (date.fromisoformat(served["data"][day]) for day in ("deemed_on", "due_on"))
    assert (due - deemed).days == 7
    assert await of(duly, "info", "(reason, approver) FROM deadline") == ("risk of flight", shorter["approver"])
    await duly.advance(days=6)
    await duly.publish(responded("info", "answer"))
    await duly.until_state("info", "satisfied")


async def test_a_payment_vouched_for_by_a_trusted_source_counts_from_then(duly: System, upstream: Upstream) -> None:
    await duly.publish(fee_outstanding("vouched"))
    await duly.until_state("vouched", "served")
    in_time = await duly.value("SELECT deadline_at FROM notice WHERE source_ref = 'vouched'") - timedelta(hours=1)
    await lapse(duly, "vouched")
    await duly.publish(paid("vouched", received_at=in_time.isoformat()))
    await duly.until_state("vouched", "satisfied")
    (told,) = await upstream.until("vouched", "notice.satisfied.v1")
    assert datetime.fromisoformat(told["data"]["received_at"]) == in_time


async def test_a_source_that_may_not_vouch_is_not_believed(duly: System) -> None:
    await duly.publish(information_request("unvouched"))
    await duly.until_state("unvouched", "served")
    in_time = await duly.value("SELECT deadline_at FROM notice WHERE source_ref = 'unvouched'") - timedelta(hours=1)
    late = responded("unvouched", "answer")
    late["data"]["received_at"] = in_time.isoformat()
    hold = "SELECT kind FROM hold JOIN notice USING (notice_id) WHERE source_ref = 'unvouched'"
    await duly.publish(responded("unvouched", "question"))  # holds the close, so that the answer finds a lapsed notice
    await duly.until(hold, "contested")
    await lapse(duly, "unvouched")
    await duly.publish(late)
    await duly.until(f"SELECT array_agg(kind) FROM ({hold}) AS h", ["contested", "late_response"])
    assert await duly.state("unvouched") == "lapsed"


# --- sanctioned -------------------------------------------------------------------------------------------------------


async def test_an_unanswered_fee_notice_is_served_lapses_and_is_sanctioned(
    duly: System, sink: SinkProcess, upstream: Upstream
) -> None:
    await duly.publish(fee_outstanding("cancelled"))
    fired = await sanction(duly, "cancelled")
    (told,) = await upstream.until("cancelled", "sanction.fired.v1")
    assert told["data"]["sanction_id"] == str(fired)
    assert told["data"]["kind"] == "registration.cancel"
    assert len([mail for mail in sink.mails() if mail["recipient"] == address_of("cancelled")]) == 1
    assert [event["type"] for event in upstream.about("cancelled")] == [
        "notice.accepted.v1", "notice.served.v1", "notice.lapsed.v1", "sanction.proposed.v1", "sanction.fired.v1",
    ]  # fmt: skip


async def test_a_deadline_that_was_extended_leaves_its_old_timer_without_effect(duly: System) -> None:
    await duly.publish(fee_outstanding("extended"))
    await duly.until_state("extended", "served")
    named = await notice_id(duly, "extended")
    due_on = await duly.value("SELECT due_on FROM deadline WHERE notice_id = $1", named)
    async with desk(duly) as officers:
        await extend_deadline(officers, load_library(LIBRARY), named, due_on + timedelta(days=30), OFFICER)
    await duly.advance(days=25)
    await duly.until("SELECT passed_at IS NOT NULL FROM deadline WHERE notice_id = $1 AND version = 1", True, named)
    assert await duly.state("extended") == "served"
    await duly.advance(days=30)
    await duly.until_state("extended", "lapsed")


# --- unserved ---------------------------------------------------------------------------------------------------------


async def test_a_bounce_makes_it_unserved_and_it_is_never_sanctioned(
    duly: System, sink: SinkProcess, upstream: Upstream
) -> None:
    await duly.publish(fee_outstanding("bounced"))
    await duly.until_state("bounced", "served")
    await mail_comes_back(duly, sink, address_of("bounced"), bounced(address_of("bounced")))
    await duly.until_state("bounced", "unserved")
    await duly.advance(days=40)
    await until_timer_passed(duly, "bounced")
    await upstream.until("bounced", "notice.unserved.v1")
    assert await duly.state("bounced") == "unserved"
    assert upstream.about("bounced", "sanction.fired.v1", "sanction.proposed.v1", "notice.lapsed.v1") == []


async def test_an_address_that_the_mail_system_refuses_makes_it_unserved(
    duly: System, sink: SinkProcess, upstream: Upstream
) -> None:
    sink.misbehave("rcpt", "550 5.1.1 no such user", match="nobody@*")
    await duly.publish(fee_outstanding("nobody"))
    (told,) = await upstream.until("nobody", "notice.unserved.v1")
    assert await duly.state("nobody") == "unserved"
    assert await duly.value("SELECT served_at FROM notice WHERE source_ref = 'nobody'") is None
    assert told["data"]["reason"]
    evidence = await of(duly, "nobody", "max(data::text) FILTER (WHERE kind = 'notice.unserved') FROM notice_event")
    assert '"code": 550' in evidence
    assert '"enhanced": "5.1.1"' in evidence


# --- refused for scope ------------------------------------------------------------------------------------------------


async def test_a_notice_type_outside_the_regimes_purposes_is_refused_with_the_reason(
    duly: System, upstream: Upstream
) -> None:
    await duly.publish(information_request("scope", notice_type="compliance-intervention"))
    (told,) = await upstream.until("scope", "notice.refused.v1")
    assert any(
        reason.startswith("scope: ") and "compliance-interventions" in reason for reason in told["data"]["reasons"]
    )
    assert not any("unknown template" in reason for reason in told["data"]["reasons"])
    assert await duly.state("scope") is None


async def test_upstream_is_told_each_fact_once_and_in_order(duly: System, upstream: Upstream) -> None:
    refs = [f"order-{number}" for number in range(12)]
    await duly.publish(*map(fee_outstanding, refs))
    for ref in refs:
        await duly.until_state(ref, "served")
    await duly.publish(*map(paid, refs))
    for ref in refs:
        await upstream.until(ref, "notice.satisfied.v1")
    for ref in refs:
        heard = upstream.about(ref)
        numbers = [int(event["sequence"]) for event in heard]
        assert numbers == list(range(1, len(heard) + 1)), f"{ref}: told out of order, twice, or with a gap"
        rows = await duly.fetch("SELECT seq, kind FROM notice_event WHERE notice_id = $1", await notice_id(duly, ref))
        chain = {row["seq"]: row["kind"] for row in rows}
        facts = [int(event["id"].removeprefix(f"{event['subject']}:")) for event in heard]
        assert [event["type"].removesuffix(".v1") for event in heard] == [chain[number] for number in facts]
        assert facts == sorted(facts)
    assert await duly.value("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0


# --- holds ------------------------------------------------------------------------------------------------------------


async def test_a_question_holds_the_sanction_until_a_person_lifts_and_the_minimum_is_over(
    duly: System, upstream: Upstream
) -> None:
    await duly.publish(fee_outstanding("question"))
    await duly.until_state("question", "served")
    await duly.publish(responded("question", "question", source="fees"))
    (held,) = await upstream.until("question", "hold.placed.v1")
    await lapse(duly, "question")
    await duly.advance(days=3)
    await waits_for(duly, "question", "hold_open")
    await gate_looks_again(duly, "question")
    assert await duly.state("question") == "lapsed"
    async with desk(duly) as officers:
        await lift_hold(officers, held["data"]["hold_id"], OFFICER)
    await waits_for(duly, "question", "after_hold")
    await duly.advance(days=6)
    await gate_looks_again(duly, "question")
    assert await duly.state("question") == "lapsed"
    await duly.advance(days=1, hours=1)
    await duly.until_state("question", "sanctioned")
    (lifted,) = await upstream.until("question", "hold.lifted.v1")
    assert lifted["data"]["lifted_by"] == OFFICER.by


async def test_a_payment_after_the_deadline_and_before_the_sanction_is_held_for_a_person(duly: System) -> None:
    await duly.publish(fee_outstanding("late"))
    await lapse(duly, "late")
    await duly.publish(paid("late"))
    await waits_for(duly, "late", "hold_open")
    await duly.advance(days=10)
    await gate_looks_again(duly, "late")
    assert await duly.state("late") == "lapsed"
    assert await open_holds(duly, "late") == ["late_response"]


async def test_an_objection_stops_the_sanction(duly: System, upstream: Upstream) -> None:
    await duly.publish(fee_outstanding("objected"))
    await lapse(duly, "objected")
    await upstream.until("objected", "sanction.proposed.v1")
    await duly.publish(said("sanction.objected.v1", "objected", objected_by="M. Rees"))
    await waits_for(duly, "objected", "objected")
    await duly.advance(days=3)
    await gate_looks_again(duly, "objected")
    assert await duly.state("objected") == "lapsed"
    assert await open_holds(duly, "objected") == ["objection"]


async def test_an_unclear_report_holds_and_does_not_decide(duly: System, sink: SinkProcess) -> None:
    await duly.publish(fee_outstanding("unclear"))
    await duly.until_state("unclear", "served")
    evidence = await mail_comes_back(duly, sink, address_of("unclear"), bounced("somebody@elsewhere.example"))
    await until_evidence(duly, evidence)
    assert await duly.state("unclear") == "served"
    assert await open_holds(duly, "unclear") == ["delivery_doubt"]


# --- what changes nothing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("report", [delayed, away, complaint], ids=["delay", "auto-reply", "complaint"])
async def test_what_is_no_evidence_of_failure_changes_nothing(duly: System, sink: SinkProcess, report: Report) -> None:
    ref = f"no-{report.__name__}"
    await duly.publish(fee_outstanding(ref))
    await duly.until_state(ref, "served")
    evidence = await mail_comes_back(duly, sink, address_of(ref), report)
    await until_evidence(duly, evidence)
    assert await duly.state(ref) == "served"
    assert await open_holds(duly, ref) == []
    assert (await facts(duly, ref))[-1] == "mail.reported"


async def test_a_bounce_whose_token_names_no_attempt_of_ours_is_parked(duly: System) -> None:
    sender = envelope_sender(token(uuid4(), keyring()), "bounces.authority.example")
    raw = bounced("ghost@business.example")(b"Subject: x\r\n\r\n", "", sender)
    evidence = await through_the_mail_door(duly, raw, sender)
    await until_evidence(duly, evidence, "parked")
    async with desk(duly) as officers:
        await clear_evidence(officers, evidence, OFFICER)
    await until_evidence(duly, evidence, "cleared")


# --- reversal ---------------------------------------------------------------------------------------------------------


async def test_a_late_bounce_after_the_sanction_demands_one_reversal_and_a_person_rescinds(
    duly: System, sink: SinkProcess, upstream: Upstream
) -> None:
    await duly.publish(fee_outstanding("reversed"))
    fired = await sanction(duly, "reversed")
    for _ in range(2):
        evidence = await mail_comes_back(duly, sink, address_of("reversed"), bounced(address_of("reversed")))
        await until_evidence(duly, evidence)
    await upstream.until("reversed", "sanction.reversal_required.v1")
    assert await duly.state("reversed") == "sanctioned", "never a silent flip"
    async with desk(duly) as officers:
        await rescind(officers, fired, OFFICER)
    (rescinded,) = await upstream.until("reversed", "sanction.rescinded.v1")
    await upstream.until("reversed", "notice.unserved.v1")
    assert rescinded["data"]["sanction_id"] == str(fired)
    assert rescinded["data"]["rescinded_by"] == OFFICER.by
    assert len(upstream.about("reversed", "sanction.reversal_required.v1")) == 1
    assert await duly.state("reversed") == "unserved"


# --- other ends -------------------------------------------------------------------------------------------------------


async def test_upstream_withdraws_a_notice_and_its_deadline_is_void(duly: System, upstream: Upstream) -> None:
    await duly.publish(fee_outstanding("withdrawn"))
    await duly.until_state("withdrawn", "served")
    await duly.publish(said("withdrawal.requested.v1", "withdrawn", requested_by="M. Rees"))
    await upstream.until("withdrawn", "notice.withdrawn.v1")
    await duly.advance(days=25)
    await until_timer_passed(duly, "withdrawn")
    assert await duly.state("withdrawn") == "withdrawn"


async def test_a_notice_that_asks_for_nothing_ends_at_served(duly: System, upstream: Upstream) -> None:
    values = {
        "business_name": "Harbour & Sons", "registration_number": "XYZ1", "change": "address",
        "changed_on": "2026-11-01",
    }  # fmt: skip
    await duly.publish(fee_outstanding("update", notice_type="registration-update", values=values))
    (served,) = await upstream.until("update", "notice.served.v1")
    assert served["data"]["due_on"] is None
    assert await duly.value("SELECT deadline_at FROM notice WHERE source_ref = 'update'") is None
    assert (
        await duly.value("SELECT count(*) FROM deadline JOIN notice USING (notice_id) WHERE source_ref = 'update'") == 0
    )
    await duly.publish(responded("update", "question", source="fees"))
    await duly.until("SELECT count(*) FROM raw_evidence WHERE source_ref = 'update' AND state = 'processed'", 1)
    assert await open_holds(duly, "update") == ["contested"]  # nothing follows, but whoever asks is owed a person
    assert await duly.state("update") == "served"


async def test_a_welsh_notice_is_served_with_a_welsh_alert(duly: System, sink: SinkProcess) -> None:
    await duly.publish(fee_outstanding("cymraeg", language="cy"), fee_outstanding("english"))
    await duly.until_state("cymraeg", "served")
    await duly.until_state("english", "served")
    mails = {mail["recipient"]: message_from_bytes(b64decode(mail["content"]), policy=default) for mail in sink.mails()}
    welsh, english = mails[address_of("cymraeg")], mails[address_of("english")]
    assert welsh["Content-Language"] == "cy"
    assert welsh["Subject"] != english["Subject"]
    subject = await of(duly, "cymraeg", "subject FROM notice_content")
    assert subject == "Nid yw'ch ffi oruchwylio wedi'i thalu"


async def test_a_fixed_date_is_taken_if_it_leaves_the_approved_period_and_refused_at_the_door_if_not(
    duly: System, upstream: Upstream
) -> None:
    today = await duly.value("SELECT (legal_now() AT TIME ZONE 'Europe/London')::date")
    await duly.publish(
        fee_outstanding("fixed", respond_by=str(today + timedelta(days=30))),
        fee_outstanding("early", respond_by=str(today + timedelta(days=20))),
        fee_outstanding("never", respond_by="9999-12-31"),
    )  # fmt: skip
    (served,) = await upstream.until("fixed", "notice.served.v1")
    assert served["data"]["due_on"] == str(today + timedelta(days=30))
    (early,) = await upstream.until("early", "notice.refused.v1")
    assert [reason.partition(":")[0] for reason in early["data"]["reasons"]] == ["respond_by"]
    assert str(today + timedelta(days=21)) in early["data"]["reasons"][0], "it says the earliest date that would do"
    (never,) = await upstream.until("never", "notice.refused.v1")
    assert "beyond the calendar" in never["data"]["reasons"][0]
    assert await duly.state("early") is None


# --- duplicates -------------------------------------------------------------------------------------------------------


async def test_the_same_request_is_one_notice_and_another_under_its_reference_is_refused_with_the_difference(
    duly: System, sink: SinkProcess, upstream: Upstream
) -> None:
    request = {**fee_outstanding("twice"), "id": "twice-1"}
    await duly.publish(request)
    await duly.until_state("twice", "served")
    await duly.publish(request)
    await duly.publish({**request, "id": "twice-2"})
    accepted = await upstream.until("twice", "notice.accepted.v1", 2)
    assert accepted[0]["id"] == accepted[1]["id"], "the same answer, told again"
    other = fee_outstanding("twice", business_id="B-other", language="cy")
    await duly.publish(other)
    (refused,) = await upstream.until("twice", "notice.refused.v1")
    (reason,) = refused["data"]["reasons"]
    assert 'business_id was "B-twice", now "B-other"' in reason
    assert "language was null" in reason
    assert await duly.value("SELECT count(*) FROM notice WHERE source_ref = 'twice'") == 1
    assert len([mail for mail in sink.mails() if mail["recipient"] == address_of("twice")]) == 1


# --- the brake --------------------------------------------------------------------------------------------------------


async def test_the_stop_switch_holds_sanctions_back_and_then_lets_them_go(duly: System) -> None:
    await duly.publish(fee_outstanding("stopped"))
    async with desk(duly) as officers, officers.begin() as tx:
        await tx.stop_kind("registration.cancel", OFFICER, stopped=True)
    await lapse(duly, "stopped")
    await waits_for(duly, "stopped", "objection_window")
    await duly.advance(days=3)
    await gate_looks_again(duly, "stopped")
    await waits_for(duly, "stopped", "stopped")
    assert await duly.state("stopped") == "lapsed"
    async with desk(duly) as officers, officers.begin() as tx:
        await tx.stop_kind("registration.cancel", OFFICER, stopped=False)
    await duly.until_state("stopped", "sanctioned")


async def every_other_story_ends(duly: System) -> None:
    """So that no sanction of another story takes a place under the cap."""
    await duly.advance(days=60)
    await duly.until("SELECT count(*) FROM deadline WHERE passed_at IS NULL", 0)
    await duly.advance(days=10)
    await duly.until("SELECT count(*) FROM gate_wait WHERE NOT 'hold_open' = ANY (waiting_for)", 0)


async def test_the_cap_lets_one_through_and_the_other_when_the_hour_is_over(duly: System) -> None:
    await every_other_story_ends(duly)
    await duly.publish(fee_outstanding("cap-1"), fee_outstanding("cap-2"))
    async with desk(duly) as officers, officers.begin() as tx:
        await tx.cap_kind("registration.cancel", 1, OFFICER)
    await duly.until_state("cap-1", "served")
    await lapse(duly, "cap-2")
    both = "SELECT count(*) FROM notice WHERE source_ref LIKE 'cap-%' AND state = $1"
    await duly.until("SELECT count(*) FROM sanction JOIN notice USING (notice_id) WHERE source_ref LIKE 'cap-%'", 2)
    await duly.advance(days=3)
    await duly.until(both.replace("$1", "'sanctioned'"), 1)
    waiting = await duly.value("SELECT source_ref FROM notice WHERE source_ref LIKE 'cap-%' AND state = 'lapsed'")
    await waits_for(duly, waiting, "cap_reached")
    await gate_looks_again(duly, waiting)
    assert await duly.value(both, "sanctioned") == 1
    await duly.advance(hours=2)
    await duly.until(both.replace("$1", "'sanctioned'"), 2)
    async with desk(duly) as officers, officers.begin() as tx:
        await tx.cap_kind("registration.cancel", None, OFFICER)


# --- in the end -------------------------------------------------------------------------------------------------------


async def test_nothing_is_lost_and_every_notice_has_a_place(duly: System) -> None:
    assert await duly.value("SELECT lost FROM conservation") == 0
    assert await duly.value("SELECT count(*) FROM failed_item") == 0
