"""Open connections kept for reuse, and turns for each destination."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.kernel.adapters.mail.dialogue import Connection, Ended, Opening, farewell
from services.kernel.adapters.mail.settings import SmtpSettings
from services.kernel.ports import Phase, SmtpReply


class Pool:
    """At most `connections` at once; the one used last is used first, so that a quiet hour leaves few open."""

    def __init__(self, settings: SmtpSettings, context: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._context = context
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """The right to hold one connection."""
        async with self._slots:
            yield

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


class Destinations:
    """Turns for each recipient domain, so that no mail system meets more of us at once than it likes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._domains: dict[str, _Turns] = {}

    @asynccontextmanager
    async def turn(self, domain: str) -> AsyncIterator[None]:
        """Wait for a turn at this domain. A domain that nobody uses is forgotten."""
        turns = self._domains.get(domain)
        if turns is None:
            turns = self._domains[domain] = _Turns(asyncio.Semaphore(self._most))
        turns.users += 1
        try:
            async with turns.free:
                yield
        finally:
            turns.users -= 1
            if not turns.users:
                del self._domains[domain]

    def __len__(self) -> int:
        return len(self._domains)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Bound a wait; running out of it ends the attempt before it began.

    Raises:
        Ended: phase `CONNECT`, no code: the mail was not taken.
    """
    bound = asyncio.timeout(seconds)
    try:
        async with bound:
            yield bound
    except TimeoutError as late:
        if not bound.expired():
            raise
        text = f"no connection became free within {seconds:g} s"
        raise Ended(SmtpReply(Phase.CONNECT, None, "", text)) from late
