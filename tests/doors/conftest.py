"""Doors in this process, over a real database and real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest_asyncio

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web.server import WebWorker
from tests.rig.inbox import bench as bench  # noqa: PLC0414 -- a fixture
from tests.rig.inbox import inbox as inbox  # noqa: PLC0414 -- a fixture
from tests.rig.postgres import PrivatePostgres


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ledger(postgres_server: PrivatePostgres, migrated_template: str) -> AsyncIterator[PostgresLedger]:
    """A database for all tests of a module; each asks for what it wants to be empty."""
    url = postgres_server.new_database(template=migrated_template)
    opened = await PostgresLedger.open(url, SystemIds(), name="test", most=8)
    yield opened
    await opened.close()
    postgres_server.drop_database(url.partition("@/")[2].partition("?")[0])
