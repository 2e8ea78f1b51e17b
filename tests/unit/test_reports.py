"""Reports that the built-in mailbox makes: the standard library reads them as RFC 3464 says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

from flufl.bounce import all_failures

from services.kernel.adapters.mail.reports import auto_reply, delay_report, failure_report, header_of

ORIGINAL = (
    b"From: Supervision <notices@duly.example>\r\nTo: a@trader.example\r\nSubject: A message\r\n is waiting\r\n"
    b"Message-ID: <n1.a1@duly.example>\r\n\r\nSecret body that no report repeats\r\n"
)
SENDER = "n-token@bounces.example"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def failed(recipient: str = "a@trader.example", diagnostic: str = "550 5.1.1 no such user") -> EmailMessage:
    raw = failure_report(
        ORIGINAL,
        recipient=recipient,
        envelope_sender=SENDER,
        reporting_mta="mx.trader.example",
        status="5.1.1",
        diagnostic=diagnostic,
        date=NOON,
        report_id="r1",
    )
    return parsed(raw)


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    assert all(not part.defects for part in message.walk())
    return message


def groups(message: EmailMessage) -> list[dict[str, str]]:
    status = next(part for part in message.walk() if part.get_content_type() == "message/delivery-status")
    return [dict(group.items()) for group in status.get_payload()]


def test_a_failure_report_has_the_three_parts_of_rfc_6522() -> None:
    message = failed()
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert message["To"].addresses[0].addr_spec == SENDER
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Date"].datetime == NOON


def test_a_failure_report_names_recipient_action_status_and_diagnostic() -> None:
    whole, recipient = groups(failed())
    assert whole["Reporting-MTA"] == "dns; mx.trader.example"
    assert recipient["Final-Recipient"] == "rfc822;a@trader.example"
    assert recipient["Original-Recipient"] == "rfc822;a@trader.example"
    assert recipient["Action"] == "failed"
    assert recipient["Status"] == "5.1.1"
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"


def test_a_report_carries_the_original_headers_and_not_its_body() -> None:
    headers = list(failed().iter_parts())[2].get_content()
    text = headers.decode() if isinstance(headers, bytes) else headers
    assert "Message-ID: <n1.a1@duly.example>" in text
    assert "Secret" not in failed().as_string()


def test_another_reader_calls_it_a_permanent_failure() -> None:
    temporary, permanent = all_failures(failed())
    assert permanent == {b"a@trader.example"}
    assert not temporary


def test_line_breaks_in_what_is_reported_add_no_fields() -> None:
    _, recipient = groups(failed(diagnostic="550 no\r\nAction: delivered\r\n\r\nStatus: 2.0.0"))
    assert recipient["Action"] == "failed"
    assert recipient["Status"] == "5.1.1"
    assert "Action: delivered" in recipient["Diagnostic-Code"]


def test_a_delay_report_is_not_a_failure() -> None:
    until = NOON + timedelta(days=3)
    raw = delay_report(
        ORIGINAL,
        recipient="a@trader.example",
        envelope_sender=SENDER,
        reporting_mta="mx.trader.example",
        status="4.4.1",
        diagnostic="451 try later",
        date=NOON,
        report_id="r2",
        retry_until=until,
    )
    message = parsed(raw)
    _, recipient = groups(message)
    assert recipient["Action"] == "delayed"
    assert recipient["Will-Retry-Until"].startswith("Wed, 04 Mar 2026")
    assert not all_failures(message)[1]


def test_a_vacation_reply_says_that_it_is_automatic() -> None:
    raw = auto_reply(
        ORIGINAL,
        recipient="a@trader.example",
        envelope_sender=SENDER,
        text="I am away\nuntil Monday é",
        date=NOON,
        report_id="r3",
    )
    message = parsed(raw)
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["To"].addresses[0].addr_spec == SENDER
    assert message["In-Reply-To"] == "<n1.a1@duly.example>"
    assert message["Subject"] == "Auto: A message is waiting"
    assert message.get_content().splitlines() == ["I am away", "until Monday é"]
    assert all_failures(message) == (set(), set())


def test_a_header_is_found_unfolded_and_only_in_the_head() -> None:
    assert header_of(ORIGINAL, "subject") == "A message is waiting"
    assert header_of(b"A: b\r\n\r\nSubject: no\r\n", "Subject") == ""
