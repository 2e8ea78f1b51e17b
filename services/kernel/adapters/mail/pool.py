"""Open connections kept for reuse, and who may use one now."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass

from services.kernel.adapters.mail.dialogue import Connection, Ended, farewell
from services.kernel.adapters.mail.opening import Opening
from services.kernel.adapters.mail.settings import SmtpSettings
from services.kernel.ports import Phase, SmtpReply


class Pool:
    """Idle connections: the one used last is used first, so that a quiet hour leaves few open."""

    def __init__(self, settings: SmtpSettings, context: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._context = context
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    def reuse(self) -> Connection | None:
        """An idle connection that still stands, or None."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and not self._stale(connection):
                return connection
            self._drop(connection)
        return None

    async def open(self) -> Connection:
        """A new connection.

        Raises:
            Ended: it could not be opened.
        """
        connection = await Opening(self._settings, self._context).open()
        self._open.add(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep it for the next mail, unless it is broken or has carried its share."""
        if not connection.usable or connection.mails >= self._settings.mails_per_connection:
            self._drop(connection)
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweep_in(self._settings.idle)

    async def close(self) -> None:
        """QUIT what is idle, abort what is not, and wait for the sockets to close. Never raises."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._idle.clear()
        await farewell(self._open)
        self._open.clear()

    def _stale(self, connection: Connection) -> bool:
        return asyncio.get_running_loop().time() - connection.idle_since >= self._settings.idle

    def _drop(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.end()

    def _sweep_in(self, seconds: float) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        while self._idle and (self._stale(self._idle[0]) or not self._idle[0].usable):
            self._drop(self._idle.popleft())
        if self._idle:
            age = asyncio.get_running_loop().time() - self._idle[0].idle_since
            self._sweep_in(max(self._settings.idle - age, 0.01))


@dataclass(slots=True)
class _Turns:
    free: asyncio.Semaphore
    users: int = 0


class Admission:
    """Who may send now: so many at once in all, and so many to one destination.

    A destination's turn comes first, so that a slow one does not hold connections that others could use. A destination
    that nobody waits for is forgotten.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.connections)
        self._destinations: dict[str, _Turns] = {}

    async def enter(self, domain: str) -> None:
        """Wait for a turn; `leave` gives it back.

        Raises:
            Ended: phase `CONNECT`, no code: none came within `wait` seconds, and the mail was not taken.
        """
        turns = self._destinations.get(domain)
        if turns is None:
            turns = self._destinations[domain] = _Turns(asyncio.Semaphore(self._settings.per_destination))
        turns.users += 1
        try:
            await self._wait(turns.free)
        except BaseException:
            self._forget(domain, turns)
            raise

    def leave(self, domain: str) -> None:
        """Let the next one in."""
        turns = self._destinations[domain]
        self._slots.release()
        turns.free.release()
        self._forget(domain, turns)

    def __len__(self) -> int:
        return len(self._destinations)

    async def _wait(self, turn: asyncio.Semaphore) -> None:
        if not turn.locked() and not self._slots.locked():
            await _both(turn, self._slots)  # at once: no need of a timer
            return
        seconds = self._settings.wait
        try:
            async with asyncio.timeout(seconds):
                await _both(turn, self._slots)
        except TimeoutError as late:
            text = f"no connection became free within {seconds:g} s"
            raise Ended(SmtpReply(Phase.CONNECT, None, "", text)) from late

    def _forget(self, domain: str, turns: _Turns) -> None:
        turns.users -= 1
        if not turns.users:
            del self._destinations[domain]


async def _both(first: asyncio.Semaphore, second: asyncio.Semaphore) -> None:
    await first.acquire()
    try:
        await second.acquire()
    except BaseException:
        first.release()
        raise
