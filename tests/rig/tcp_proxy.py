"""A TCP proxy in the test's own loop, to cut, hold up, chop or encrypt what passes between us and a server."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Self


class TcpProxy:
    """Listens on a free loopback port and passes everything on to `target_port`.

    `to_client` and `to_server` are events: cleared, that direction is held up. `piece`: bytes at a time to the client.
    """

    def __init__(self, target_port: int, *, tls: ssl.SSLContext | None = None, piece: int = 65_536) -> None:
        self._target_port = target_port
        self._tls = tls
        self._piece = piece
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()
        self.to_client, self.to_server = asyncio.Event(), asyncio.Event()
        self.to_client.set()
        self.to_server.set()
        self.connections = 0
        self._accepted = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.sever()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for writer in self._writers:
            with suppress(Exception):
                await writer.wait_closed()

    async def _accept(self, client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        async with self._accepted:
            self.connections += 1
            self._accepted.notify_all()
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers += [client_writer, server_writer]
        for reader, writer, gate, piece in (
            (client_reader, server_writer, self.to_server, 65_536),
            (server_reader, client_writer, self.to_client, self._piece),
        ):
            pump = asyncio.create_task(self._pump(reader, writer, gate, piece))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event, piece: int
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(piece):
                await gate.wait()
                writer.write(data)
                await writer.drain()
                if piece < 65_536:
                    await asyncio.sleep(0)  # so that each piece is a read of its own at the other end
        writer.close()

    async def connected(self, times: int) -> None:
        """Wait until clients have connected so many times in all."""
        async with self._accepted:
            await self._accepted.wait_for(lambda: self.connections >= times)

    def sever(self) -> None:
        """Cut every connection, without a word."""
        for pump in self._pumps:
            pump.cancel()
        for writer in self._writers:
            writer.transport.abort()
