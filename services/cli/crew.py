"""Every worker, in one process."""

from __future__ import annotations

import asyncio
import importlib
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from services.cli.run import workers
from services.kernel.adapters.embedded.house import House, open_house
from services.kernel.adapters.library import LibraryFault
from services.kernel.adapters.parts import Parts
from services.kernel.adapters.postgres.alive import PostgresBeats
from services.kernel.adapters.postgres.migrate import MigrationFault
from services.kernel.ledger import LedgerUnavailable
from services.kernel.runtime.alive import Alive
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.program import Together

T = TypeVar("T")


def crew(parts: Parts) -> Together:
    """Put all workers together around the same parts.

    Raises:
        Fault: a worker's setting is missing or wrong.
    """
    beats = PostgresBeats(parts.ledger.pool)
    built = [importlib.import_module(f"services.{name}.__main__").build(parts) for name in sorted(workers())]
    return Together("up", [Alive(worker, beats) for worker in built])


def run_whole(work: Coroutine[object, object, T]) -> T:
    """Run to the end; SIGTERM and Ctrl-C still close what was opened.

    Raises:
        KeyboardInterrupt: one of them came.
    """

    async def watched() -> T:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@asynccontextmanager
async def house(folder: Path, *, trial: bool = False) -> AsyncIterator[House]:
    """Open a house, with every fault in the words of the command line.

    Raises:
        Fault: it cannot be opened.
    """
    try:
        async with open_house(folder, trial=trial) as opened:
            yield opened
    except LedgerUnavailable as error:
        raise Fault(str(error), "DULY_DATABASE_URL", "start that database, or correct the setting") from error
    except MigrationFault as error:
        raise Fault(str(error), "schemas/database", "use the code that this database was made with") from error
    except LibraryFault as error:
        raise Fault(str(error), "DULY_LIBRARY", "correct these files", code=Exit.USAGE) from error
