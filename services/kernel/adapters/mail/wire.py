"""The SMTP protocol on one socket: lines out, replies in, nothing taken for a reply that is none."""

from __future__ import annotations

import asyncio
from typing import Final

from aiosmtplib import SMTPException, SMTPResponse, SMTPTimeoutError
from aiosmtplib.protocol import SMTPProtocol

FAULTS: Final = (SMTPException, OSError, TimeoutError)
"""What the network and the server's nonsense raise."""


class Wire(SMTPProtocol):
    """The protocol, with an eye on replies that nobody asked for.

    Such a reply would be taken for the answer to the next command, and one acceptance too many is a notice wrongly
    served: so a wire that has strayed is trusted no further than the reply that came first.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.strayed = False
        self.closed = asyncio.Event()
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Read replies; notice what comes out of turn."""
        asked = self._response_pending
        super().data_received(data)
        answered = self._response_waiter is None or self._response_waiter.done()
        if not asked or (answered and self._buffer):
            self.strayed = True

    async def reply(self, seconds: float | None) -> SMTPResponse:
        """The reply to the command just written.

        One timer runs on from command to command and looks at the deadline when it fires: a timer, or an
        `asyncio.wait_for`, for each command would cost more than the command does.

        Raises:
            SMTPTimeoutError: none came within so many seconds.
            SMTPServerDisconnected: none will come.
        """
        if seconds is not None:
            self._deadline = self._loop.time() + seconds
            if self._timer is None or self._timer.when() > self._deadline:
                self._arm()
        return await self.read_response()

    def _arm(self) -> None:
        self._disarm()
        self._timer = self._loop.call_at(self._deadline, self._look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        waiter = self._response_waiter
        if not self._response_pending or waiter is None or waiter.done():
            return
        if self._loop.time() < self._deadline:
            self._arm()
        else:
            self._set_response_exception(waiter, SMTPTimeoutError("no reply in time"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait for the end."""
        super().connection_lost(exc)
        self._disarm()
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
