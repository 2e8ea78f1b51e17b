"""Killing workers: by `kill -9`, at seeded moments of a run, and one new process for each that was killed.

Moments are measured in work, not in time: the next kill comes when the worker's own work has gone on by a seeded
number of steps, so that each kill meets a process that works, on a fast machine and on a slow one. `Aim` says where in
its work it is to die. To see where it is, the process is stopped (SIGSTOP), looked at from the database's side
(`pg_stat_activity`) while it cannot move, and killed there or let go on for another few milliseconds.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from uuid import uuid4

import asyncpg

from tests.faults.sink_log import SinkLog
from tests.faults.zygote import Zygote
from tests.rig.system import Process, System

_LOOKS = 60
_POLL = 0.03
_STALLED = 90.0
_OPEN = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'duly ' || $1
AND state IN ('active', 'idle in transaction')"""


class Aim(StrEnum):
    """Where a worker is to die."""

    ANYWHERE = "anywhere"
    IN_TRANSACTION = "in a transaction"
    AFTER_COMMIT = "after a commit, before what follows it"
    AFTER_DOT = "after the final dot, before our commit"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, and where it met the worker.

    `in_transaction`: a transaction of its was open when it died. `unsettled`: the mail system had taken a mail, and the
    database did not know it yet.
    """

    worker: str
    aim: Aim
    in_transaction: bool
    unsettled: bool = False


@dataclass(frozen=True, slots=True)
class Dots:
    """Where final dots are seen: mails to addresses that begin so are logged `reply_after` seconds before the 250."""

    log: SinkLog
    recipients: str
    reply_after: float


@dataclass
class Progress:
    """How far each worker's work has gone, asked of the database by one query for all of them."""

    query: str
    counts: dict[str, int] = field(default_factory=dict)
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def watch(self, connection: asyncpg.Connection) -> None:
        """Ask again and again, until cancelled."""
        while True:
            row = await connection.fetchrow(self.query)
            async with self._moved:
                self.counts = dict(row.items())
                self._moved.notify_all()
            await asyncio.sleep(_POLL)

    async def reach(self, worker: str, count: int) -> int:
        """Wait until the worker's work has gone so far; how far it has gone."""
        async with asyncio.timeout(_STALLED), self._moved:
            await self._moved.wait_for(lambda: self.counts.get(worker, 0) >= count)
            return self.counts[worker]


