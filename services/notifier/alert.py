"""The alert e-mail: it says that something is waiting, and nothing else.

No content, no case data, no link: an alert goes over open mail to an address that may no longer be the recipient's.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from uuid import UUID

from services.kernel.adapters.library.documents import Fault, LibraryFault
from services.kernel.adapters.library.markdown import Segments, prepare_markdown, segments
from services.kernel.adapters.library.wordings import load_versions
from services.kernel.domain.template import PLACEHOLDER, Template, placeholder_faults

AUTHORITY = "authority"
"""The one placeholder that an alert may have: the name of the authority that writes."""
ECHOED = {
    "mailgun": ('X-Mailgun-Variables: {"duly": "n-', '"}\r\n'),
    "postmark": ("X-PM-Metadata-duly: n-", "\r\n"),
    "sendgrid": ('X-SMTPAPI: {"unique_args": {"duly": "n-', '"}}\r\n'),
    "ses": ("", ""),
}
"""By provider, the header around an attempt's token that comes back in its callbacks; SES tells the envelope sender.

Sources: Mailgun, "Attaching metadata to messages"; Postmark, "Custom metadata FAQ" (80 characters at most); SendGrid,
"Unique arguments" of the SMTP API; SES, the `mail` object's `source`.
"""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_REFUSED = (
    (re.compile(r"[a-z][a-z0-9+-]*://\S*|\b(?:mailto|tel|data|javascript):\S*", re.IGNORECASE), "a URL"),
    (re.compile(r"[^\W_][.。][^\W\d_]{2}\w*"), "what reads as a domain name"),
    (re.compile(r"\b(?:href|src)\b", re.IGNORECASE), "a link attribute"),
    (re.compile(r"\]\s*[(\[]|^\s*\[[^\]]*\]:", re.MULTILINE), "a Markdown link"),
    (re.compile(r"<[A-Za-z/!?][^>]*>?"), "HTML"),
    (re.compile(r"\S*@\S*"), "an address"),
    (re.compile(r"\d(?:[\s./-]?\d){2,}"), "digits that read as a reference, a date or a telephone number"),
    (re.compile(r"\b(?=[\w/-]*\d)(?=[\w/-]*[^\W\d_])[\w/-]{4,}"), "letters and digits that read as a reference"),
    (re.compile(r"[£$€]\s*\d*|\d+\s*[£$€]"), "an amount of money"),
)


@dataclass(frozen=True, slots=True)
class AlertSkeleton:
    """One alert in one language, made once into bytes that lack only the lines that differ from mail to mail."""

    language: str
    template_hash: bytes
    _rest: bytes
    _echoed: tuple[str, str] = ("", "")

    def build(self, recipient: str, message_id: str, date: datetime, token: str = "") -> bytes:
        """Write one mail, RFC 5322 with CRLF. `recipient` is a `normal` address; `message_id` has its angle brackets.

        `token` is the attempt's; it stands in the mail only where a provider echoes it.

        Raises:
            ValueError: a character in recipient or message id could end the header line, or the date has no zone.
        """
        if not (_fits_header(recipient) and _fits_header(message_id)):
            raise ValueError("recipient and message id must be printable ASCII without spaces")
        head = f"Date: {_header_date(date)}\r\nMessage-ID: {message_id}\r\nTo: {recipient}\r\n"
        before, after = self._echoed
        return (f"{head}{before}{token}{after}" if before else head).encode("ascii") + self._rest


def message_id(notice_id: UUID, domain: str) -> str:
    """The Message-ID of every alert of one notice, the same at each attempt, so that duplicates can be told."""
    return f"<{notice_id.hex}@{domain}>"


def load_alerts(folder: Path, languages: Sequence[str]) -> Template:
    """Load the newest version of the alert texts: `<version>/meta.yaml` and a Markdown file a language.

    Raises:
        LibraryFault: lists everything that is wrong, also whatever an alert must not say.
    """
    faults: list[Fault] = []
    versions = load_versions(folder, "", languages, faults)
    for version, template in versions.items():
        for language, wording in template.wordings.items():
            subject_at, body_at = folder / version / "meta.yaml", folder / version / f"{language}.md"
            faults += [Fault(subject_at, 1, f"subjects.{language}", each) for each in check_alert(wording.subject)]
            faults += [Fault(body_at, 1, "", each) for each in check_alert(wording.body)]
    if faults:
        raise LibraryFault(faults)
    return versions[max(versions, key=int)]


def check_alert(text: str) -> list[str]:
    """List what an alert must not have: placeholders but the authority's name, links, addresses, figures, case data.

    The text is looked at as written and as a reader will see it, so that escapes and emphasis hide nothing.
    """
    faults = placeholder_faults(text, frozenset({AUTHORITY}))
    if any(unicodedata.category(character) in {"Cf", "Co", "Cs"} for character in text):
        faults.append("an invisible character")
    bare = PLACEHOLDER.sub(" ", text)
    shown = "".join(prepare_markdown(bare).text.pieces)
    for seen in (bare, html.unescape(bare).replace("\\", ""), shown):
        plain = unicodedata.normalize("NFKC", seen)
        faults += [
            f"{what}: {found.group(0).strip()!r}" for refused, what in _REFUSED for found in refused.finditer(plain)
        ]
    return list(dict.fromkeys(faults))


def prepare_alert(
    template: Template, language: str, *, authority: str, sender: str, provider: str | None = None
) -> AlertSkeleton:
    """Make the skeleton of one language. `sender` is the address of the From header, `authority` its display name.

    `provider` is who sends the mails on and calls back, None for a mail system that does not.

    Raises:
        KeyError: the template has no wording in this language.
        ValueError: the authority's name has what an alert must not have.
    """
    if faults := [*check_alert(authority), *_name_faults(authority)]:
        raise ValueError(f"the authority's name cannot stand in an alert: {'; '.join(faults)}")
    wording = template.wordings[language]
    body = prepare_markdown(wording.body)
    subject = _named(segments(wording.subject), authority)
    page = _page(language, html.escape(subject), _named(body.html, html.escape(authority)))
    mail = _headers(subject, Address(authority, addr_spec=sender))
    mail.set_content(_named(body.text, authority), charset="utf-8", cte="quoted-printable")
    mail.add_alternative(page, subtype="html", charset="utf-8", cte="quoted-printable")
    mail["Content-Language"] = language  # only now: set_content drops what it finds of the Content- headers
    for part in mail.iter_parts():
        del part["MIME-Version"]  # RFC 2045 section 4: the top of the mail has it, the parts need not
    # "=_" can stand in no quoted-printable line; the boundary is fixed so that resent alerts are equal byte for byte.
    mail.set_boundary(f"=_{template.content_hash.hex()[:32]}")
    echoed = ECHOED[provider] if provider else ("", "")
    return AlertSkeleton(language, template.content_hash, mail.as_bytes(policy=SMTP), echoed)


def _headers(subject: str, sender: Address) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["Subject"] = subject
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5
    # Not "All": that asks Exchange to suppress non-delivery reports (NDR) too, and those we must hear.
    mail["X-Auto-Response-Suppress"] = "DR, RN, NRN, OOF, AutoReply"
    return mail


def _named(parts: Segments, authority: str) -> str:
    return parts.filled({AUTHORITY: authority})


def _name_faults(authority: str) -> list[str]:
    fit = authority.strip() and authority.isprintable() and "((" not in authority
    return [] if fit else ["it is empty, or has a placeholder or a control character"]


def _page(language: str, title: str, body: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head><meta charset="utf-8"><title>{title}</title></head>\n'
        f"<body>\n{body}</body>\n</html>\n"
    )


def _fits_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text and bool(text)


def _header_date(date: datetime) -> str:
    """RFC 5322 section 3.3, always in UTC; the standard library's writer costs three times as much."""
    if date.tzinfo is None:
        raise ValueError("the date of a mail needs a time zone")
    utc = date.astimezone(UTC)
    day = f"{_DAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc.year:04}"
    return f"{day} {utc.hour:02}:{utc.minute:02}:{utc.second:02} +0000"
