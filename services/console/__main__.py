"""`python -m services.console`: console as a process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from services.console.app import console_app
from services.console.roles import Role
from services.console.settings import ConsoleOidcSettings, ConsoleSettings
from services.console.visit import SITE, Console
from services.kernel.adapters.pages import Pages
from services.kernel.adapters.parts import Parts, open_parts
from services.kernel.adapters.postgres.console import PostgresDesks
from services.kernel.adapters.postgres.sessions import PostgresPeople
from services.kernel.adapters.process import run
from services.kernel.adapters.web.claims import officer_of
from services.kernel.adapters.web.counting import Counted
from services.kernel.adapters.web.oidc import OidcSignIn
from services.kernel.adapters.web.server import WebWorker
from services.kernel.adapters.web.sessions import Cookie, Sessions
from services.kernel.adapters.web.sign_in import SignIn
from services.kernel.adapters.web.trial_sign_in import TrialOfficers
from services.kernel.adapters.web.visits import Cookies, Limits, a_minute
from services.kernel.adapters.web.worker import SiteWorker, tidying
from services.kernel.runtime.fault import Exit, Fault
from services.kernel.runtime.program import Together, Worker
from services.kernel.runtime.settings import read

HERE = Path(__file__).parent


def console_worker(
    parts: Parts, settings: ConsoleSettings, sign_in: SignIn, listening: Callable[[int], None] = lambda _port: None
) -> SiteWorker:
    """The worker, put together around a way of signing in; `listening` hears the port once it is open."""
    cookies = Cookies.of("duly-console", "duly-console-", secure=settings.is_secure)
    console = Console(
        name=SITE,
        people=PostgresPeople(parts.ledger.pool, parts.ids),
        pages=Pages(HERE / "templates", HERE / "words", authority=settings.authority, zone=settings.zone),
        sign_in=sign_in,
        limits=Limits(a_minute(settings.pages), a_minute(settings.sign_ins)),
        sessions=Sessions(SITE, cookies.session, settings.idle, settings.lasts),
        cookies=cookies,
        url=settings.url,
        hsts=settings.hsts,
        first="/overview",
        within="/",
        origin=settings.url,
        desks=PostgresDesks(parts.ledger.pool, parts.ids),
        settings=settings,
        library=parts.library,
        ids=parts.ids,
        said=Cookie("duly-console-said", settings.is_secure),
    )
    return SiteWorker(console, Together(SITE, [_pages(parts, console, listening)]), parts.ledger)


def trial_officers(parts: Parts, settings: ConsoleSettings) -> SignIn:
    """A trial's sign-in: one person of each role."""
    return TrialOfficers(PostgresDesks(parts.ledger.pool, parts.ids), settings.host, roles=tuple(Role))


def _pages(parts: Parts, console: Console, listening: Callable[[int], None]) -> WebWorker:
    settings = console.settings

    def heard(port: int) -> None:
        console.origin = console.origin or f"http://{settings.host}:{port}"
        listening(port)

    return WebWorker(
        SITE, Counted(console_app(console), parts.measures, SITE), parts.ledger, settings.host, settings.port or 0,
        "DULY_CONSOLE_PORT", beside=(tidying(console),), proxies=settings.proxies, listening=heard,
    )  # fmt: skip


def build(parts: Parts) -> Worker:
    """The console, put together; without a port it is off.

    Raises:
        Fault: it has a port, and a setting of its sign-in is missing.
    """
    settings = read(ConsoleSettings)
    if settings.port is None:
        return Together(SITE, [])
    provider = read(ConsoleOidcSettings)
    sign_in = OidcSignIn(
        provider.issuer, provider.client_id, provider.secret.get_secret_value(), provider.scope, provider.claim,
        provider.origins, officer_of(frozenset(Role)),
    )  # fmt: skip
    return console_worker(parts, settings, sign_in)


def main() -> int:
    """Run until SIGTERM."""
    return run(SITE, open_parts, _on)


def _on(parts: Parts) -> Worker:
    if read(ConsoleSettings).port is None:
        todo = "set it to the port of its pages"
        raise Fault("the console is off", "DULY_CONSOLE_PORT is not set", todo, code=Exit.USAGE)
    return build(parts)


if __name__ == "__main__":
    sys.exit(main())
