"""Every worker, in one process."""

from __future__ import annotations

import asyncio
import importlib
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from services.cli.run import workers
from services.kernel.adapters.embedded.house import House, open_house
from services.kernel.adapters.library import LibraryFault
from services.kernel.adapters.parts import Parts
from services.kernel.adapters.postgres.migrate import MigrationFault
from services.kernel.ledger import LedgerUnavailable
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.health import Check
from services.kernel.runtime.program import Worker

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Crew:
    """All workers as one: ready when each is, ended when all have finished. The fault of one stops them all."""

    workers: Sequence[Worker]
    name: str = "up"

    @property
    def checks(self) -> Mapping[str, Check]:
        """Each worker's checks, by its name."""
        return {f"{worker.name}.{what}": check for worker in self.workers for what, check in worker.checks.items()}

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop, or until one fails: then the others finish what they have begun, too."""
        tasks = [asyncio.create_task(worker.run(stopping), name=worker.name) for worker in self.workers]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            stopping.set()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end


def crew(parts: Parts) -> Crew:
    """Put all workers together around the same parts.

    Raises:
        Fault: a worker's setting is missing or wrong.
    """
    return Crew([importlib.import_module(f"services.{name}.__main__").build(parts) for name in sorted(workers())])


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