class Killer:
    """Keeps one process of one worker alive, and kills it."""

    def __init__(self, system: System, zygote: Zygote, worker: str, seed: str, settings: dict[str, str]) -> None:
        self.worker = worker
        self.kills: list[Kill] = []
        self.pid = 0
        self.dots: Dots | None = None
        self._system, self._zygote, self._settings = system, zygote, settings
        self._log = system.folder / f"{worker}-{uuid4().hex[:8]}.log"
        self._random = random.Random(f"{seed}:{worker}")

    async def start(self) -> None:
        """Start the worker."""
        environment = {**self._system.environment(), **self._settings}
        self.pid = await self._zygote.start(self.worker, self._log, environment)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the worker; it must not have ended by itself."""
        status = await self._zygote.end(self.pid, number)
        expected = -signal.SIGKILL if number is signal.SIGKILL else 0
        assert status == expected, f"{self.worker} ended with {status}:\n{self._log.read_text()[-3000:]}"

    def process(self) -> Process:
        """The log of all its processes, as the rig's complaints read it."""
        return Process(self.worker, _Ended(), self._log)  # type: ignore[arg-type] -- only its log is of use

    async def spread(self, progress: Progress, kills: int, *, until: int, aims: Callable[[random.Random], Aim]) -> None:
        """Kill so many times while the work goes on from where it is to `until`."""
        async with self._system.sql() as connection:
            at = progress.counts.get(self.worker, 0)
            for left in range(kills, 0, -1):
                mean = max(1, (until - at) // left)
                at = await progress.reach(self.worker, at + self._random.randint(1, 2 * mean - 1))
                await self.kill(connection, aims(self._random))

    async def kill(self, connection: asyncpg.Connection, aim: Aim) -> None:
        """Kill once, and start anew at once."""
        if aim is Aim.AFTER_DOT:
            return await self._after_dot(connection)
        await asyncio.sleep(self._random.random() * 0.02)
        if aim is Aim.IN_TRANSACTION or aim is Aim.AFTER_COMMIT:
            is_open = await self._freeze_in_transaction(connection)
            if is_open and aim is Aim.AFTER_COMMIT:
                is_open = await self._let_commit(connection)
        else:
            is_open = await self._freeze(connection)
        self.kills.append(Kill(self.worker, aim, is_open))
        return await self._die()

    async def _after_dot(self, connection: asyncpg.Connection) -> None:
        """Kill when the mail system has taken a mail: before its reply, or just after it."""
        assert self.dots is not None
        async with asyncio.timeout(_STALLED):
            mail = await self.dots.log.next_to(self.dots.recipients)
        await asyncio.sleep(self._random.uniform(0, self.dots.reply_after))
        is_open = await self._freeze(connection)
        hit = await connection.fetchval(_SENDING, mail["recipient"])
        self.kills.append(Kill(self.worker, Aim.AFTER_DOT, is_open, hit))
        await self._die()

    async def _die(self) -> None:
        await self.end(signal.SIGKILL)
        await self.start()

    async def _freeze(self, connection: asyncpg.Connection) -> bool:
        """Stop the process; whether a transaction of its is open now, and so will be when it dies."""
        os.kill(self.pid, signal.SIGSTOP)
        return bool(await connection.fetchval(_OPEN, self.worker))

    async def _freeze_in_transaction(self, connection: asyncpg.Connection) -> bool:
        for _ in range(_LOOKS):
            if await self._freeze(connection):
                return True
            os.kill(self.pid, signal.SIGCONT)
            await asyncio.sleep(self._random.uniform(0.001, 0.006))
        return await self._freeze(connection)

    async def _let_commit(self, connection: asyncpg.Connection) -> bool:
        os.kill(self.pid, signal.SIGCONT)
        for _ in range(_LOOKS):
            if not await connection.fetchval(_OPEN, self.worker):
                break
        return await self._freeze(connection)


class Restarted:
    """One worker, started again whenever it dies of itself, until the block ends."""

    def __init__(self, system: System, zygote: Zygote, worker: str, **settings: str) -> None:
        self.deaths = 0
        self._zygote, self._worker = zygote, worker
        self._environment = {**system.environment(), **settings}
        self._log = system.folder / f"{worker}-{uuid4().hex[:8]}.log"
        self._pid = 0

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGTERM)
        await self._running

    async def _run(self) -> None:
        while True:
            self._pid = await self._zygote.start(self._worker, self._log, self._environment)
            if await self._zygote.ended(self._pid) == 0:
                return
            self.deaths += 1


_SENDING = "SELECT EXISTS (SELECT FROM attempt WHERE address = $1 AND state = 'sending')"


class _Ended:
    def poll(self) -> int:
        return 0


@asynccontextmanager
async def running(killers: dict[str, Killer]) -> AsyncIterator[None]:
    """All of them started, and stopped in good order at the end."""
    started: list[Killer] = []
    try:
        for killer in killers.values():
            await killer.start()
            started.append(killer)
        yield
    finally:
        await asyncio.gather(*(killer.end() for killer in started))


@asynccontextmanager
async def watched(system: System, query: str) -> AsyncIterator[Progress]:
    """Progress by this query, watched while the block lasts."""
    progress = Progress(query)
    async with system.sql() as connection:
        watching = asyncio.create_task(progress.watch(connection))
        try:
            yield progress
        finally:
            watching.cancel()
            await asyncio.wait({watching})


def tally(killers: dict[str, Killer]) -> str:
    """How many kills met what, a line a worker."""
    lines = []
    for worker, killer in killers.items():
        aims = Counter(kill.aim.value for kill in killer.kills)
        opened = sum(kill.in_transaction for kill in killer.kills)
        dots = sum(kill.unsettled for kill in killer.kills)
        lines.append(
            f"{worker}: {len(killer.kills)} kills, {opened} in an open transaction"
            + (f", {dots} between the final dot and the commit" if dots else "")
            + f" ({', '.join(f'{count} aimed {aim}' for aim, count in sorted(aims.items()))})"
        )
    return "\n".join(lines)
