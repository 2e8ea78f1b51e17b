"""Commands run in this process as they would be in a terminal, on a database of one test's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import pytest
from structlog.testing import capture_logs

from services.cli.__main__ import run
from services.kernel.adapters.postgres.ledger import PostgresLedger
from tests.rig.notices import IDS

T = TypeVar("T")
Told = dict[str, Any]


class OnLedger(Protocol):
    """Runs some work on the ledger of the database that the commands of this test use."""

    def __call__(self, work: Callable[[PostgresLedger], Awaitable[T]]) -> T: ...


class Duly(Protocol):
    """Runs `duly … --json`: exit code, objects, stderr."""

    def __call__(self, *arguments: object) -> tuple[int, list[Told], str]: ...


@pytest.fixture
def ledger_of(database_url: str, monkeypatch: pytest.MonkeyPatch) -> OnLedger:
    """The database of this test, set for its commands."""
    monkeypatch.setenv("DULY_DATABASE_URL", database_url)
    for name in ("DULY_BROKER_URL", "DULY_SMTP_URL", "DULY_TOKEN_KEYS", "DULY_MAIL_FROM", "DULY_BOUNCE_DOMAIN"):
        monkeypatch.delenv(name, raising=False)

    async def on_ledger(work: Callable[[PostgresLedger], Awaitable[T]]) -> T:
        ledger = await PostgresLedger.open(database_url, IDS, name="test")
        try:
            return await work(ledger)
        finally:
            await ledger.pool.close()

    return lambda work: asyncio.run(on_ledger(work))


@pytest.fixture
def duly(capsys: pytest.CaptureFixture[str]) -> Duly:
    """Runs one command line with --json."""

    def call(*arguments: object) -> tuple[int, list[Told], str]:
        with capture_logs():  # as in `main`, they do not come between results
            code = run([*map(str, arguments), "--json"])
        told = capsys.readouterr()
        return code, [json.loads(line) for line in told.out.splitlines()], told.err

    return call
