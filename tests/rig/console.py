"""The console as those who work there meet it: a real database, real sockets, people of given roles signed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2
import pytest

from services.console.__main__ import console_worker, trial_officers
from services.console.roles import Role
from services.console.settings import ConsoleSettings
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.parts import Parts
from services.kernel.adapters.postgres.sessions import PostgresPeople
from services.kernel.adapters.web.claims import officer_of
from services.kernel.adapters.web.oidc import OidcSignIn
from services.kernel.adapters.web.sessions import Cookie, Sessions
from services.kernel.adapters.web.sign_in import Person, SignIn
from services.kernel.adapters.web.worker import SiteWorker
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.settings import WorkerSettings
from tests.handlers.bench import LIBRARY_HERE, Bench
from tests.rig.inbox import Reader, served
from tests.rig.intake import Keeping
from tests.rig.oidc import OidcProvider
from tests.rig.rabbitmq import free_port

COOKIE = "duly-console"


@dataclass
class OpenedConsole:
    """A console that serves, and its database."""

    bench: Bench
    url: str
    _clients: list[httpx2.AsyncClient] = field(default_factory=list)

    def visitor(self) -> Reader:
        """Somebody who has not signed in."""
        client = httpx2.AsyncClient(base_url=self.url, timeout=30)
        self._clients.append(client)
        return Reader(client)

    async def officer(self, *roles: str, person: str = "", name: str = "") -> Reader:
        """Somebody who is signed in with these roles; `person` is their stable id."""
        who = person or "-".join(roles) or "nobody"
        token, csrf = await self.session(*roles, person=who, name=name or who.replace("_", " ").title())
        reader = self.visitor()
        reader.client.cookies.set(COOKIE, token)
        reader.csrf = csrf
        return reader

    async def session(self, *roles: str, person: str, name: str = "") -> tuple[str, str]:
        """A session of these roles: what its cookie holds, and its forms' token."""
        sessions = Sessions("console", Cookie(COOKIE, secure=False), 1800, 28800)
        async with PostgresPeople(self.bench.ledger.pool, SystemIds()).open() as people:
            session, token = await sessions.begin(Person(person, name or person, roles=roles), "en", people)
        return token, session.csrf

    async def served(self, event: dict[str, Any]) -> UUID:
        """A notice, rendered and served."""
        return await served(self.bench, event)

    async def record(self, allowed: bool | None = None) -> Sequence[Any]:
        """What is on record of the console, oldest first."""
        query = "SELECT * FROM access_record WHERE site = 'console' AND ($1::boolean IS NULL OR allowed = $1)"
        found: Sequence[Any] = await self.bench.ledger.pool.fetch(query + " ORDER BY access_id", allowed)
        return found

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


def console_of(bench: Bench, sign_in: SignIn | None = None, **settings: Any) -> tuple[SiteWorker, asyncio.Future[int]]:
    """A console that is not serving yet, and where it will say its port; with the trial's sign-in unless given one."""
    named = {ConsoleSettings.model_fields[name].validation_alias: value for name, value in settings.items()}
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    parts = Parts(bench.ledger, Keeping(), LIBRARY_HERE, SystemIds(), Measures(), WorkerSettings())
    made = ConsoleSettings(**{"DULY_CONSOLE_PAGES_PER_MINUTE": 1e6, **named})
    return console_worker(parts, made, sign_in or trial_officers(parts, made), port.set_result), port


@asynccontextmanager
async def opened_console(bench: Bench, sign_in: SignIn | None = None, **settings: Any) -> AsyncIterator[OpenedConsole]:
    """A console on a free port of this machine."""
    worker, port = console_of(bench, sign_in, **settings)
    stopping = asyncio.Event()
    running = asyncio.create_task(worker.run(stopping))
    await asyncio.wait({running, port}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    console = OpenedConsole(bench, f"http://127.0.0.1:{port.result()}")
    try:
        yield console
    finally:
        await console.close()
        stopping.set()
        await running


@asynccontextmanager
async def console_with_provider(bench: Bench, provider: OidcProvider, **settings: Any) -> AsyncIterator[OpenedConsole]:
    """A console whose people sign in at a real OpenID provider; `provider.person(id, name=…, roles=[…])` makes one."""
    port = free_port()
    client = provider.client(f"http://127.0.0.1:{port}/signed-in")
    way = OidcSignIn(
        provider.issuer, client.client_id, client.secret, "openid profile", "roles",
        person_of=officer_of(frozenset(Role)),
    )  # fmt: skip
    async with opened_console(bench, way, port=port, **settings) as console:
        yield console


@pytest.fixture
async def console(bench: Bench) -> AsyncIterator[OpenedConsole]:
    """A console with the trial's sign-in."""
    async with opened_console(bench) as console:
        yield console
