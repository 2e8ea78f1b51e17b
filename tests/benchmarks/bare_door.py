"""What the doors are measured against: a Starlette handler that reads the body and inserts it, and nothing else.

`python -m tests.benchmarks.bare_door DSN` prints its port.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from uuid import uuid4

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def serve(dsn: str) -> None:
    """One insert a request, each its own commit."""
    pool = await asyncpg.create_pool(dsn, min_size=10, max_size=20)
    await pool.execute("CREATE TABLE IF NOT EXISTS bare (id uuid PRIMARY KEY, body bytea NOT NULL)")

    async def take(request: Request) -> Response:
        await pool.execute("INSERT INTO bare VALUES ($1, $2)", uuid4(), await request.body())
        return Response(status_code=200)

    app = Starlette(routes=[Route("/{rest:path}", take, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)  # noqa: T201 -- its address
    config = uvicorn.Config(app, http="httptools", access_log=False, log_config=None, lifespan="off")
    await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
