"""Those at the pages during the rolling restart: a business that answers, and an officer who looks.

Both are signed in once, at the beginning; their sessions are in the database, so that any process of a site serves
them. What no process answered is asked of the other one, as a proxy in front or a person at a browser does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from uuid import UUID

import httpx2

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.postgres.sessions import PostgresPeople
from services.kernel.adapters.web.sessions import Cookie, Sessions
from services.kernel.adapters.web.sign_in import Person
from services.kernel.ledger.people import ActsFor
from tests.rig.inbox import PDF
from tests.rig.system import System

_PAUSE = 0.5


@dataclass
class Visitor:
    """Somebody at a browser, with a cookie that every process of the site knows."""

    client: httpx2.AsyncClient
    csrf: str
    ports: Sequence[int]

    def __post_init__(self) -> None:
        self._turn = cycle(self.ports)

    async def ask(self, path: str) -> None:
        """See a page, or the one that it leads to."""
        answer = await self._answered("GET", path, follow_redirects=True)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"

    async def answer(self, notice_id: UUID) -> None:
        """Give evidence with a file, by the form of the page."""
        fields = [("csrf", (None, self.csrf)), ("kind", (None, "evidence")), ("text", (None, "here it is"))]
        files = [*fields, ("files", ("owners.pdf", PDF))]
        answer = await self._answered("POST", f"/notices/{notice_id}/answer", files=files)
        assert answer.status_code == 303, answer.text

    async def _answered(self, method: str, path: str, **brought: Any) -> httpx2.Response:
        """Ask one process after the other until one answers."""
        async with asyncio.timeout(60):
            while True:
                try:
                    return await self.client.request(method, f"http://127.0.0.1:{next(self._turn)}{path}", **brought)
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)


@dataclass
class Visitors:
    """A business that has every notice which is answered, and an officer."""

    business: Visitor
    officer: Visitor

    async def wander(self) -> None:
        """Look at this and that until cancelled."""
        while True:
            await self.business.ask("/notices")
            await self.officer.ask("/overview")
            await asyncio.sleep(_PAUSE)


@asynccontextmanager
async def visiting(
    system: System, refs: Sequence[str], inboxes: Sequence[int], consoles: Sequence[int]
) -> AsyncIterator[Visitors]:
    """Both signed in; `refs` are the notices of the business, the others the ports of the sites' processes."""
    ledger = await PostgresLedger.open(system.database, SystemIds(), name="visitors", most=1)
    business = Person("p1", "A. Price", tuple(ActsFor(f"B-{ref}", ref) for ref in refs))
    officer = Person("o1", "O. Ficer", roles=("operator",))
    async with httpx2.AsyncClient(timeout=30) as at_inbox, httpx2.AsyncClient(timeout=30) as at_console:
        try:
            yield Visitors(
                Visitor(at_inbox, await _signed_in(ledger, at_inbox, "inbox", business), inboxes),
                Visitor(at_console, await _signed_in(ledger, at_console, "console", officer), consoles),
            )
        finally:
            await ledger.close()


async def _signed_in(ledger: PostgresLedger, client: httpx2.AsyncClient, site: str, person: Person) -> str:
    """Begin a session, as if the provider had vouched for them; the token of its forms."""
    cookie = Cookie(f"duly-{site}", secure=False)
    async with PostgresPeople(ledger.pool, SystemIds()).open() as people:
        session, token = await Sessions(site, cookie, 1800, 28800).begin(person, "en", people)
    client.cookies.set(cookie.full_name, token)
    return session.csrf
