"""One SMTP connection, driven command by command so that the phase of every failure is known (RFC 5321)."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from aiosmtplib import SMTPException, SMTPResponse, SMTPServerDisconnected, SMTPTimeoutError
from aiosmtplib.auth import auth_login_encode, auth_plain_encode
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.protocol import SMTPProtocol

from services.kernel.adapters.mail.replies import reply_from, silence
from services.kernel.adapters.mail.settings import SmtpSettings, Tls
from services.kernel.ports import Mail, Phase, SmtpReply

_ADDRESS: Final = re.compile(r"[!-;=?-~]+")  # printable ASCII but space, < and >
_FAULTS: Final = (SMTPException, OSError, TimeoutError)


class Ended(Exception):
    """The dialogue ended before the mail was taken."""

    def __init__(self, reply: SmtpReply) -> None:
        super().__init__(reply.phase, reply.code)
        self.reply = reply


class Wire(SMTPProtocol):
    """The protocol, with an eye on replies that nobody asked for.

    Such a reply would be taken for the answer to the next command, and one acceptance too many is a notice wrongly
    served: so a wire that has strayed is trusted no further than the reply that came first.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.strayed = False
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Read replies; notice what comes out of turn."""
        asked = self._response_pending
        super().data_received(data)
        answered = self._response_waiter is None or self._response_waiter.done()
        if not asked or (answered and self._buffer):
            self.strayed = True

    async def reply(self, seconds: float | None) -> SMTPResponse:
        """The reply to the command just written.

        One timer a command: `asyncio.wait_for` would cost more than the command does.

        Raises:
            SMTPTimeoutError: none came within so many seconds.
            SMTPServerDisconnected: none will come.
        """
        timer = self._loop.call_later(seconds, self._expire) if seconds else None
        try:
            return await self.read_response()
        finally:
            if timer is not None:
                timer.cancel()

    def _expire(self) -> None:
        if self._response_waiter is not None and not self._response_waiter.done():
            self._response_waiter.set_exception(SMTPTimeoutError("no reply in time"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait for the end."""
        super().connection_lost(exc)
        self.closed.set()

    def end(self, *, politely: bool) -> None:
        """Close: with QUIT if the server still listens, at once otherwise."""
        transport = self.transport
        if not isinstance(transport, asyncio.WriteTransport):
            return
        if not politely:
            transport.abort()
        elif not transport.is_closing():
            transport.write(b"QUIT\r\n")
            transport.close()


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

    async def exchange(self, phase: Phase, line: bytes, wanted: tuple[int, ...], seconds: float | None) -> SmtpReply:
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
        except _FAULTS as fault:
            raise Ended(silence(phase, fault)) from fault
        reply = reply_from(phase, response.code, response.message)
        self.broken = reply.code is None or reply.code == 421  # noqa: PLR2004 -- RFC 5321 section 3.8: it closes
        if reply.code is None or (reply.code not in wanted and reply.code // 100 not in wanted):
            raise Ended(reply)
        return reply

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
            reply = await self.exchange(Phase.AFTER_DATA, content, (2,), self._settings.data)
        except Ended as ended:
            return ended.reply
        return SmtpReply(Phase.DONE, reply.code, reply.enhanced, reply.text)

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


class Opening:
    """Opens one connection: TCP, TLS, greeting, EHLO, STARTTLS, AUTH. `phase` tells how far it came."""

    def __init__(self, settings: SmtpSettings, context: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._context = context
        self._wire: Wire | None = None
        self.phase = Phase.CONNECT

    async def open(self) -> Connection:
        """Open it.

        Raises:
            Ended: with the phase in which it ended, and the server's reply if there was one.
        """
        try:
            async with asyncio.timeout(self._settings.connect):
                return await self._open()
        except _FAULTS as fault:
            self._abandon()
            raise Ended(silence(self.phase, fault)) from fault
        except BaseException:
            self._abandon()
            raise

    async def _open(self) -> Connection:
        settings = self._settings
        loop = asyncio.get_running_loop()
        context = self._context if settings.tls is Tls.IMPLICIT else None
        name = settings.host if context else None
        _, wire = await loop.create_connection(
            lambda: Wire(loop), settings.host, settings.port, ssl=context, server_hostname=name
        )
        self._wire = wire
        connection = Connection(wire, settings)
        await self._greeting(wire)
        await self._ehlo(connection, wire)
        if settings.tls is Tls.STARTTLS:
            await self._starttls(connection, wire)
        if settings.user:
            await self._authenticate(connection)
        return connection

    async def _greeting(self, wire: Wire) -> None:
        response = await wire.read_response()
        reply = reply_from(Phase.CONNECT, response.code, response.message)
        if reply.code is None or reply.code // 100 != 2:  # noqa: PLR2004 -- 2xx: ready
            raise Ended(reply)

    async def _ehlo(self, connection: Connection, wire: Wire) -> None:
        self.phase = Phase.EHLO
        name = self._settings.helo or _literal(wire)
        wire.write(f"EHLO {name}\r\n".encode())
        response = await wire.read_response()
        reply = reply_from(Phase.EHLO, response.code, response.message)
        if reply.code is None or reply.code // 100 != 2:  # noqa: PLR2004 -- 2xx: done
            raise Ended(reply)
        connection.extensions = parse_esmtp_extensions(response.message)[0]

    async def _starttls(self, connection: Connection, wire: Wire) -> None:
        self.phase = Phase.STARTTLS
        if "starttls" not in connection.extensions or self._context is None:
            raise Ended(SmtpReply(self.phase, None, "", "the server does not offer STARTTLS"))
        try:
            await wire.start_tls(self._context, server_hostname=self._settings.host)
        except (SMTPServerDisconnected, SMTPTimeoutError):
            raise
        except SMTPException as refused:
            code, text = refused.args if len(refused.args) > 1 else (-1, refused.message)
            raise Ended(reply_from(self.phase, code, text)) from refused
        await self._ehlo(connection, wire)

    async def _authenticate(self, connection: Connection) -> None:
        self.phase = Phase.AUTH
        methods = connection.extensions.get("auth", "").upper().split()
        user, password = self._settings.user, self._settings.password
        if "PLAIN" in methods:
            await connection.exchange(
                self.phase, b"AUTH PLAIN %b\r\n" % auth_plain_encode(user, password), (235,), None
            )
        elif "LOGIN" in methods:
            first, second = auth_login_encode(user, password)
            await connection.exchange(self.phase, b"AUTH LOGIN\r\n", (334,), None)
            await connection.exchange(self.phase, first + b"\r\n", (334,), None)
            await connection.exchange(self.phase, second + b"\r\n", (235,), None)
        else:
            raise Ended(SmtpReply(self.phase, None, "", "the server offers neither AUTH PLAIN nor AUTH LOGIN"))

    def _abandon(self) -> None:
        if self._wire is not None:
            self._wire.end(politely=False)


def _literal(wire: Wire) -> str:
    name = wire.transport.get_extra_info("sockname") if wire.transport else None
    host = name[0] if name else "127.0.0.1"
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"
