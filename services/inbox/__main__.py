"""`python -m services.inbox`: inbox as a process."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from services.inbox.app import inbox_app
from services.inbox.file_types import TYPES
from services.inbox.files import Links, files_app
from services.inbox.settings import MIB, InboxSettings, OidcSettings
from services.inbox.views import UploadRules
from services.inbox.visit import SITE, Inbox, Limits
from services.kernel.adapters.pages import Pages
from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.postgres.inbox import PostgresInbox
from services.kernel.adapters.process import run
from services.kernel.adapters.web.counting import Counted
from services.kernel.adapters.web.limits import RateLimit
from services.kernel.adapters.web.oidc import OidcSignIn
from services.kernel.adapters.web.server import WebWorker
from services.kernel.adapters.web.sessions import Sessions
from services.kernel.adapters.web.sign_in import SignIn
from services.kernel.adapters.web.visits import Cookies
from services.kernel.adapters.web.worker import SiteWorker, tidying
from services.kernel.runtime.consumer import repeat
from services.kernel.runtime.door import Travel
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.program import Together, Worker
from services.kernel.runtime.settings import read

HERE = Path(__file__).parent
BEAT_SECONDS = 10.0
BEATS_MISSED = 3
"""After so many the inbox counts as having been down."""
_TRIAL_BEAT_SECONDS = 0.5
"""A trial's clock jumps, and what ran out meanwhile is decided when the inbox has said that it is up."""


def inbox_worker(
    parts: Parts, settings: InboxSettings, sign_in: SignIn, listening: Callable[[int], None] = lambda _port: None
) -> Worker:
    """The worker, put together around a way of signing in; `listening` hears the port of the pages once it is open."""
    ledger = PostgresInbox(parts.ledger.pool, parts.ids)
    key = bytes.fromhex(settings.files_key.get_secret_value()) if settings.files_key else secrets.token_bytes(32)
    cookies = Cookies.of("duly-inbox", "duly-", secure=settings.is_secure)
    inbox = Inbox(
        name=SITE,
        people=ledger,
        pages=Pages(HERE / "templates", HERE / "words", authority=settings.authority),
        sign_in=sign_in,
        limits=Limits.of(settings),
        sessions=Sessions(SITE, cookies.session, settings.idle, settings.lasts),
        cookies=cookies,
        url=settings.url,
        hsts=settings.hsts,
        first="/notices",
        within="/notices",
        settings=settings,
        ledger=ledger,
        library=parts.library,
        ids=parts.ids,
        travel=Travel(parts.ledger, parts.broker),
        links=Links(key, settings.files_url),
        rules=UploadRules(10, settings.file_bytes // MIB, tuple(TYPES)),
        origin=settings.url,
    )
    doors = Together(SITE, [_pages(parts, inbox, listening), _files(parts, inbox)])
    return SiteWorker(inbox, doors, parts.ledger)


def _pages(parts: Parts, inbox: Inbox, listening: Callable[[int], None]) -> WebWorker:
    settings = inbox.settings

    def heard(port: int) -> None:
        inbox.origin = inbox.origin or f"http://{settings.host}:{port}"
        listening(port)

    async def beat() -> bool:
        async with parts.ledger.begin() as tx:
            await tx.beat(BEATS_MISSED * BEAT_SECONDS)
        return False

    async def arrived(ended: asyncio.Event) -> None:
        await ended.wait()
        await inbox.travel.arrived()

    return WebWorker(
        "inbox", Counted(inbox_app(inbox), parts.measures, "inbox"), parts.ledger, settings.host, settings.port or 0,
        "DULY_INBOX_PORT",
        beside=(
            lambda ended: repeat(ended, _TRIAL_BEAT_SECONDS if inbox.sign_in.is_trial else BEAT_SECONDS, beat),
            tidying(inbox),
            arrived,
        ),
        proxies=settings.proxies,
        listening=heard,
    )  # fmt: skip


def _files(parts: Parts, inbox: Inbox) -> WebWorker:
    settings = inbox.settings

    def heard(port: int) -> None:
        inbox.links.origin = inbox.links.origin or f"http://{settings.host}:{port}"

    limit = RateLimit(settings.pages / 60, max(1, settings.pages / 4))
    app = Counted(files_app(inbox.ledger, inbox.links, limit), parts.measures, "inbox.files")
    return WebWorker(
        "files", app, parts.ledger, settings.host, settings.files_port,
        "DULY_FILES_PORT", proxies=settings.proxies, listening=heard,
    )  # fmt: skip


def build(parts: Parts) -> Worker:
    """The secure inbox, put together; without a port it is off.

    Raises:
        Fault: it has a port, and a setting of its sign-in is missing.
    """
    settings = read(InboxSettings)
    if settings.port is None:
        return Together(SITE, [])
    if settings.is_secure and not settings.files_url:
        todo = "set it to a second origin that leads to DULY_FILES_PORT, so that no file is served beside the pages"
        raise Fault("downloads need an origin of their own", "DULY_FILES_URL is not set", todo, code=Exit.USAGE)
    provider = read(OidcSettings)
    sign_in = OidcSignIn(
        provider.issuer, provider.client_id, provider.secret.get_secret_value(), provider.scope, provider.claim,
        provider.origins,
    )  # fmt: skip
    return inbox_worker(parts, settings, sign_in)


def main() -> int:
    """Run until SIGTERM."""
    return run(SITE, open_parts, _on)


def _on(parts: Parts) -> Worker:
    if read(InboxSettings).port is None:
        raise Fault(
            "the inbox is off", "DULY_INBOX_PORT is not set", "set it to the port of its pages", code=Exit.USAGE
        )
    return build(parts)


if __name__ == "__main__":
    sys.exit(main())
