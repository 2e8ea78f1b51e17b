"""The server's own protocol over a connection in memory: real parsing, real application, no socket."""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from services.kernel.adapters.web.connections import Connection
from services.kernel.adapters.web.server import WebWorker

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Wire(asyncio.Transport):
    """A connection: what the server sends is kept."""

    def __init__(self, client: str) -> None:
        super().__init__({"peername": (client, 40000), "sockname": ("127.0.0.1", 80)})
        self.sent = bytearray()
        self.protocol: HttpToolsProtocol | None = None
        self._closed = False

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        if not self._closed and self.protocol is not None:
            self._closed = True
            self.protocol.connection_lost(None)

    abort = close

    def is_closing(self) -> bool:
        return self._closed

    def pause_reading(self) -> None:
        """Everything has been read already."""

    resume_reading = pause_reading

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = cast("HttpToolsProtocol", protocol)

    @property
    def statuses(self) -> list[int]:
        return [int(found) for found in _STATUS.findall(self.sent)]


class Server:
    """One door as uvicorn serves it."""

    def __init__(self, worker: WebWorker) -> None:
        self._config = worker._config()
        self._config.load()
        self._state = ServerState()

    def begin(self, raw: bytes, client: str, *, cut: int | None = None) -> Wire:
        """A client that sends this, in two pieces, and goes away if the server waits for more."""
        wire = Wire(client)
        protocol = Connection(self._config, self._state, {}, asyncio.get_running_loop())
        wire.set_protocol(protocol)
        protocol.connection_made(wire)
        for piece in (raw[:cut], raw[cut:]) if cut else (raw,):
            if not wire.is_closing():
                protocol.data_received(piece)
        if not wire.is_closing() and (protocol.cycle is None or protocol.cycle.more_body):
            wire.close()
        return wire

    async def answered(self) -> None:
        """Wait until the application has nothing more to do."""
        while self._state.tasks:
            await asyncio.wait(self._state.tasks)
        for connection in list(self._state.connections):
            connection.transport.close()
