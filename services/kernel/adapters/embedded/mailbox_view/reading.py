"""What a page shows of a mail: plain text only. No part of a mail is ever markup here, and no mail is an error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime

from services.kernel.adapters.mail.folder import StoredMail


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to be read. `html` is the source of its HTML part; `headers` are all, as they came."""

    mail_id: str
    sender: str
    recipient: str
    subject: str
    sent_at: datetime | None
    envelope_sender: str
    message_id: str
    text: str
    html: str
    headers: str


def letter(mail: StoredMail) -> Letter:
    """Read a mail, however it is made."""
    message = message_from_bytes(mail.content)
    return Letter(
        mail.mail_id,
        sender=_decoded(message, "From"),
        recipient=mail.recipient,
        subject=_decoded(message, "Subject"),
        sent_at=_sent_at(message),
        envelope_sender=mail.envelope_sender,
        message_id=mail.message_id,
        text=_part(message, "text/plain"),
        html=_part(message, "text/html"),
        headers="\n".join(f"{name}: {value}" for name, value in message.items()),
    )


def _decoded(message: Message, name: str) -> str:
    """A header in the characters it stands for (RFC 2047); as it came where it cannot be decoded."""
    raw = str(message.get(name, ""))
    try:
        return str(make_header(decode_header(raw)))
    except (HeaderParseError, LookupError, ValueError):
        return raw


def _sent_at(message: Message) -> datetime | None:
    """The Date header in UTC; None if it has none that can be read."""
    try:
        return parsedate_to_datetime(str(message.get("Date", ""))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _part(message: Message, media_type: str) -> str:
    """The first part of that type, decoded; empty if there is none."""
    for part in message.walk():
        content = part.get_payload(decode=True)
        if part.get_content_type() == media_type and isinstance(content, bytes):
            try:
                return content.decode(part.get_content_charset("utf-8"), "replace")
            except LookupError:
                return content.decode("utf-8", "replace")
    return ""
