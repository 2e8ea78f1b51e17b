"""One connection of an HTTP door: uvicorn's, which gives up on senders that dawdle or never come to the point.

uvicorn bounds neither how long nor how large a request's head may be, nor its chunks' extensions and trailers: one
client could fill the memory with an endless header, or hold a socket for ever with a byte now and then. The body is the
application's to bound. Standards: RFC 9112; OWASP ASVS 5 (denial of service).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 64 * 1024
"""That may come without making anything whole: a head, a piece of body, a request's end."""
SECONDS = 20.0
"""From the first byte of such a thing to its last; as long a new connection may be silent."""
_LINGER_SECONDS = 60.0
"""How long what is left of an answered request is still read, so that a browser that sends sees the answer."""


class Connection(HttpToolsProtocol):
    """Closes itself when nothing comes of what is sent; `_pending` counts the bytes of which nothing has come yet."""

    _pending = 0
    _patience: asyncio.TimerHandle | None = None
    _linger: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self._patience = self._in(SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._came()
        self._lingered()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; what makes nothing whole must end before long."""
        self._pending += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._pending > MOST_BYTES:
            self._refuse()
        elif self._pending and self._patience is None:
            self._patience = self._in(SECONDS)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._came()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._came()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._came()
        self._lingered()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered, perhaps before it has come whole."""
        is_early = self.cycle.more_body and not self.pipeline
        super().on_response_complete()
        if is_early and not self.transport.is_closing():
            self._linger = self._in(_LINGER_SECONDS)

    def _refuse(self) -> None:
        if getattr(self.cycle, "response_complete", True):  # there is none before the first request
            self.send_400_response("This is more than a request may have before its body.")
        else:
            self.transport.close()

    def _in(self, seconds: float) -> asyncio.TimerHandle:
        close: Callable[[], None] = self.timeout_keep_alive_handler
        return self.loop.call_later(seconds, close)

    def _came(self) -> None:
        self._pending = 0
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lingered(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
