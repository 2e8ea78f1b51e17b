"""What the mail system said, made fit to keep: RFC 5321 replies with RFC 3463 status codes."""

from __future__ import annotations

import re
import ssl

from services.kernel.ports import Phase, SmtpReply

_LONGEST = 500
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


def reply_from(phase: Phase, code: int, message: str) -> SmtpReply:
    """A reply as it came; lines of one reply are joined by a space.

    A code that SMTP does not know counts as no reply: nothing can be concluded from it.
    """
    known = code if 200 <= code <= 599 else None  # noqa: PLR2004 -- RFC 5321 section 4.2.1
    enhanced = enhanced_status(code, message)
    return SmtpReply(phase, known, enhanced, clean(_joined(message, enhanced)))


def silence(phase: Phase, fault: BaseException) -> SmtpReply:
    """No reply: a time-out, a lost connection, a handshake that failed."""
    if isinstance(fault, TimeoutError):
        text = "no reply in time"
    elif isinstance(fault, ssl.SSLCertVerificationError):
        text = f"the server's certificate was not accepted: {fault.verify_message}"
    else:
        text = f"{type(fault).__name__}: {fault}"
    return SmtpReply(phase, None, "", clean(text))


def enhanced_status(code: int, message: str) -> str:
    """The status code that begins the text (RFC 2034), if its class agrees with the reply's; else empty."""
    match = _STATUS.match(message)
    return match[0] if match and int(match[1]) == code // 100 else ""


def clean(text: str) -> str:
    """Text fit for a row and a log: one line, printable, 500 characters at most."""
    text = text[: 2 * _LONGEST]
    if not text.isascii():
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return text[:_LONGEST].strip()


def _joined(message: str, enhanced: str) -> str:
    first, *rest = message.split("\n")
    if not rest:
        return first
    return " ".join([first, *(line.removeprefix(enhanced).strip() for line in rest)])
