"""settler - a cheap consumer: takes what relay hands out and says that it is done, five hundred to a transaction.

    python -m tests.rig.settler renderer notifier …

It stands in for workers where a test measures relay and the command line, and not the work: the real workers run every
item that failed before alone. Broker and database are those of the settings; what it writes goes through the ledger.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.domain.outcome import Done
from services.kernel.ledger import Finished, LedgerRerun
from services.kernel.ports import Delivery
from services.kernel.runtime.items import items_of

AT_ONCE = 500
LINGER = 0.02


async def settle(parts: Parts, worker: str) -> None:
    """Settle whatever comes for one worker, for ever."""
    subscription = await parts.broker.subscribe(f"duly.{worker}", prefetch=2 * AT_ONCE)
    while True:
        deliveries = await subscription.take(AT_ONCE, LINGER)
        await _finish(parts, worker, deliveries)
        await subscription.settle(deliveries)


async def _finish(parts: Parts, worker: str, deliveries: list[Delivery]) -> None:
    items = [item for delivery in deliveries for item in items_of(delivery, worker)]
    while True:
        with suppress(LedgerRerun):
            async with parts.ledger.begin() as tx:
                await tx.finish(worker, [Finished(item.key, Done(), item.failed_id) for item in items], [])
            return


async def _main(workers: list[str]) -> None:
    parts = await open_parts("settler")
    await parts.broker.connect()
    task = asyncio.gather(*(settle(parts, worker) for worker in workers))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    sys.stdout.write(f"settling, process {os.getpid()}\n")
    with suppress(asyncio.CancelledError):
        await task
    await parts.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
