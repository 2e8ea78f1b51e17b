"""A program's life: open its window, work until SIGTERM, finish what is in work, exit 0 within the grace."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from services.kernel.ledger import Clock, Ledger, LedgerUnavailable
from services.kernel.runtime.consumer import Consumer, repeat
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.health import Check, HealthEndpoint
from services.kernel.runtime.logging import configure, logger
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.settings import WorkerSettings

_LEDGER_PAUSE = 1.0


class Worker(Protocol):
    """Something that works until it is told to stop, and then finishes what it has begun."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def checks(self) -> Mapping[str, Check]:
        """What must hold for it to be ready."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; return when all that was begun is finished."""


@dataclass(frozen=True, slots=True)
class Around:
    """Something around a worker, which goes by the worker's name and is ready when it is."""

    worker: Worker

    @property
    def name(self) -> str:
        """The worker's."""
        return self.worker.name

    @property
    def checks(self) -> Mapping[str, Check]:
        """The worker's."""
        return self.worker.checks


@dataclass(frozen=True, slots=True)
class QueueWorker:
    """A worker on one queue; `beside` runs next to it, told to finish when the consumer has ended."""

    name: str
    consumer: Consumer
    beside: Callable[[], Awaitable[None]] | None = None
    finish: Callable[[], Awaitable[None]] | None = None

    @property
    def checks(self) -> Mapping[str, Check]:
        """It is consuming."""

        async def consuming() -> str:
            return "" if self.consumer.ready.is_set() else "not consuming"

        return {"queue": consuming}

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume, then let what runs beside finish."""
        if self.beside is None or self.finish is None:
            await self.consumer.run(stopping)
            return
        async with asyncio.TaskGroup() as group:  # if either breaks, both end, and the process with them
            group.create_task(_coroutine(self.beside))
            await self.consumer.run(stopping)
            await self.finish()


async def _coroutine(work: Callable[[], Awaitable[None]]) -> None:
    await work()


@dataclass(frozen=True, slots=True)
class TimerWorker:
    """A worker on the clock: rounds of work, each repeated on its own, at once while there is more."""

    name: str
    rounds: Sequence[tuple[float, Callable[[], Awaitable[bool]]]]
    ledger: Ledger
    checks: Mapping[str, Check] = field(init=False)

    def __post_init__(self) -> None:
        """It is ready when the database answers."""

        async def database() -> str:
            try:
                await self.ledger.ping()
            except LedgerUnavailable as away:
                return str(away)
            return ""

        object.__setattr__(self, "checks", {"database": database})

    async def run(self, stopping: asyncio.Event) -> None:
        """Run all rounds side by side."""
        await asyncio.gather(*(repeat(stopping, every, work) for every, work in self.rounds))


@dataclass(frozen=True, slots=True)
class Together:
    """Several workers as one: ready when each is, ended when all have finished. The fault of one stops them all."""

    name: str
    workers: Sequence[Worker]

    @property
    def checks(self) -> Mapping[str, Check]:
        """Each worker's checks, by its name."""
        return {f"{worker.name}.{what}": check for worker in self.workers for what, check in worker.checks.items()}

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop, or until one fails: then the others finish what they have begun, too."""
        if not self.workers:
            await stopping.wait()
            return
        tasks = [asyncio.create_task(worker.run(stopping), name=worker.name) for worker in self.workers]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            stopping.set()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end


async def clock_of(ledger: Ledger, stopping: asyncio.Event) -> Clock | None:
    """The database's clock as soon as it answers; None if told to stop first."""
    while not stopping.is_set():
        try:
            async with ledger.begin() as tx:
                return await tx.clock()
        except LedgerUnavailable as away:
            logger().warning("database.awaited", exc_info=away)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _LEDGER_PAUSE)
    return None


async def live(worker: Worker, measures: Measures, settings: WorkerSettings) -> int:
    """Run one worker as this process: signals, window, grace. The exit code is 0 after a clean stop."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    gc.freeze()  # what start-up made stays: the collector need not walk it again and again
    gc.set_threshold(50_000, 20, 50)
    window = HealthEndpoint(worker.checks, measures.registry)
    port = await window.start(settings.health_host, settings.health_port)
    measures.started(worker.name)
    logger().info("worker.started", port=port)
    work = asyncio.create_task(worker.run(stopping))
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait({work}, timeout=settings.grace)
        if not done:
            logger().error("worker.cut_off", seconds=settings.grace)
            return Exit.NO
        work.result()
    finally:
        stop.cancel()
        await window.close()
    logger().info("worker.stopped")
    return Exit.OK


def main(name: str, settings: Callable[[], WorkerSettings], start: Callable[[], Awaitable[int]]) -> int:
    """The frame of every worker's `main`: logs first, then work; a fault a person can mend is told in one line."""
    try:
        configure(name, settings().log_level)
        return asyncio.run(_started(start))
    except Fault as fault:
        logger().error("worker.refused", exc_info=fault, exit_code=int(fault.code))
        return fault.code


async def _started(start: Callable[[], Awaitable[int]]) -> int:
    return await start()
