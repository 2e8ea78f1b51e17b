"""The dialogue of the mail door: what it says over SMTP (RFC 5321) and LMTP (RFC 2033), on top of aiosmtpd.

Taken is mail for `n-<token>@<bounce domain>`, genuine or not, and for `postmaster` there (RFC 5321 section 4.5.1). All
other recipients are refused at RCPT, so that nothing has to be sent back. There is no relaying, no AUTH and no TLS: it
stands behind a mail system, or takes only what is public anyway.

Lines may be of any length and any bytes; what is kept is what came, but for the dots that SMTP doubles. The last reply
comes after the mail is stored; over LMTP one for each recipient. What cannot be stored now is put off with 451.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.kernel.domain import verp
from services.kernel.runtime.logging import logger

Take = Callable[[bytes, Sequence[str]], Awaitable[None]]
"""Stores one mail for its recipients, or raises."""
IDLE_SECONDS = 300
"""RFC 5321 section 4.5.3.2.7."""
MOST_RECIPIENTS = 20
_POSTMASTER = "postmaster"
_LONGEST_COMMAND = 2_048
_PIECE = 1 << 16
_LINE_END = b"\r\n"
_SIZE = re.compile(r"SIZE=([0-9]{1,18})")
_WITHOUT_ENHANCED_CODE = re.compile(r"([45])\d\d (?!\d\.\d{1,3}\.\d)")
_CLOSING = "421 4.3.2 closing, come again"
_PUT_OFF = "451 4.3.0 not stored, try again later"
_TOO_LARGE = "552 5.3.4 larger than is taken here"


class Reception:
    """What is taken, and the words in which the rest is refused: the hooks that aiosmtpd calls."""

    def __init__(self, domain: str, most_bytes: int, take: Take) -> None:
        """`domain`: the one whose mail is taken. `most_bytes`: of one mail. `take`: stores it, or raises."""
        self.domain, self.most_bytes, self.take = domain, most_bytes, take

    async def handle_EHLO(  # noqa: N802 -- these names and arguments are aiosmtpd's
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, _replies: list[str]
    ) -> list[str]:
        """What can be done here."""
        session.host_name = hostname
        offered = (self.domain, "PIPELINING", f"SIZE {self.most_bytes}", "8BITMIME", "SMTPUTF8")
        return [*(f"250-{each}" for each in offered), "250 ENHANCEDSTATUSCODES"]

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Whoever sends; not what is too large by its own word (RFC 1870)."""
        if any((told := _SIZE.fullmatch(option)) and int(told[1]) > self.most_bytes for option in options):
            return _TOO_LARGE
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Only what `verp` may have made, and the postmaster."""
        local, at, domain = address.rpartition("@")
        if not at and address.lower() == _POSTMASTER:  # may come without a domain (RFC 5321 section 4.1.1.3)
            local, domain = address, self.domain
        if domain.lower() != self.domain.lower():
            return "550 5.7.1 not our domain, and no relay"
        if local.lower() != _POSTMASTER and not verp.is_shaped(local):
            return "550 5.1.1 nobody here of that name"
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(f"{local}@{self.domain}")
        return "250 2.1.5 OK"

    async def handle_RSET(self, *_: object) -> str:  # noqa: N802
        """Forget the transaction."""
        return "250 2.0.0 OK"

    async def handle_NOOP(self, *_: object) -> str:  # noqa: N802
        """Nothing."""
        return "250 2.0.0 OK"

    async def handle_VRFY(self, *_: object) -> str:  # noqa: N802
        """Nothing is told of addresses."""
        return "252 2.5.0 send it, and see"

    async def handle_QUIT(self, *_: object) -> str:  # noqa: N802
        """The end."""
        return "221 2.0.0 Bye"

    async def handle_exception(self, error: Exception) -> str:
        """A fault of ours is no reason to refuse a mail for good."""
        logger().error("mail.failed", exc_info=error)
        return _PUT_OFF


class Dialogue(SMTP):
    """One SMTP connection. `opened` and `ended` are told of it."""

    line_length_limit = _PIECE
    command_size_limits: dict[str, int] = defaultdict(lambda: _LONGEST_COMMAND)  # noqa: RUF012 -- as in aiosmtpd
    reply_to_each = False
    protocol = "ESMTP"

    def __init__(self, reception: Reception, others: set[Dialogue]) -> None:
        """`others`: the connections that are open; this one puts itself among them while it is."""
        super().__init__(
            reception,
            data_size_limit=None,  # ours: aiosmtpd's loses long lines, and answers once for many recipients
            enable_SMTPUTF8=True,
            hostname=reception.domain,
            ident=f"Duly {self.protocol}",
            timeout=IDLE_SECONDS,
            loop=asyncio.get_running_loop(),
        )
        self._reception, self._others = reception, others
        self._takes = self._leaving = False
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It has come."""
        self._others.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """It has gone."""
        self._others.discard(self)
        self.gone.set()
        super().connection_lost(error)

    def leave(self) -> None:
        """Say goodbye, at once or when the mail in hand is answered."""
        self._leaving = True
        if not self._takes and isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(_CLOSING.encode() + _LINE_END)
            self.transport.close()

    def abort(self) -> None:
        """End it now."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def push(self, status: str | bytes) -> None:
        """Send a reply; the library's own refusals get the enhanced code that we promise (RFC 2034)."""
        text = status.decode() if isinstance(status, bytes) else status
        with suppress(ConnectionError):  # gone: the dialogue is being ended
            await super().push(_WITHOUT_ENHANCED_CODE.sub(r"\g<0>\g<1>.5.0 ", text, count=1))

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The address of a command; None where there is none: the library's own parser breaks over some of those."""
        try:
            parsed: tuple[str | None, str | None] = super()._getaddr(arg)
        except (IndexError, ValueError, RecursionError):
            return None, None
        return parsed

    async def smtp_AUTH(self, _arg: str) -> None:  # noqa: N802
        """Nobody signs in here."""
        await self.push("502 5.5.1 no AUTH here")

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802
        """Take one mail, store it, and only then answer."""
        recipients = self.envelope.rcpt_tos if self.envelope else []
        if not recipients or arg:
            await self.push("501 5.5.4 Syntax: DATA" if arg else "503 5.5.1 need RCPT command")
            return
        await self.push("354 End with a dot on a line of its own")
        self._takes = True
        raw = await self._content()
        reply = _TOO_LARGE if raw is None else await self._stored(raw, recipients)
        self.envelope = self._create_envelope()
        for _ in recipients if self.reply_to_each else (None,):
            await self.push(reply)
        self._takes = False
        if self._leaving:
            self.leave()

    async def _stored(self, raw: bytes, recipients: Sequence[str]) -> str:
        try:
            await self._reception.take(raw, recipients)
        except Exception as fault:  # noqa: BLE001 -- whatever it is, the sender keeps the mail and comes again
            logger().warning("mail.deferred", bytes=len(raw), exc_info=fault)
            return _PUT_OFF
        return "250 2.6.0 stored"

    async def _content(self) -> bytes | None:
        """What came up to the lone dot; None if it is too large. A bare CR or LF ends no line (RFC 5321 2.3.8)."""
        pieces: list[bytes] = []
        size, fresh = 0, True
        while (piece := await self._piece()) != b".\r\n" or not fresh:
            kept = piece[1:] if fresh and piece.startswith(b".") else piece
            fresh = piece.endswith(_LINE_END)
            size += len(kept)
            if size <= self._reception.most_bytes:
                pieces.append(kept)
            else:
                pieces.clear()
        return b"".join(pieces) if size <= self._reception.most_bytes else None

    async def _piece(self) -> bytes:
        """A line, or the next part of a very long one."""
        try:
            return await self._reader.readuntil(_LINE_END)
        except asyncio.LimitOverrunError as overrun:
            return await self._reader.readexactly(overrun.consumed)


class LmtpDialogue(Dialogue, LMTP):
    """One LMTP connection: LHLO for EHLO, and a reply to each recipient after the mail (RFC 2033 section 4.2)."""

    reply_to_each = True
    protocol = "LMTP"


class Crowded(asyncio.Protocol):
    """The answer to one connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so and close."""
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.3.2 too many connections, come again" + _LINE_END)
            transport.close()
