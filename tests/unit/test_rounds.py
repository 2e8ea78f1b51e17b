"""Rounds of due work: what the database sends back is done again, and no worker dies of it."""

from __future__ import annotations

import asyncio

import pytest

from services.kernel.ledger import LedgerRerun, LedgerUnavailable
from services.kernel.ports import BrokerUnavailable
from services.kernel.runtime.consumer import repeat

_FAULTS = [LedgerRerun("DeadlockDetectedError"), LedgerUnavailable("away"), BrokerUnavailable()]


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: type(fault).__name__)
async def test_a_round_that_was_chosen_as_victim_or_found_a_neighbour_away_is_done_again(fault: Exception) -> None:
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
