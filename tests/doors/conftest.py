"""Doors in this process, over a real database and real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web.server import WebWorker

Serving = Callable[[WebWorker], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def serving(worker: WebWorker) -> AsyncIterator[str]:
    """Run a door on a free port of this machine; its base URL. At the end it is stopped as a program stops it."""
    stopping, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(replace(worker, host="127.0.0.1", port=0, listening=port.set_result).run(stopping))
    await asyncio.wait({running, port}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield f"http://127.0.0.1:{port.result()}"
    finally:
        stopping.set()
        await running


@pytest.fixture
def serve() -> Serving:
    return serving


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[PostgresLedger]:
    opened = await PostgresLedger.open(database_url, SystemIds(), name="test", most=4)
    yield opened
    await opened.close()
