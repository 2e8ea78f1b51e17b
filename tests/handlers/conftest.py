"""Handlers over the real ledger, in this process and without a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from tests.handlers.bench import Bench


@pytest.fixture
async def bench(trial_database_url: str) -> AsyncIterator[Bench]:
    ledger = await PostgresLedger.open(trial_database_url, SystemIds(), name="test", most=4)
    yield Bench(ledger)
    await ledger.close()
