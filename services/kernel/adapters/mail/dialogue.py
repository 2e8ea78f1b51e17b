"""One mail after another over an open SMTP connection, command by command (RFC 5321)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from aiosmtplib import SMTPResponse

from services.kernel.adapters.mail.replies import reply_from, silence
from services.kernel.adapters.mail.settings import SmtpSettings
from services.kernel.adapters.mail.wire import FAULTS, Wire
from services.kernel.ports import Mail, Phase, SmtpReply

_ADDRESS: Final = re.compile(r"[!-;=?-~]+")  # printable ASCII but space, < and >


class Ended(Exception):
    """The dialogue ended before the mail was taken."""

    def __init__(self, reply: SmtpReply) -> None:
        super().__init__(reply.phase, reply.code)
        self.reply = reply


class Connection:
    """An open, greeted, protected and authenticated connection. One mail at a time."""

    __slots__ = ("_settings", "_wire", "broken", "dirty", "extensions", "idle_since", "mails")

    def __init__(self, wire: Wire, settings: SmtpSettings) -> None:
        self._wire = wire
        self._settings = settings
        self.extensions: dict[str, str] = {}
        self.mails = 0
        self.idle_since = 0.0
        self.dirty = False
        self.broken = False

    @property
    def usable(self) -> bool:
        """Whether another mail may be tried over it."""
        return not self.broken and not self._wire.strayed and self._wire.is_connected

    async def exchange(self, phase: Phase, line: bytes, wanted: tuple[int, ...], seconds: float | None) -> SMTPResponse:
        """Send one line and return its reply.

        Raises:
            Ended: no reply, or another than those wanted (first digits, or whole codes).
        """
        self.broken = True  # until the reply has come: a cancelled exchange leaves the dialogue out of step
        if self._wire.strayed:
            raise Ended(SmtpReply(phase, None, "", "the server sent a reply that nobody asked for"))
        try:
            self._wire.write(line)
            response = await self._wire.reply(seconds)
        except FAULTS as fault:
            raise Ended(silence(phase, fault)) from fault
        if response.code not in wanted and response.code // 100 not in wanted:
            reply = reply_from(phase, response.code, response.message)
            self.broken = reply.code in {None, 421}  # 421: the server closes (RFC 5321 section 3.8)
            raise Ended(reply)
        self.broken = False
        return response

    async def deliver(self, mail: Mail) -> SmtpReply:
        """Send one mail; the reply names the phase in which it ended.

        Raises:
            ValueError: an address or the content cannot go on the wire: a mistake of the caller.
        """
        lines = self._envelope(mail)
        content = wire_content(mail.content)
        try:
            await self._transact(lines)
            self.dirty = False  # whatever is said after the dot, the transaction is over (RFC 5321 section 4.1.1.4)
            self.mails += 1
            response = await self.exchange(Phase.AFTER_DATA, content, (2,), self._settings.data)
        except Ended as ended:
            return ended.reply
        return reply_from(Phase.DONE, response.code, response.message)

    async def _transact(self, lines: tuple[bytes, bytes]) -> None:
        command = self._settings.command
        if self.dirty:
            await self.exchange(Phase.MAIL, b"RSET\r\n", (2,), command)
            self.dirty = False
        await self.exchange(Phase.MAIL, lines[0], (2,), command)
        self.dirty = True
        await self.exchange(Phase.RCPT, lines[1], (2,), command)
        await self.exchange(Phase.DATA, b"DATA\r\n", (354,), command)

    def _envelope(self, mail: Mail) -> tuple[bytes, bytes]:
        for address in (mail.envelope_sender, mail.recipient):
            if not _ADDRESS.fullmatch(address):
                raise ValueError("an envelope address must be printable ASCII without spaces or angle brackets")
        size = f" SIZE={len(mail.content)}" if "size" in self.extensions else ""
        return f"MAIL FROM:<{mail.envelope_sender}>{size}\r\n".encode(), f"RCPT TO:<{mail.recipient}>\r\n".encode()

    def end(self, *, politely: bool = True) -> None:
        """Close it."""
        self._wire.end(politely=politely and self.usable)

    async def ended(self) -> None:
        """Wait until the socket is closed."""
        await self._wire.closed.wait()


async def farewell(connections: Collection[Connection], seconds: float = 1.0) -> None:
    """QUIT what is between two mails, abort what is in the middle of one, wait for the sockets to close."""
    for connection in connections:
        connection.end()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(connection.ended() for connection in connections))
    for connection in connections:
        connection.end(politely=False)


def wire_content(content: bytes) -> bytes:
    """Content as it goes after DATA: dots stuffed, final dot added (RFC 5321 section 4.5.2).

    Raises:
        ValueError: bytes above 127, or a bare CR or LF, with which a second mail could be smuggled in.
    """
    if not content.isascii():
        raise ValueError("mail content must be 7-bit; encode it as quoted-printable or base64")
    lines = content.count(b"\r\n")
    if content.count(b"\r") != lines or content.count(b"\n") != lines:
        raise ValueError("mail content must end its lines with CRLF and hold no other CR or LF")
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    first = b"." if stuffed.startswith(b".") else b""
    last = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
    return first + stuffed + last
