"""The secure inbox as its readers meet it: served notices, a real database, real sockets, a browser's habits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from schemas.messages.hops import NoticeRenderedV1, ResponseReceivedV1
from services.inbox.__main__ import inbox_worker
from services.inbox.settings import InboxSettings
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.parts import Parts
from services.kernel.adapters.postgres.inbox import PostgresInbox
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web.sign_in import SignIn
from services.kernel.adapters.web.trial_sign_in import TrialSignIn
from services.kernel.ports import Phase, SmtpReply
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.settings import WorkerSettings
from services.responses.handler import Responses
from tests.handlers.bench import LIBRARY_HERE, Bench, hop
from tests.rig.intake import Keeping
from tests.rig.system import fee_outstanding, information_request

TAKEN = SmtpReply(Phase.AFTER_DATA, 250, "2.0.0", "queued")
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4


@dataclass
class Reader:
    """Somebody at a browser: cookies, forms with their tokens, and no redirect followed unless asked."""

    client: httpx2.AsyncClient
    csrf: str = ""

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        answer = await self.client.get(path, **more)
        found = _CSRF.search(answer.text) if answer.headers.get("content-type", "").startswith("text/html") else None
        self.csrf = found[1] if found else self.csrf
        return answer

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        return await self.client.post(
            path, data={"csrf": self.csrf, **fields}, headers={"sec-fetch-site": "same-origin"}
        )

    async def sign_in(self, person: str) -> httpx2.Response:
        answer = await self.post("/sign-in", person=person)
        await self.get("/businesses")
        return answer

    async def answer(
        self, notice_id: UUID, kind: str, text: str = "", files: Mapping[str, bytes] | None = None, **more: Any
    ) -> httpx2.Response:
        """Send the answer form, its token first, as a browser does."""
        parts: list[tuple[str, Any]] = [("csrf", (None, self.csrf)), ("kind", (None, kind)), ("text", (None, text))]
        parts += [("files", (name, content)) for name, content in (files or {}).items()]
        return await self.client.post(f"/notices/{notice_id}/answer", files=parts, **more)


@dataclass
class Opened:
    """An inbox that serves, its database, and what its broker was told."""

    bench: Bench
    broker: Keeping
    url: str
    _clients: list[httpx2.AsyncClient] = field(default_factory=list)

    def reader(self) -> Reader:
        client = httpx2.AsyncClient(base_url=self.url, timeout=30)
        self._clients.append(client)
        return Reader(client)

    async def reader_of(self, business_id: str) -> Reader:
        reader = self.reader()
        await reader.sign_in(f"trial:{business_id}")
        return reader

    async def served(self, event: dict[str, Any]) -> UUID:
        """A notice, rendered and served."""
        return await served(self.bench, event)

    async def fee(self, ref: str, **more: Any) -> UUID:
        return await self.served(fee_outstanding(ref, **more))

    async def question(self, ref: str, **more: Any) -> UUID:
        """A notice that asks for information."""
        return await self.served(information_request(ref, **more))

    async def respond(self) -> None:
        """Let `responses` work off what waits."""
        responses = Responses(LIBRARY_HERE, SystemIds(), patience=timedelta(minutes=10))
        waiting = await self.bench.column("SELECT evidence_id FROM raw_evidence WHERE state = 'waiting'")
        if waiting:
            message = ResponseReceivedV1(evidence=tuple(waiting))
            await self.bench.run(responses, hop("response.received.v1", message, "responses"))

    async def acts(self, allowed: bool = True) -> list[str]:
        return await self.bench.column("SELECT act FROM access_record WHERE allowed = $1 ORDER BY access_id", allowed)

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


async def served(bench: Bench, event: dict[str, Any]) -> UUID:
    """A notice, rendered and served."""
    notice_id = await bench.rendered(event)
    await bench.run(bench.notifier, hop("notice.rendered.v1", NoticeRenderedV1(notices=(notice_id,)), "notifier"))
    await bench.settle(bench.claims.pop(), TAKEN)
    return notice_id


@asynccontextmanager
async def opened(bench: Bench, sign_in: SignIn | None = None, **settings: Any) -> AsyncIterator[Opened]:
    """An inbox on free ports of this machine; with the trial's sign-in unless another is given."""
    named = {InboxSettings.model_fields[name].validation_alias: value for name, value in settings.items()}
    broker, port = Keeping(), asyncio.get_running_loop().create_future()
    parts = Parts(bench.ledger, broker, LIBRARY_HERE, SystemIds(), Measures(), WorkerSettings())
    way = sign_in or TrialSignIn(PostgresInbox(bench.ledger.pool, SystemIds()), "127.0.0.1")
    worker = inbox_worker(parts, InboxSettings(**named), way, port.set_result)
    stopping = asyncio.Event()
    running = asyncio.create_task(worker.run(stopping))
    await asyncio.wait({running, port}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    inbox = Opened(bench, broker, f"http://127.0.0.1:{port.result()}")
    try:
        yield inbox
    finally:
        await inbox.close()
        stopping.set()
        await running


@pytest.fixture
async def bench(trial_database_url: str) -> AsyncIterator[Bench]:
    """The workers' handlers over a trial's database."""
    ledger = await PostgresLedger.open(trial_database_url, SystemIds(), name="test", most=8)
    yield Bench(ledger)
    await ledger.close()


@pytest.fixture
async def inbox(bench: Bench) -> AsyncIterator[Opened]:
    """An inbox with the trial's sign-in."""
    async with opened(bench) as inbox:
        yield inbox
