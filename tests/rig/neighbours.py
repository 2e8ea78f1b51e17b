"""neighbours - a PostgreSQL and a RabbitMQ of one's own, for whoever tries Duly from outside of the tests.

    python -m tests.rig.neighbours

Prints one JSON line `{"database": URL, "broker": URL}` when both are there: an empty database, and a broker without a
queue, both on loopback. Ends, and deletes both, when its input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode, server_or_skip


async def offer(database: PrivatePostgres, node: RabbitNode) -> None:
    """Say where they are, and wait for the end of the input. The database's socket is offered as a port."""
    query = parse_qs(urlsplit(database.dsn).query)
    socket = Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(str(socket))
        await asyncio.gather(_pass(reader, to_server), _pass(from_server, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        told = {"database": f"postgresql://duly@127.0.0.1:{port}/duly?sslmode=disable", "broker": node.url}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    writer.close()


def main() -> None:
    """Start both, offer them, and end both."""
    with RabbitNode(server_or_skip()) as node:
        database = PrivatePostgres()
        try:
            database.start()
            asyncio.run(offer(database, node))
        finally:
            database.remove()


if __name__ == "__main__":
    try:
        main()
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        sys.exit(str(missing))
