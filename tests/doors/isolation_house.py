"""Doors over one database, with what belongs to one business and one source, and everybody to whom it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.callbacks.__main__ import over_http as callbacks_over_http
from services.callbacks.settings import CallbacksSettings
from services.inbox.__main__ import inbox_worker
from services.inbox.settings import InboxSettings
from services.intake.__main__ import over_http as intake_over_http
from services.intake.settings import IntakeSettings
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.parts import Parts
from services.kernel.adapters.postgres.inbox import PostgresInbox
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.adapters.web.server import WebWorker
from services.kernel.adapters.web.sessions import Cookie, Sessions
from services.kernel.adapters.web.sign_in import Person
from services.kernel.adapters.web.trial_sign_in import TrialSignIn
from services.kernel.adapters.web.worker import SiteWorker
from services.kernel.ledger.people import ActsFor
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.settings import WorkerSettings
from tests.doors.conftest import serving
from tests.handlers.bench import Bench
from tests.rig import callbacks as rig
from tests.rig.inbox import PDF, served
from tests.rig.intake import Keeping, library
from tests.rig.postgres import PrivatePostgres
from tests.rig.system import fee_outstanding, information_request

SECRET = "PAY-SECRET"
OTHER_KEY = b"o" * 32
CALLBACKS = {
    "DULY_MAIL_FROM": "notices@authority.example",
    "DULY_BOUNCE_DOMAIN": "bounces.authority.example",
    "DULY_TOKEN_KEYS": f"k1:{'00' * 16}",
    "DULY_MAILGUN_KEYS": rig.MAILGUN_KEY,
    "DULY_POSTMARK_CREDENTIALS": rig.POSTMARK,
    "DULY_CALLBACK_KEYS": f"relay:{rig.GENERIC_KEY.hex()},other:{OTHER_KEY.hex()}",
}
UNLIMITED = {"DULY_INBOX_PAGES_PER_MINUTE": 1e9, "DULY_INBOX_SIGN_INS_PER_MINUTE": 1e9}
TABLES = (
    "notice", "notice_content", "notice_event", "raw_evidence", "upload", "upload_part", "callback_batch", "outbox",
    "intake_event", "hold", "deadline",
)  # fmt: skip
EVERYTHING = " || ".join(
    f"(SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM {table} t)" for table in TABLES
)


@dataclass
class House:
    """The doors, what is in them of one business and one source, and those who are neither."""

    bench: Bench
    clients: dict[str, httpx2.AsyncClient]
    apps: dict[str, Any]
    names: dict[str, str]
    """What the placeholders of paths stand for: ids that exist, and are not the caller's."""
    sessions: dict[str, tuple[str, str]]
    """Cookie and form token of each account."""

    async def call(self, door: str, method: str, path: str, **more: Any) -> httpx2.Response:
        client = self.clients[door]
        answer = await client.request(method, path, **more)
        client.cookies.clear()
        return answer

    async def everything(self) -> str:
        found: str = await self.bench.value(f"SELECT {EVERYTHING}")
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(postgres_server: PrivatePostgres, trial_template: str) -> AsyncIterator[House]:
    dsn = postgres_server.new_database(template=trial_template)
    ledger = await PostgresLedger.open(dsn, SystemIds(), name="test", most=8)
    async with AsyncExitStack() as stack:
        stack.callback(postgres_server.drop_database, dsn.partition("@/")[2].partition("?")[0])
        stack.push_async_callback(ledger.close)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in CALLBACKS.items():
                patch.setenv(name, value)
            workers = doors(ledger)
        urls = {name: await stack.enter_async_context(serving(worker)) for name, worker in workers.items()}
        apps = {name: worker.app for name, worker in workers.items()}
        bench = Bench(ledger)
        clients = {
            name: await stack.enter_async_context(httpx2.AsyncClient(base_url=url)) for name, url in urls.items()
        }
        names, sessions = await furnished(bench, urls)
        yield House(bench, clients, apps, names, sessions)


class ListingNobody(TrialSignIn):
    """A sign-in whose page names nobody, as that of a provider."""

    async def people(self) -> Sequence[Person]:
        return ()


def doors(ledger: PostgresLedger) -> dict[str, WebWorker]:
    """Every HTTP door; the source `registry` may do nothing under the notices' regime."""
    whole = library()
    sources = {**whole.sources, "registry": replace(whole.sources["registry"], regimes=frozenset())}
    outside = replace(whole, sources=sources)
    parts = Parts(ledger, Keeping(), outside, SystemIds(), Measures(), WorkerSettings())
    inbox = inbox_worker(
        parts, InboxSettings(**UNLIMITED), ListingNobody(PostgresInbox(ledger.pool, SystemIds()), "127.0.0.1")
    )
    assert isinstance(inbox, SiteWorker)
    pages, files = (worker for worker in inbox.web.workers if isinstance(worker, WebWorker))
    return {
        "inbox": pages, "files": files, "callbacks": callbacks_over_http(parts, CallbacksSettings(), 0),
        "intake": intake_over_http(parts, IntakeSettings(), 0),
    }  # fmt: skip


async def furnished(bench: Bench, urls: dict[str, str]) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Notices of two businesses, one of them read and answered with a file; and who else there is."""
    values = fee_outstanding("one")["data"]["values"]
    fee = await served(bench, fee_outstanding("one", values={**values, "payment_reference": SECRET}))
    asked = await served(bench, information_request("asked", business_id="B-one"))
    theirs = await served(bench, information_request("two", business_id="B-two"))
    sessions = await accounts(bench)
    cookie, csrf = sessions["owner"]
    async with httpx2.AsyncClient(base_url=urls["inbox"], headers={"cookie": f"duly-inbox={cookie}"}) as client:
        assert SECRET in (await client.get(f"/notices/{fee}")).text
        given = [
            ("csrf", (None, csrf)),
            ("kind", (None, "answer")),
            ("text", (None, SECRET)),
            ("files", ("a.pdf", PDF)),
        ]
        answered = await client.post(f"/notices/{asked}/answer", files=given)
        assert SECRET in (await client.get(answered.headers["location"])).text
    names = {
        "notice_id": str(asked), "fee_id": str(fee), "their_id": str(theirs), "provider": "mailgun", "name": "relay",
        "evidence_id": answered.headers["location"].rpartition("/")[2], "day": "2026-11-21",
        "upload_id": str(await bench.value("SELECT upload_id FROM upload")),
    }  # fmt: skip
    return names, sessions


async def accounts(bench: Bench) -> dict[str, tuple[str, str]]:
    """The owner, and everybody who is not: of another business, of none, of another site, signed out, never there."""
    one, two = ActsFor("B-one", "One"), ActsFor("B-two", "Two")
    people = {
        "owner": ("inbox", (one,)), "another": ("inbox", (two,)), "nobody": ("inbox", ()),
        "console": ("console", (one,)),         "signed out": ("inbox", (one,)),
    }  # fmt: skip
    made = {"stranger": ("a" * 43, "b" * 43), "none": ("", "")}
    async with PostgresInbox(bench.ledger.pool, SystemIds()).open() as tx:
        for name, (site, acts_for) in people.items():
            sessions = Sessions(site, Cookie("x", secure=False), 1800, 43200)
            session, token = await sessions.begin(Person(name, name, acts_for), "en", tx)
            made[name] = token, session.csrf
            if name == "signed out":
                await tx.end_session(session.token_hash)
    return made
