"""Gathering: what many callers bring at once is committed together, and each is answered when its own is committed.

Nobody waits for a batch to fill: whatever came while the last commit was in work goes with the next one. So a door
commits before it answers, and one `fsync` serves all who wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.kernel.ledger import LedgerRerun, LedgerUnavailable

T = TypeVar("T")
R = TypeVar("R")
_RERUNS = 10


class DoorBusy(Exception):
    """More callers wait for the database than the door takes; they may come again in a moment."""

    public = True


class DoorClosed(Exception):
    """The program is stopping; nothing was stored."""

    public = True


@dataclass(slots=True)
class _Brought(Generic[T, R]):
    thing: T
    answer: asyncio.Future[R] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Gathering(Generic[T, R]):
    """Commits what callers bring, most of it together.

    Args:
        commit: writes all of them in one transaction and answers one for each, in order. It must be safe to run again
            after it raised.
        most: the most of them in one transaction.
        waiting: the most callers that may wait; beyond that they are told to come again.
    """

    def __init__(
        self, commit: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, most: int = 200, waiting: int = 5_000
    ) -> None:
        self._commit, self._most, self._limit = commit, most, waiting
        self._waiting: deque[_Brought[T, R]] = deque()
        self._came = asyncio.Event()
        self._closed = False

    async def bring(self, thing: T) -> R:
        """Commit this, and return what the commit answers for it.

        A caller that goes away meanwhile takes nothing back: what it brought is still committed.

        Raises:
            DoorBusy: too many wait.
            DoorClosed: the program is stopping.
            LedgerUnavailable: the database is away; nothing was stored.
        """
        if self._closed:
            raise DoorClosed("stopping")
        if len(self._waiting) >= self._limit:
            raise DoorBusy(f"{len(self._waiting)} wait already")
        brought: _Brought[T, R] = _Brought(thing)
        self._waiting.append(brought)
        self._came.set()
        return await asyncio.shield(brought.answer)

    async def run(self, stopping: asyncio.Event) -> None:
        """Commit until told to stop, and then what still waits."""
        stop = asyncio.ensure_future(stopping.wait())
        try:
            while not stopping.is_set() or self._waiting:
                if not self._waiting:
                    self._came.clear()
                    came = asyncio.ensure_future(self._came.wait())
                    await asyncio.wait({came, stop}, return_when=asyncio.FIRST_COMPLETED)
                    came.cancel()
                    continue
                await self._settle([self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))])
        finally:
            self._closed = True
            stop.cancel()
            for left in self._waiting:
                _fail(left, DoorClosed("stopping"))

    async def _settle(self, brought: list[_Brought[T, R]]) -> None:
        """One transaction; of a batch that cannot be written, the halves, down to the one at fault."""
        try:
            answers = await self._committed([each.thing for each in brought])
        except LedgerUnavailable as away:
            for each in brought:
                _fail(each, away)
        except Exception as fault:  # noqa: BLE001 -- told to the one caller who brought it
            if len(brought) == 1:
                _fail(brought[0], fault)
                return
            middle = len(brought) // 2
            await self._settle(brought[:middle])
            await self._settle(brought[middle:])
        else:
            for each, answer in zip(brought, answers, strict=True):
                if not each.answer.done():
                    each.answer.set_result(answer)

    async def _committed(self, things: Sequence[T]) -> Sequence[R]:
        for _ in range(_RERUNS - 1):
            try:
                return await self._commit(things)
            except LedgerRerun:
                continue
        return await self._commit(things)


def _fail(brought: _Brought[T, R], fault: Exception) -> None:
    if not brought.answer.done():
        brought.answer.set_exception(fault)
        brought.answer.exception()  # seen: its caller may be gone
