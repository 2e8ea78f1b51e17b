"""Standard reports (RFC 3464), complaints (RFC 5965), replies (RFC 3834): what each proves."""
# ruff: noqa: E501 - mails stand as they are sent

from __future__ import annotations

import base64

import pytest

from services.bounces.classify import classify

HUMAN = "--b\nContent-Type: text/plain\n\nSee the report.\n"
RETURNED = "--b\nContent-Type: message/rfc822\n\nMessage-ID: <n1@duly.example>\nTo: jane@firm.example\n\nhello\n--b--\n"


def recipient(address: str, action: str, status: str = "5.1.1", original: str = "") -> str:
    first = f"Original-Recipient: rfc822;{original}\n" if original else ""
    return f"{first}Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n\n"


def dsn(*recipients: str, headers: str = "", encoding: str = "7bit") -> bytes:
    status = "Reporting-MTA: dns; mx.example.net\n\n" + "".join(recipients)
    if encoding == "base64":
        status = base64.encodebytes(status.encode()).decode()
    part = f"--b\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: {encoding}\n\n{status}\n"
    head = 'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n'
    return f"From: postmaster@mx.example.net\nSubject: Report\n{headers}{head}\n{HUMAN}{part}{RETURNED}".encode()


@pytest.mark.parametrize("status", ["5.1.1", "4.4.7", "5.7.1", "2.0.0", ""])
def test_action_failed_is_final_whatever_the_status_class(status: str) -> None:
    found = classify(dsn(recipient("Jane@Firm.example", "failed", status)))
    assert (found.verdict, found.recipients) == ("final", ("jane@firm.example",))


@pytest.mark.parametrize(
    ("action", "verdict"),
    [("delayed", "delayed"), ("delivered", "delivered"), ("relayed", "delivered"), ("expanded", "delivered")],
)
@pytest.mark.parametrize("status", ["5.0.0", "4.0.0", "2.0.0"])
def test_other_actions_are_never_final_whatever_the_status_class(action: str, verdict: str, status: str) -> None:
    found = classify(dsn(recipient("jane@firm.example", action, status)))
    assert (found.verdict, found.recipients) == (verdict, ())


def test_of_mixed_actions_only_the_failed_recipients_are_told() -> None:
    actions = {"a": "failed", "b": "delayed", "c": "delivered", "d": "failed (no such user)", "e": "expanded"}
    found = classify(dsn(*(recipient(f"{name}@firm.example", action) for name, action in actions.items())))
    assert found.recipients == ("a@firm.example", "d@firm.example")


def test_the_original_recipient_is_the_address_that_the_sender_knows() -> None:
    found = classify(dsn(recipient("mbx17@store.firm.example", "failed", original="<jane@firm.example>")))
    assert found.recipients == ("jane@firm.example",)
    assert found.original_recipients == ("jane@firm.example",)


def test_an_original_recipient_that_is_no_address_gives_way_to_the_final_one() -> None:
    assert classify(dsn(recipient("jane@firm.example", "failed", original="unknown"))).recipients == (
        "jane@firm.example",
    )


@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable"])
def test_the_status_part_may_be_encoded(encoding: str) -> None:
    assert classify(dsn(recipient("jane@firm.example", "failed"), encoding=encoding)).verdict == "final"


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_any_line_end_is_read(ending: bytes) -> None:
    assert classify(dsn(recipient("jane@firm.example", "failed")).replace(b"\n", ending)).verdict == "final"


def test_auto_replied_does_not_hide_a_report() -> None:
    assert (
        classify(dsn(recipient("jane@firm.example", "failed"), headers="Auto-Submitted: auto-replied\n")).verdict
        == "final"
    )


def test_a_lost_boundary_does_not_hide_a_report() -> None:
    raw = dsn(recipient("jane@firm.example", "failed"))
    assert classify(raw.replace(b'boundary="b"', b"")).verdict == "final"
    assert classify(raw.replace(b"\n--b", b"\n--other")).verdict == "final"


def test_a_report_inside_the_returned_message_is_not_this_report() -> None:
    inner = dsn(recipient("jane@firm.example", "failed")).decode()
    raw = 'From: Bob <bob@firm.example>\nSubject: Fwd: help\nContent-Type: multipart/mixed; boundary="o"\n\n--o\n\nlook\n--o\n'
    assert classify(f"{raw}Content-Type: message/rfc822\n\n{inner}\n--o--\n".encode()).verdict == "other"


def test_the_returned_message_gives_its_id() -> None:
    assert classify(dsn(recipient("jane@firm.example", "failed"))).original_message_id == "<n1@duly.example>"


@pytest.mark.parametrize("kind", ["abuse", "fraud", "opt-out", "not-spam", "auth-failure"])
def test_a_feedback_report_is_a_complaint_and_no_failure(kind: str) -> None:
    head = "From: fbl@mx.example.net\nSubject: FW: fee\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
    part = (
        f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\nOriginal-Rcpt-To: Jane@firm.example\n\n"
    )
    found = classify((head + HUMAN + part + RETURNED).encode())
    assert (found.verdict, found.recipients, found.original_recipients) == ("complaint", (), ("jane@firm.example",))


@pytest.mark.parametrize("marker", ["Auto-Submitted: auto-replied", "X-Autoreply: yes", "Precedence: auto_reply"])
def test_a_responder_proves_nothing(marker: str) -> None:
    raw = f"From: Jane <jane@firm.example>\nSubject: Thanks\n{marker}\n\nI am away.\n"
    assert classify(raw.encode()).verdict == "auto-reply"


def test_a_read_receipt_is_no_failure() -> None:
    head = (
        "From: jane@firm.example\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n"
    )
    part = "--b\nContent-Type: message/disposition-notification\n\nDisposition: manual-action/MDN-sent-manually; displayed\n"
    assert classify((head + HUMAN + part + RETURNED).encode()).verdict == "delivered"


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"\x00" * 50, b"\xff\xfe", b"From: x", b"Content-Type: multipart/report\n\n--"]
)
def test_what_is_no_mail_is_other(raw: bytes) -> None:
    assert classify(raw).verdict in {"other", "unclear"}
