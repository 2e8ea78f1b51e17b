"""From parts to a running process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.kernel.adapters.parts import Parts, refuse_outside
from services.kernel.adapters.postgres.alive import PostgresBeats
from services.kernel.adapters.traced import traced
from services.kernel.runtime.alive import Alive
from services.kernel.runtime.consumer import Consumer
from services.kernel.runtime.decision import Handler
from services.kernel.runtime.program import Around, QueueWorker, Worker, clock_of, live
from services.kernel.runtime.program import main as frame
from services.kernel.runtime.settings import BrokerSettings, WorkerSettings, read

_PREFETCH_LEAST = 50
"""What a worker that takes items one by one holds: all of it is delivered again, one by one, if the worker dies."""


def consumer(handler: Handler, parts: Parts) -> Consumer:
    """A handler on its queue."""
    settings = parts.worker
    prefetch = min(settings.prefetch, _PREFETCH_LEAST + 2 * handler.batch)
    return Consumer(handler, parts.broker, parts.ledger, parts.measures, prefetch=prefetch, linger=settings.linger)


def queue_worker(handler: Handler, parts: Parts) -> Worker:
    """A worker that is one handler on one queue."""
    return QueueWorker(handler.consumer, consumer(handler, parts))


@dataclass(frozen=True, slots=True)
class Guarded(Around):
    """A worker that first makes sure that a trial database does not reach outside this machine."""

    parts: Parts
    reaches: tuple[str | None, ...]

    async def run(self, stopping: asyncio.Event) -> None:
        """Work, once the database has said whether it is a trial's.

        Raises:
            Fault: it is, and an address is not of this machine.
        """
        clock = await clock_of(self.parts.ledger, stopping)
        if clock is not None:
            refuse_outside(clock, *self.reaches)
            await self.worker.run(stopping)


def run(name: str, opening: Callable[[str], Awaitable[Parts]], build: Callable[[Parts], Worker]) -> int:
    """Run one worker as this process; the exit code."""

    async def start() -> int:
        with traced(name):
            parts = await opening(name)
            try:
                reaches = (read(BrokerSettings).address, os.environ.get("DULY_SMTP_URL"))
                work = Alive(build(parts), PostgresBeats(parts.ledger.pool))
                return await live(Guarded(work, parts, reaches), parts.measures, parts.worker)
            finally:
                await parts.close()

    return frame(name, lambda: read(WorkerSettings), start)
