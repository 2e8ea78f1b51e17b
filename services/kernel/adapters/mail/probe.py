"""Tries a mail system without sending anything, for `duly doctor`."""

from __future__ import annotations

from services.kernel.adapters.mail.dialogue import Ended, farewell
from services.kernel.adapters.mail.opening import Opening
from services.kernel.adapters.mail.settings import SmtpSettings, Tls
from services.kernel.ports import Phase, SmtpReply

_ADVICE = {
    Phase.CONNECT: "check host, port and firewall, and that the scheme fits the port (smtps:// usually 465, "
    "smtp+starttls:// 587, smtp:// 25)",
    Phase.EHLO: "the server refuses our name: set ?helo= to this machine's public name, or ask its operator",
    Phase.STARTTLS: "if its certificate is your own, name its authority with ?ca=FILE; if it protects from the first "
    "byte, use smtps://; if it is on this machine and plain, smtp://",
    Phase.AUTH: "check user and password in the URL (percent-encode special characters)",
    Phase.MAIL: "the server dropped us after the greeting: ask its operator",
}


class MailUnavailable(Exception):
    """The mail system cannot be used; the message says why and what to do."""


async def probe(settings: SmtpSettings) -> str:
    """Connect, greet, protect, authenticate, NOOP; return one line that says what was found. Sends no mail.

    Raises:
        MailUnavailable: with what is wrong and what to do.
    """
    try:
        connection = await Opening(settings, settings.tls_context()).open()
    except ValueError as error:
        raise MailUnavailable(f"{settings}: {error}") from error
    except Ended as ended:
        raise MailUnavailable(_diagnosis(settings, ended.reply)) from ended
    try:
        await connection.exchange(Phase.MAIL, b"NOOP\r\n", (2,), settings.command)
    except Ended as ended:
        raise MailUnavailable(_diagnosis(settings, ended.reply)) from ended
    finally:
        await farewell([connection])
    return _findings(settings, connection.extensions)


def _findings(settings: SmtpSettings, extensions: dict[str, str]) -> str:
    protection = "not encrypted" if settings.tls is Tls.NONE else "encrypted, certificate verified"
    identity = "authenticated" if settings.user else "without authentication"
    offered = ", ".join(sorted(extensions)) or "no extensions"
    return f"{settings} answers; {protection}; {identity}; offers {offered}"


def _diagnosis(settings: SmtpSettings, reply: SmtpReply) -> str:
    said = f"{reply.code} {reply.text}" if reply.code else reply.text
    advice = _ADVICE[Phase.STARTTLS if "certificate" in reply.text else reply.phase]
    return f"{settings}: {reply.phase} failed: {said}. What to do: {advice}."
