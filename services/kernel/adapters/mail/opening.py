"""Opens an SMTP connection: TCP, TLS, greeting, EHLO, STARTTLS (RFC 3207), AUTH (RFC 4954)."""

from __future__ import annotations

import asyncio
import ssl

from aiosmtplib import SMTPException, SMTPServerDisconnected, SMTPTimeoutError
from aiosmtplib.auth import auth_login_encode, auth_plain_encode
from aiosmtplib.esmtp import parse_esmtp_extensions

from services.kernel.adapters.mail.dialogue import Connection, Ended
from services.kernel.adapters.mail.replies import reply_from, silence
from services.kernel.adapters.mail.settings import SmtpSettings, Tls
from services.kernel.adapters.mail.wire import FAULTS, Wire
from services.kernel.ports import Phase, SmtpReply


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
        except FAULTS as fault:
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
