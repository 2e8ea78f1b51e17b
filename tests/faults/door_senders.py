"""Who brings things to doors that die: senders that bring again what was not answered, as real ones do."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

import httpx2

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.inbox import PostgresInbox
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web.sessions import Cookie, Sessions
from services.kernel.adapters.web.sign_in import Person
from services.kernel.ledger.people import ActsFor
from tests.rig.inbox import PDF
from tests.rig.system import Process, until

FILE = PDF * 300
"""Longer than one part."""


@dataclass
class Door:
    """One door's process through all its lives, and the port that senders know."""

    process: Process
    deaths: list[str] = field(default_factory=list)

    async def died(self, moment: str) -> None:
        """Wait for the next death; it was at this moment."""
        self.deaths.append(moment)

        async def is_dead() -> bool:
            return len(self._told()) >= len(self.deaths)

        await until(is_dead, 20)
        assert self._told() == self.deaths

    def _told(self) -> list[str]:
        return [each["moment"] for each in self.process.events() if each["event"] == "door.died"]


async def brought(door: Door, once: Callable[[], Awaitable[str]], moment: str, answer: str) -> None:
    """Bring one thing to a door that dies at this moment: what is not answered is brought again."""
    came = await bring(once, again=False)
    await door.died(moment)
    if moment == "answer":
        assert came == [answer]
    else:
        assert came == [""]
        assert await bring(once) == [answer]


async def bring(once: Callable[[], Awaitable[str]], *, again: bool = True) -> list[str]:
    """Bring until it is answered; what came of each time that the door was there: an answer, or nothing."""
    came: list[str] = []

    async def answered() -> bool:
        try:
            came.append(await once())
        except (ConnectionRefusedError, httpx2.ConnectError):
            return False
        except (OSError, smtplib.SMTPServerDisconnected, httpx2.TransportError):
            came.append("")
        return bool(came and (came[-1] or not again))

    await until(answered, 30)
    return came


def over_http(url: str, body: bytes, headers: dict[str, str]) -> Callable[[], Awaitable[str]]:
    async def once() -> str:
        async with httpx2.AsyncClient() as client:
            return str((await client.post(url, content=body, headers=headers)).status_code)

    return once


def over_mail(protocol: type[smtplib.SMTP], port: int, report: bytes, recipient: str) -> Callable[[], Awaitable[str]]:
    def once() -> str:
        with protocol("127.0.0.1", port, local_hostname="mx.business.example", timeout=20) as client:
            client.ehlo_or_helo_if_needed()
            client.mail("")
            client.rcpt(recipient)
            code, _ = client.data(report)
        return str(code)

    return lambda: asyncio.to_thread(once)


@dataclass
class Visitor:
    """Somebody who is signed in to the inbox, at a browser."""

    client: httpx2.AsyncClient
    csrf: str

    def answering(self, notice_id: UUID) -> Callable[[], Awaitable[str]]:
        """Send evidence with the form of the page; where it leads, if the door answers."""
        parts = [("csrf", (None, self.csrf)), ("kind", (None, "evidence")), ("text", (None, "here it is"))]

        async def once() -> str:
            answer = await self.client.post(
                f"/notices/{notice_id}/answer", files=[*parts, ("files", ("owners.pdf", FILE))]
            )
            assert answer.status_code == 303, answer.text
            return str(answer.headers["location"])

        return once

    async def look(self) -> str:
        """The list of notices."""
        return str((await self.client.get("/notices")).status_code)

    async def receipts(self, notice_id: UUID) -> int:
        """How many answers with the whole file the page shows."""
        return (await self.client.get(f"/notices/{notice_id}")).text.count(sha256(FILE).hexdigest())


async def visitor(ledger: PostgresLedger, client: httpx2.AsyncClient, refs: Sequence[str]) -> Visitor:
    """The provider has vouched for them: here begins their session."""
    acts_for = tuple(ActsFor(f"B-{ref}", ref) for ref in refs)
    cookie = Cookie("duly-inbox", secure=False)
    async with PostgresInbox(ledger.pool, SystemIds()).open() as tx:
        session, token = await Sessions("inbox", cookie, 1800, 43200).begin(
            Person("p1", "A. Price", acts_for), "en", tx
        )
    client.cookies.set(cookie.full_name, token)
    return Visitor(client, session.csrf)
