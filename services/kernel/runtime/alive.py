"""Workers say that they live, so that people can see which do: a beat in the database for as long as they work."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

from services.kernel.runtime.consumer import repeat
from services.kernel.runtime.logging import logger
from services.kernel.runtime.program import Around

BEAT_SECONDS = 10.0
_END_SECONDS = 2.0


class Beats(Protocol):
    """Where it is kept who lives. `instance` names one process among those of a worker."""

    async def beat(self, worker: str, instance: str, version: str) -> None:
        """It lives, and runs this version of Duly.

        Raises:
            LedgerUnavailable: the database cannot be reached.
        """

    async def gone(self, worker: str, instance: str) -> None:
        """It has ended in good order.

        Raises:
            LedgerUnavailable: the database cannot be reached.
        """


@dataclass(frozen=True, slots=True)
class Alive(Around):
    """A worker that says that it lives. That it cannot say so never keeps it from working."""

    beats: Beats
    every: float = BEAT_SECONDS

    async def run(self, stopping: asyncio.Event) -> None:
        """Work, and say so; what is off, and so has nothing to be ready for, says nothing."""
        if not self.worker.checks:
            await self.worker.run(stopping)
            return
        ended = asyncio.Event()
        beating = asyncio.create_task(repeat(ended, self.every, self._beat))
        try:
            await self.worker.run(stopping)
        finally:
            ended.set()
            await self._end(beating)

    async def _beat(self) -> bool:
        await self.beats.beat(self.name, instance(), version("duly"))
        return False

    async def _end(self, beating: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(_END_SECONDS):
                await beating
                await self.beats.gone(self.name, instance())
        except Exception as fault:  # noqa: BLE001 -- a row too many in a list is no fault of the work that was done
            logger().warning("beat.not_ended", exc_info=fault)


def instance() -> str:
    """This process among those of a worker: machine (or pod) and process number."""
    return f"{socket.gethostname()}:{os.getpid()}"
