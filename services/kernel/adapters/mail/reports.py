"""Builds what mail systems send back: failure and delay reports, and vacation replies. Pure.

Standards: RFC 3464 and 6522 (delivery status notifications), 5321 (the null sender), 3834 (automatic replies).
"""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime

_RFC822 = "rfc822;"


def failure_report(
    original: bytes,
    *,
    recipient: str,
    envelope_sender: str,
    reporting_mta: str,
    status: str,
    diagnostic: str,
    date: datetime,
    report_id: str,
) -> bytes:
    """A report that delivery to the recipient failed for good (`Action: failed`).

    Args:
        original: the mail as it was taken; only its headers go into the report.
        recipient: the address that failed.
        envelope_sender: MAIL FROM of the original; the report is addressed to it.
        reporting_mta: DNS name of the mail system that reports.
        status: RFC 3463 status, for example `5.1.1`.
        diagnostic: the SMTP reply that explains it, for example `550 5.1.1 no such user`.
        date: zone-aware instant of the report.
        report_id: unique; becomes Message-ID and boundary.
    """
    human = (
        "I'm sorry to have to inform you that your message could not be delivered to the\r\n"
        f"recipient below. It will not be tried again.\r\n\r\n<{_line(recipient)}>: {_line(diagnostic)}\r\n"
    )
    return _report(
        original,
        envelope_sender=envelope_sender,
        reporting_mta=reporting_mta,
        subject="Undelivered Mail Returned to Sender",
        human=human,
        fields=_recipient_fields(recipient, "failed", status, diagnostic),
        date=date,
        report_id=report_id,
    )


def delay_report(
    original: bytes,
    *,
    recipient: str,
    envelope_sender: str,
    reporting_mta: str,
    status: str,
    diagnostic: str,
    date: datetime,
    report_id: str,
    retry_until: datetime,
) -> bytes:
    """A report that delivery is late and still being tried (`Action: delayed`). Arguments as `failure_report`."""
    human = (
        "THIS IS A WARNING ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.\r\n\r\n"
        f"It could not yet be delivered to <{_line(recipient)}>: {_line(diagnostic)}\r\n"
    )
    fields = _recipient_fields(recipient, "delayed", status, diagnostic)
    fields.append(f"Will-Retry-Until: {format_datetime(retry_until)}")
    return _report(
        original,
        envelope_sender=envelope_sender,
        reporting_mta=reporting_mta,
        subject="Delayed Mail (still being retried)",
        human=human,
        fields=fields,
        date=date,
        report_id=report_id,
    )


def auto_reply(
    original: bytes, *, recipient: str, envelope_sender: str, text: str, date: datetime, report_id: str
) -> bytes:
    """A vacation reply from the recipient (RFC 3834): it says nothing about delivery. Arguments as `failure_report`."""
    subject = header_of(original, "Subject")
    told = header_of(original, "Message-ID")
    headers = [
        f"From: <{_line(recipient)}>",
        f"To: <{_line(envelope_sender)}>",
        f"Subject: Auto: {subject}",
        f"Date: {format_datetime(date)}",
        f"Message-ID: <{report_id}@{_line(recipient).rpartition('@')[2]}>",
        "Auto-Submitted: auto-replied",
        "Precedence: bulk",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ]
    if told:
        headers += [f"In-Reply-To: {told}", f"References: {told}"]
    body = "\r\n".join(text.splitlines())
    return ("\r\n".join(headers) + f"\r\n\r\n{body}\r\n").encode()


def header_of(content: bytes, name: str) -> str:
    """The value of the first header of that name, unfolded, or empty."""
    unfolded = _headers(content).replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    wanted = name.lower().encode() + b":"
    for line in unfolded.split(b"\r\n"):
        if line.lower().startswith(wanted):
            return _line(line[len(wanted) :].decode("utf-8", "replace"))
    return ""


def _recipient_fields(recipient: str, action: str, status: str, diagnostic: str) -> list[str]:
    return [
        f"Original-Recipient: {_RFC822}{_line(recipient)}",
        f"Final-Recipient: {_RFC822}{_line(recipient)}",
        f"Action: {action}",
        f"Status: {_line(status)}",
        f"Diagnostic-Code: smtp; {_line(diagnostic)}",
    ]


def _report(
    original: bytes,
    *,
    envelope_sender: str,
    reporting_mta: str,
    subject: str,
    human: str,
    fields: list[str],
    date: datetime,
    report_id: str,
) -> bytes:
    boundary = f"=_{report_id}"
    when = format_datetime(date)
    top = [
        f"From: Mail Delivery System <MAILER-DAEMON@{_line(reporting_mta)}>",
        f"To: <{_line(envelope_sender)}>",
        f"Subject: {subject}",
        f"Date: {when}",
        f"Message-ID: <{report_id}@{_line(reporting_mta)}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
    ]
    message = [f"Reporting-MTA: dns; {_line(reporting_mta)}", f"Arrival-Date: {when}", "", *fields]
    status = "\r\n".join(message) + "\r\n"
    parts = (
        _part("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", human.encode()),
        _part("Content-Type: message/delivery-status", status.encode()),
        _part("Content-Type: text/rfc822-headers", _headers(original)),
    )
    mark = f"\r\n--{boundary}".encode()
    return "\r\n".join(top).encode() + b"\r\n" + b"".join(mark + part for part in parts) + mark + b"--\r\n"


def _part(headers: str, body: bytes) -> bytes:
    return b"\r\n" + headers.encode() + b"\r\n\r\n" + body


def _headers(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[0] + b"\r\n"


def _line(text: str) -> str:
    """One line of a header: what would break it becomes a space."""
    return "".join(char if char.isprintable() else " " for char in text).strip()
