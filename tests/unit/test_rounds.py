"""Rounds of due work: what the database sends back is done again, and no worker dies of it."""

from __future__ import annotations

import asyncio

import pytest

from services.kernel.ledger import LedgerRerun, LedgerUnavailable
from services.kernel.ports import BrokerUnavailable
from services.kernel.runtime.consumer import repeat

_FAULTS = [LedgerRerun("DeadlockDetectedError"), LedgerUnavailable("away"), BrokerUnavailable(), KeyError("ours")]


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: type(fault).__name__)
async def test_a_round_that_failed_is_done_again_and_ends_no_other(fault: Exception) -> None:
    stopping, rounds = asyncio.Event(), 0

    async def work() -> bool:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise fault
        stopping.set()
        return False

    await asyncio.wait_for(repeat(stopping, 0.001, work), 5)
    assert rounds == 2
