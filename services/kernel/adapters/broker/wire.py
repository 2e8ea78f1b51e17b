"""Bytes between the socket and whole AMQP frames, in two modes: blocking to set up, then never blocking.

py-amqp reads frame by frame with a system call each and spins on EAGAIN inside a frame; its writes block until the
kernel takes them, which a broker under alarm does not. Here one `recv` fetches up to 64 KB, a partial frame waits in
the buffer, and once the loop has taken over, writes are queued for it to flush.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING

from amqp.exceptions import UnexpectedFrame
from amqp.transport import SSLTransport, TCPTransport

if TYPE_CHECKING:
    import socket

_HEADER = Struct(">BHI")
_FRAME_END = 0xCE
_READ_BYTES = 65_536
_WRITE_BYTES = 262_144
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class _Wire:
    """The reading and writing shared by plain and TLS sockets; mixed into py-amqp's transports."""

    sock: socket.socket | None
    _inbox = b""
    _position = 0
    _outbox: bytearray
    _on_output: Callable[[], None]
    _write: Callable[[bytes | memoryview], None]

    def read_frame(self) -> tuple[int, int, bytes]:
        """The next frame: type, channel, payload.

        Raises:
            TimeoutError: no whole frame has arrived yet; what did arrive is kept.
            OSError: the connection is gone.
            UnexpectedFrame: these bytes are no AMQP frame.
        """
        while True:
            start = self._position + _HEADER.size
            if len(self._inbox) >= start:
                kind, channel, size = _HEADER.unpack_from(self._inbox, self._position)
                end = start + size
                if len(self._inbox) > end:
                    return self._cut(kind, channel, start, end)
            self._fill()

    def _cut(self, kind: int, channel: int, start: int, end: int) -> tuple[int, int, bytes]:
        if self._inbox[end] != _FRAME_END:
            raise UnexpectedFrame(f"frame ends with {self._inbox[end]:#04x}, not 0xce")
        self._position = end + 1
        return kind, channel, self._inbox[start:end]

    def _fill(self) -> None:
        if self.sock is None:
            raise ConnectionResetError("the connection is closed")
        try:
            arrived = self.sock.recv(_READ_BYTES)
        except _NOT_NOW:
            raise TimeoutError from None
        except TimeoutError as fault:
            if fault.errno == errno.ETIMEDOUT:  # the network gave up: the end, not "nothing yet"
                raise ConnectionAbortedError(fault.errno, fault.strerror) from fault
            raise
        if not arrived:
            raise ConnectionResetError("the broker closed the connection")
        self._inbox = self._inbox[self._position :] + arrived
        self._position = 0

    def hand_over(self, on_output: Callable[[], None]) -> None:
        """From here on nothing blocks: writes are queued, `on_output` hears of each, and `flush` sends them."""
        assert self.sock is not None  # noqa: S101 -- only an open transport is handed over
        self.sock.setblocking(False)
        self._outbox = bytearray()
        self._on_output = on_output
        self._write = self._queue

    def _queue(self, data: bytes | memoryview) -> None:
        self._outbox += data
        self._on_output()

    def take_back(self, seconds: float) -> None:
        """Block again, each call for `seconds` at most, and send what is queued."""
        if self.sock is not None and self._write == self._queue:
            self.sock.settimeout(seconds)
            self._write = self.sock.sendall
            self.sock.sendall(self._outbox)
            self._outbox.clear()

    @property
    def unsent(self) -> int:
        """Bytes queued and not yet taken by the kernel."""
        return len(self._outbox)

    def flush(self) -> None:
        """Send as much as the kernel takes now.

        Raises:
            OSError: the connection is gone.
        """
        while self._outbox and self.sock is not None:
            try:
                with memoryview(self._outbox)[:_WRITE_BYTES] as chunk:
                    sent = self.sock.send(chunk)
            except _NOT_NOW:
                return
            del self._outbox[:sent]


class TcpWire(_Wire, TCPTransport):  # type: ignore[misc] # py-amqp has no types
    """A plain connection."""


class TlsWire(_Wire, SSLTransport):  # type: ignore[misc] # py-amqp has no types
    """A TLS connection."""
