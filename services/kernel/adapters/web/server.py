"""An HTTP door as a worker: one uvicorn server on the program's own loop, stopped with the program.

TLS ends in front of it. Standards: RFC 9110.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import uvicorn
from starlette.types import ASGIApp

from services.kernel.adapters.web.connections import Connection
from services.kernel.adapters.web.tracing import Traced
from services.kernel.ledger import Ledger, LedgerUnavailable
from services.kernel.runtime.fault import Fault
from services.kernel.runtime.health import Check
from services.kernel.runtime.logging import logger

_BACKLOG = 2_048
_IDLE_SECONDS = 30
_LAST_SECONDS = 10
"""How long requests that are in work when the door closes may take to end."""


class _Server(uvicorn.Server):
    """Signals are the program's matter."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True)
class WebWorker:
    """An application behind one listening socket.

    `beside` runs next to it (what commits for it) and is told to stop only when the last request is answered. `proxies`
    are the addresses whose `X-Forwarded-For` is believed. `listening` is called with the port once it is open.
    """

    name: str
    app: ASGIApp
    ledger: Ledger
    host: str
    port: int
    variable: str
    beside: Sequence[Callable[[asyncio.Event], Awaitable[None]]] = ()
    proxies: Sequence[str] = ()
    listening: Callable[[int], None] = lambda _port: None
    _open: bool = field(default=False, init=False)

    @property
    def checks(self) -> Mapping[str, Check]:
        """It is ready when it listens and the database answers: without it nothing can be taken in."""

        async def door() -> str:
            return "" if self._open else "not listening"

        async def database() -> str:
            try:
                await self.ledger.ping()
            except LedgerUnavailable as away:
                return str(away)
            return ""

        return {f"{self.name}.door": door, f"{self.name}.database": database}

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until told to stop; then end what is in work, then what runs beside.

        Raises:
            Fault: the port is taken, or the host is not ours.
        """
        server = _Server(self._config())
        listener = self._listener()
        port = listener.getsockname()[1]
        logger().info("door.opened", door=self.name, port=port)
        self._open = True
        self.listening(port)
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as group:  # if what commits breaks, the door closes, and the process ends
            for work in self.beside:
                group.create_task(_coroutine(work, ended))
            try:
                serving = asyncio.ensure_future(server.serve([listener]))
                stop = asyncio.ensure_future(stopping.wait())
                await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
                server.should_exit = True
                stop.cancel()
                await serving
            finally:
                self._open = False
                listener.close()
                ended.set()
        logger().info("door.closed", door=self.name)

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            Traced(self.app, self.name),
            http=Connection,
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(self.proxies),
            forwarded_allow_ips=list(self.proxies),
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_LAST_SECONDS,
            backlog=_BACKLOG,
        )

    def _listener(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # asyncio sends at once only what it knows to be TCP; else each answer's last part waits 40 ms for an ACK
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
        except OSError as error:
            listener.close()
            todo = f"set {self.variable} to a free port (0: any) of an address of this machine"
            raise Fault(f"{self.name} cannot listen", f"{self.host}:{self.port}", todo) from error
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        return listener


async def _coroutine(work: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event) -> None:
    await work(stopping)
