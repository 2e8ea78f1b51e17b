"""The console in a real browser: overview, notices, search, the record; for everybody, also without script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from schemas.messages.hops import NoticeRenderedV1
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.alive import PostgresBeats
from services.kernel.adapters.postgres.desk import PostgresDesk
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.holds import HoldKind
from services.kernel.ports import Phase, SmtpReply
from services.kernel.runtime.desk import place_hold, word
from tests.handlers.bench import Bench, hop
from tests.rig.browser import NARROW, WIDE, accessible, fits, look, visitor
from tests.rig.console import COOKIE, OpenedConsole, console_with_provider, opened_console
from tests.rig.oidc import OidcProvider
from tests.rig.postgres import PrivatePostgres
from tests.rig.system import fee_outstanding, information_request

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY_THERE = SmtpReply(Phase.RCPT, 550, "5.1.1", "no such user here")
OFFICER = ("caseworker", "decision_maker", "admin", "operator")


@dataclass
class Office:
    """A console over notices that stand in every way, and which they are."""

    console: OpenedConsole
    held: UUID
    unserved: UUID
    lapsed: UUID


async def furnish(bench: Bench, console: OpenedConsole) -> Office:
    """Notices that were served, held, refused by the mail system, and that lapsed; workers, one of them silent."""
    lapsed = await console.served(fee_outstanding("fees/2026/000401", business_id="XK0401"))
    await bench.advance(days=22)
    await bench.lapse()
    for number in range(402, 412):
        await console.served(information_request(f"cases/2026/{number:06}", business_id=f"XK{number:04}"))
        await bench.advance(hours=2)
    held = await console.served(fee_outstanding("fees/2026/000412", business_id="XK0412"))
    await _hold(bench, held)
    unserved = await bench.rendered(fee_outstanding("fees/2026/000413", business_id="XK0413"))
    await _refused(bench, unserved)
    beats = PostgresBeats(bench.ledger.pool)
    for worker in ("renderer", "notifier", "sanctions", "relay", "inbox"):
        await beats.beat(worker, f"{worker}-7d9f8-x2k4q:1", "0.1.0")
    await bench.value(
        "UPDATE worker_alive SET beat_at = beat_at - interval '3 minutes' WHERE worker = 'relay' RETURNING 1"
    )
    return Office(console, held, unserved, lapsed)


async def _hold(bench: Bench, notice_id: UUID) -> None:
    async with bench.ledger.pool.acquire() as link:
        said = word("Callum Reid [c-7]", "The business says that it has paid; their bank is asked.")
        await place_hold(PostgresDesk(link, SystemIds()), SystemIds(), notice_id, HoldKind.CONTESTED, said)


async def _refused(bench: Bench, notice_id: UUID) -> None:
    await bench.run(bench.notifier, hop("notice.rendered.v1", NoticeRenderedV1(notices=(notice_id,)), "notifier"))
    await bench.settle(bench.claims.pop(), NOBODY_THERE)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(postgres_server: PrivatePostgres, trial_template: str) -> AsyncIterator[Office]:
    dsn = postgres_server.new_database(template=trial_template)
    ledger = await PostgresLedger.open(dsn, SystemIds(), name="test", most=8)
    bench = Bench(ledger)
    async with opened_console(bench) as console:
        yield await furnish(bench, console)
    await ledger.close()
    postgres_server.drop_database(dsn.partition("@/")[2].partition("?")[0])


@asynccontextmanager
async def officer(
    browser: Browser, office: Office, roles: Sequence[str] = OFFICER, **more: object
) -> AsyncIterator[Page]:
    """Somebody of these roles at a browser, signed in."""
    token, _ = await office.console.session(*roles, person="p-1", name="Ann Price")
    async with visitor(browser, **more) as page:  # type: ignore[arg-type]
        await page.context.add_cookies([{"name": COOKIE, "value": token, "url": office.console.url}])
        yield page


def paths(office: Office) -> list[str]:
    """Every page of this file, with something on it."""
    return [
        "/overview", "/overview?span=month&pause", "/notices", "/notices?state=unserved", "/notices?state=withdrawn",
        *(f"/notices/{each}" for each in (office.held, office.unserved, office.lapsed)),
        f"/notices/{office.held}/proof", f"/notices/{office.held}/words",
        "/search", "/search?q=XK0412", f"/search?q={office.held}", "/search?q=nothing%20of%20ours", "/audit",
        "/nothing",
    ]  # fmt: skip


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_on_any_page(browser: Browser, office: Office, dark: bool) -> None:
    async with officer(browser, office, dark=dark) as page:
        for path in paths(office):
            answer = await page.goto(office.console.url + path)
            assert answer, path
            assert answer.ok is (path != "/nothing"), path
            await accessible(page)
            await look(page)


async def test_no_page_scrolls_sideways_on_a_narrow_screen(browser: Browser, office: Office) -> None:
    async with officer(browser, office, width=NARROW) as page:
        for path in paths(office):
            answer = await page.goto(office.console.url + path)
            assert answer, path
            assert answer.ok is (path != "/nothing"), path
            await fits(page)
            await look(page)


@pytest.mark.parametrize(("script", "width"), [(True, WIDE), (False, NARROW)], ids=["a desk", "no script, a telephone"])
async def test_an_officer_finds_a_notice_reads_its_story_and_its_words(
    browser: Browser, office: Office, script: bool, width: int
) -> None:
    async with officer(browser, office, script=script, width=width) as page:
        await page.goto(office.console.url)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        await page.get_by_role("link", name="Search", exact=True).click()
        await page.get_by_label("What do you know of it?").fill("XK0412")
        await page.get_by_role("button", name="Search").click()
        await page.get_by_role("link", name="fees/2026/000412").click()
        await expect(page.get_by_role("main")).to_contain_text("Callum Reid [c-7]")
        await expect(page.get_by_role("main")).to_contain_text("Its chain of")
        await page.get_by_role("link", name="Check them against the daily roots").click()
        await expect(page.get_by_role("main")).to_contain_text("All of it is sound")
        await page.go_back()
        await page.get_by_role("link", name="Read its words").click()
        await expect(page.get_by_role("article")).to_contain_text("PAY-")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")


async def test_a_reader_sees_no_way_to_what_they_may_not(browser: Browser, office: Office) -> None:
    async with officer(browser, office, ("reader",)) as page:
        await page.goto(f"{office.console.url}/notices/{office.held}")
        await expect(page.get_by_role("link", name="Read its words")).to_have_count(0)
        await expect(page.get_by_role("link", name="Access record")).to_have_count(0)
        await page.goto(f"{office.console.url}/audit")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your roles do not let you do this")
        await look(page)


# --- pages that show themselves again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_the_overview_shows_itself_again_until_its_reader_pauses_it(
    browser: Browser, office: Office, script: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.console.overview._SECONDS", 1)
    async with officer(browser, office, script=script) as page:
        await page.goto(f"{office.console.url}/overview")
        beats = PostgresBeats(office.console.bench.ledger.pool)
        worker = f"late-{'with' if script else 'without'}"
        await beats.beat(worker, "here:1", "0.1.0")
        await expect(page.get_by_role("cell", name=worker)).to_be_visible()
        await page.get_by_role("link", name="Pause").click()
        await expect(page.get_by_role("contentinfo")).to_contain_text("This page stands still.")
        await beats.gone(worker, "here:1")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await asyncio.sleep(1.5)  # longer than the page would have waited
        assert asked == []
        await page.get_by_role("link", name="Show it again by itself").click()
        await expect(page.get_by_role("cell", name=worker)).to_have_count(0)


async def test_what_the_script_puts_in_place_leaves_the_reader_where_they_are(
    browser: Browser, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.console.overview._SECONDS", 1)
    async with officer(browser, office) as page:
        await page.goto(f"{office.console.url}/overview")
        await page.evaluate("scrollTo(0, 300); document.body.dataset.mine = 'still here'")
        at = await page.evaluate("scrollY")
        await PostgresBeats(office.console.bench.ledger.pool).beat("another", "here:2", "0.1.0")
        await expect(page.get_by_role("cell", name="another")).to_be_visible()
        assert await page.evaluate("[scrollY, document.body.dataset.mine]") == [at, "still here"]


# --- signing in, at a real provider -----------------------------------------------------------------------------------


async def test_an_officer_signs_in_at_the_provider_and_comes_to_the_page_they_asked_for(
    browser: Browser, office: Office, oidc_provider: OidcProvider
) -> None:
    oidc_provider.person("ann", name="Ann Price", roles=["caseworker"])
    async with console_with_provider(office.console.bench, oidc_provider) as console, visitor(browser) as page:
        await page.goto(f"{console.url}/notices")
        await accessible(page)
        await look(page)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_placeholder("sub").fill("ann")
        await page.get_by_role("button", name="Authorize").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Notices")
        assert urlsplit(page.url).path == "/notices"
        await expect(page.get_by_role("group", name="Your account")).to_contain_text("Ann Price")
        await expect(page.get_by_role("group", name="Your account")).to_contain_text("Caseworker")


async def test_a_trials_officers_are_there_to_click_on(browser: Browser, office: Office) -> None:
    async with visitor(browser) as page:
        await page.goto(office.console.url)
        await accessible(page)
        await look(page)
        await page.get_by_role("button", name="Decision maker").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        await expect(page.get_by_role("status").first).to_contain_text("This is a trial")
