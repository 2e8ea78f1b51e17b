"""From parts to a running process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.kernel.adapters.parts import Parts
from services.kernel.runtime.consumer import Consumer
from services.kernel.runtime.decision import Handler
from services.kernel.runtime.program import QueueWorker, Worker, live
from services.kernel.runtime.program import main as frame
from services.kernel.runtime.settings import WorkerSettings, read


def consumer(handler: Handler, parts: Parts) -> Consumer:
    """A handler on its queue."""
    settings = parts.worker
    return Consumer(
        handler, parts.broker, parts.ledger, parts.measures, prefetch=settings.prefetch, linger=settings.linger
    )


def queue_worker(handler: Handler, parts: Parts) -> Worker:
    """A worker that is one handler on one queue."""
    return QueueWorker(handler.consumer, consumer(handler, parts))


def run(name: str, opening: Callable[[str], Awaitable[Parts]], build: Callable[[Parts], Worker]) -> int:
    """Run one worker as this process; the exit code."""

    async def start() -> int:
        parts = await opening(name)
        try:
            return await live(build(parts), parts.measures, parts.worker)
        finally:
            await parts.close()

    return frame(name, lambda: read(WorkerSettings), start)
