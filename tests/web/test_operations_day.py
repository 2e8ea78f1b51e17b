"""The operations team's day, in a real browser, with real people signed in at a real provider, and real workers.

Twelve requests for notices died of a fault that is mended; over one of them the renderer fails still. An operator finds
the group, tries it, replays it in batches, sees the run stop, has a colleague approve an edit, and finishes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from playwright.async_api import Browser, Page, expect

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.runtime.dead_letters import acts
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.desk import Word
from tests.handlers.bench import Bench
from tests.rig.browser import NARROW, accessible, fits, look, visitor
from tests.rig.console import OpenedConsole, console_with_provider, opened_console
from tests.rig.dead_letters import alerts, bounces, facts, hooks
from tests.rig.dead_letters.yard import Yard
from tests.rig.oidc import OidcProvider
from tests.rig.poisoned_renderer import POISON
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode
from tests.rig.system import System, fee_outstanding

pytestmark = pytest.mark.asyncio(loop_scope="session")
NUMBER = 12
POISONED = 6
"""The one that fails again, in the order in which they came: within the third batch of 1, 2, 5."""
REASON = "The fault in the texts is mended."
OTHERS = (
    alerts.alert_of_a_notice_that_ended, hooks.event_whose_receiver_said_gone, bounces.bounce_that_would_unserve,
    facts.payment_killed_by_a_fault_since_mended, facts.fact_that_names_no_notice,
)  # fmt: skip


async def requests_for_notices(yard: Yard) -> None:
    """Requests that died of a fault since mended; over one the renderer fails still."""
    for number in range(1, NUMBER + 1):
        name = f"Ru{POISON}kin & Sons" if number == POISONED else "Ruskin & Sons"
        values = {"business_name": name, "fee_amount": "300.00", "payment_reference": "PAY-1",
                  "fee_due_on": "2026-10-01"}  # fmt: skip
        ref = f"fees/2026/{number:06}"
        await yard.die_of_a_fault(yard.event(fee_outstanding(ref, address="office@ruskin.example", values=values)))


@dataclass
class Day:
    """Real workers around a database with dead letters, and a console."""

    system: System
    bench: Bench
    yard: Yard

    async def state(self, ref: str) -> str | None:
        found: str | None = await self.bench.value("SELECT state FROM notice WHERE source_ref = $1", ref)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def day(
    postgres_server: PrivatePostgres, trial_template: str, rabbit_node: RabbitNode,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Day]:  # fmt: skip
    dsn = postgres_server.new_database(template=trial_template)
    ledger = await PostgresLedger.open(dsn, SystemIds(), name="test", most=8)
    yard = Yard(ledger)
    with structlog.testing.capture_logs():
        await yard.value("INSERT INTO webhook VALUES ('fees', 'http://127.0.0.1:9/', 'A', now()) RETURNING 1")
        for story in (*OTHERS, requests_for_notices):
            await yard.tell(story)
    await some_wait_for_a_retry(yard)
    rabbit_node.delete_all_queues()
    folder: Path = tmp_path_factory.mktemp("day")
    system = System(dsn, rabbit_node.url, "smtp://127.0.0.1:9", folder)
    poisoned = system.spawn("renderer", program=("tests/rig/poisoned_renderer.py",))
    await system.ready(poisoned)
    await system.start("relay")
    yield Day(system, Bench(ledger), yard)
    system.stop()
    await ledger.close()
    postgres_server.drop_database(dsn.partition("@/")[2].partition("?")[0])


async def some_wait_for_a_retry(yard: Yard) -> None:
    """Retries that are not due for long, and what somebody gave up."""
    yard.story = "waiting"
    events = [yard.event(fee_outstanding(ref)) for ref in yard.refs(3)]
    with structlog.testing.capture_logs(), yard.fault([f"waiting/{number:04}" for number in range(1, 10_000)]):
        await yard.come(*events)
    await yard.value("UPDATE failed_item SET next_at = now() + interval '1 day' WHERE state = 'retry' RETURNING 1")
    async with yard.desk() as desk:
        given_up = Chosen(states=("dead",), type="delivery.queued.v1")
        await acts.discard(desk, yard.ids, given_up, Word("Ann Price [ann]", "They come over AMQP now."))


@asynccontextmanager
async def operator(
    browser: Browser, console: OpenedConsole, provider: OidcProvider, who: str, name: str, role: str = "operator"
) -> AsyncIterator[Page]:
    """Somebody in a browser of their own, signed in at the provider."""
    provider.person(who, name=name, roles=[role])
    async with visitor(browser) as page:
        await page.goto(f"{console.url}/overview")
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_placeholder("sub").fill(who)
        await page.get_by_role("button", name="Authorize", exact=True).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        yield page


async def seen(page: Page) -> None:
    """What every page must be to everybody."""
    await accessible(page)
    await look(page)


async def test_the_operations_teams_day(browser: Browser, day: Day, oidc_provider: OidcProvider) -> None:
    async with AsyncExitStack() as stack:
        console = await stack.enter_async_context(console_with_provider(day.bench, oidc_provider))
        ann = await stack.enter_async_context(operator(browser, console, oidc_provider, "ann", "Ann Price"))
        ben = await stack.enter_async_context(operator(browser, console, oidc_provider, "ben", "Ben Ode"))
        await finds_the_group(ann)
        await tries_it(ann)
        run = await replays_it_and_sees_it_stop(ann, day)
        edit = await proposes_an_edit(ann)
        await another_approves(ben, console.url + edit)
        await day.system.until_state(f"fees/2026/{POISONED:06}", "rendered")
        await resumes_and_finishes(ann, run, day)
        await the_story_is_kept(ann, console)


async def to_dead_letters(page: Page) -> None:
    await page.get_by_role("navigation", name="Sections").get_by_role("link", name="Dead letters").click()


async def finds_the_group(ann: Page) -> None:
    """By what it holds up: deadlines at risk."""
    await to_dead_letters(ann)
    await expect(ann.get_by_role("heading", level=1)).to_have_text("Dead letters")
    await seen(ann)
    at_risk = ann.locator(".causes li").filter(has_text="Deadline at risk").filter(has_text="notice.requested.v1")
    await expect(at_risk).to_have_count(1)
    await expect(at_risk).to_contain_text(str(NUMBER))
    await at_risk.get_by_role("link").click()
    await expect(ann.get_by_role("heading", level=1)).to_have_text(f"{NUMBER} dead letters")
    await seen(ann)


async def tries_it(ann: Page) -> None:
    """The dry run, by the real renderer: all safe but one."""
    await ann.get_by_role("button", name="Begin the dry run").click()
    progress = ann.locator("[data-part=progress]")
    await expect(progress).to_contain_text("Finished", timeout=30_000)
    await expect(progress).to_contain_text(f"{NUMBER} of {NUMBER} have ended")
    tiles = ann.locator("[data-part=outcomes] .tile")
    await expect(tiles.filter(has_text="Safe").locator(".tile-figure").first).to_have_text(str(NUMBER - 1))
    await expect(tiles.filter(has_text="Unsafe").locator(".tile-figure")).to_have_text("1")
    await expect(ann.locator("[data-part=items]")).to_contain_text("fees is told notice.accepted.v1")
    await seen(ann)
    await tiles.get_by_role("link", name="Unsafe").click()
    await expect(ann.locator("[data-part=items] tbody tr")).to_have_count(1)
    await expect(ann.locator("[data-part=items]")).to_contain_text("KeyError")


async def replays_it_and_sees_it_stop(ann: Page, day: Day) -> str:
    """In batches of 1, 2, 5: in the third one fails again, and nothing more is handed out."""
    await to_dead_letters(ann)
    await ann.locator(".causes li").filter(has_text="Deadline at risk").get_by_role("link").first.click()
    await ann.get_by_text("Replay", exact=True).click()
    replay = ann.locator("form").filter(has=ann.get_by_role("button", name="Begin the replay"))
    await replay.get_by_label("Batches").fill("1, 2, 5, 20")
    await replay.get_by_label("Why").fill(REASON)
    await ann.get_by_role("button", name="Begin the replay").click()
    progress = ann.locator("[data-part=progress]")
    await expect(progress).to_contain_text("Stopped", timeout=30_000)
    await expect(progress).to_contain_text("failed again")
    await expect(ann.locator(".batch.over")).to_have_count(2)
    await expect(ann.locator(".batch.failed")).to_have_count(1)
    await expect(ann.locator("[data-part=acts]")).to_contain_text("Resume")
    await seen(ann)
    assert await day.state("fees/2026/000001") == "rendered"
    assert await day.state(f"fees/2026/{NUMBER:06}") is None, "what comes after the stop is not handed out"
    return ann.url


async def proposes_an_edit(ann: Page) -> str:
    """The name of the business may be mended; of whom the fee is asked may not."""
    await ann.get_by_role("link", name="Failed again").click()
    await ann.locator("[data-part=items] tbody").get_by_role("link").first.click()
    await expect(ann.get_by_role("main")).to_contain_text(f"Ru{POISON}kin")
    await expect(ann.locator("#attempts + ol > li")).to_have_count(8)  # seven of the first day, one more now
    await ann.locator("#attempts + ol summary").last.click()
    await seen(ann)
    await ann.get_by_role("link", name="Edit and replay").click()
    await expect(ann.get_by_label("values.business_name")).to_have_value(f"Ru{POISON}kin & Sons")
    await expect(ann.get_by_label("business_id")).to_have_count(0)
    await expect(ann.get_by_role("main")).to_contain_text("business_id")
    await seen(ann)
    await ann.get_by_label("values.business_name").fill("Ruskin & Sons")
    await ann.get_by_label("Why").fill("The name as the register has it.")
    await ann.get_by_role("button", name="Propose").click()
    await expect(ann.get_by_role("status").last).to_contain_text("Another person approves it")
    await expect(ann.get_by_role("button", name="Approve and replay")).to_have_count(0)
    await expect(ann.get_by_role("main")).to_contain_text("You proposed it")
    await seen(ann)
    return ann.url.removeprefix("http://").partition("/")[2].join(["/", ""])


async def another_approves(ben: Page, edit: str) -> None:
    """A colleague finds it, sees what differs, and approves; it is replayed at once."""
    await to_dead_letters(ben)
    await ben.get_by_role("link", name="1 edit waits for a second person").click()
    await ben.get_by_role("link", name="The name as the register has it.").click()
    assert ben.url == edit
    await expect(ben.locator("del").first).to_contain_text(f"Ru{POISON}kin")
    await expect(ben.locator("ins").first).to_contain_text("Ruskin")
    await seen(ben)
    approving = ben.locator("form").filter(has=ben.get_by_role("button", name="Approve and replay"))
    await approving.get_by_label("Why").fill("I have looked it up.")
    await ben.get_by_role("button", name="Approve and replay").click()
    await expect(ben.locator("[data-part=progress]")).to_contain_text("Finished", timeout=30_000)


async def resumes_and_finishes(ann: Page, run: str, day: Day) -> None:
    """The run goes on from a batch of one, to the end."""
    await ann.goto(run)
    resume = ann.locator("form").filter(has=ann.get_by_role("button", name="Resume"))
    await resume.get_by_label("Why").fill("The one that failed is mended.")
    await ann.get_by_role("button", name="Resume").click()
    await expect(ann.locator("[data-part=progress]")).to_contain_text("Finished", timeout=30_000)
    await expect(ann.locator("[data-part=progress]")).to_contain_text(f"{NUMBER} of {NUMBER} have ended")
    await seen(ann)
    for number in range(1, NUMBER + 1):
        assert await day.state(f"fees/2026/{number:06}") == "rendered"


async def the_story_is_kept(ann: Page, console: OpenedConsole) -> None:
    """Nothing is at risk any more, and who did what, and why, is on record."""
    await ann.goto(f"{console.url}/dead-letters")
    await expect(ann.locator(".causes li").filter(has_text="notice.requested.v1")).to_have_count(0)
    await ann.goto(f"{console.url}/dead-letters/list?state=all&text=fees/2026/{POISONED:06}")
    await ann.get_by_role("cell").get_by_role("link").first.click()
    for each in ("Ann Price", "Ben Ode", REASON, "I have looked it up.", "Done"):
        await expect(ann.get_by_role("main")).to_contain_text(each)
    await seen(ann)
    acts_ = [(row["person"], row["act"]) for row in await console.record(allowed=True)]
    for deed in (("ann", "replay"), ("ann", "mend"), ("ben", "approve_mend"), ("ben", "read_message")):
        assert deed in acts_


# --- every page, for everybody ----------------------------------------------------------------------------------------


async def paths(day: Day) -> list[str]:
    one = await day.bench.value("SELECT failed_id FROM failed_item WHERE type = 'bounce.received.v1' LIMIT 1")
    unread = await day.bench.value(
        "SELECT failed_id FROM failed_item WHERE worker = 'intake' AND state = 'dead' LIMIT 1"
    )
    found = [f"/dead-letters/runs/{each}" for each in await day.bench.column("SELECT run_id FROM replay_run")]
    found += [f"/dead-letters/edits/{each}" for each in await day.bench.column("SELECT edit_id FROM failed_item_edit")]
    return [
        "/dead-letters", "/dead-letters/list?worker=intake", "/dead-letters/list?state=retry",
        "/dead-letters/list?text=nothing-of-ours", "/dead-letters/chosen", "/dead-letters/chosen?state=discarded",
        "/dead-letters/chosen?state=retry", "/dead-letters/chosen?worker=nobody", f"/dead-letters/{one}",
        f"/dead-letters/{unread}", f"/dead-letters/{unread}/edit", "/dead-letters/runs", "/dead-letters/edits", *found,
    ]  # fmt: skip


async def signed_in(page: Page, console: OpenedConsole, *roles: str) -> None:
    token, _ = await console.session(*roles, person="p-1", name="Ann Price")
    await page.context.add_cookies([{"name": "duly-console", "value": token, "url": console.url}])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_on_any_page(browser: Browser, day: Day, dark: bool) -> None:
    async with opened_console(day.bench) as console, visitor(browser, dark=dark) as page:
        await signed_in(page, console, "operator")
        for path in await paths(day):
            answer = await page.goto(console.url + path)
            assert answer, path
            assert answer.ok, path
            await seen(page)


async def test_no_page_scrolls_sideways_on_a_narrow_screen(browser: Browser, day: Day) -> None:
    async with opened_console(day.bench) as console, visitor(browser, width=NARROW) as page:
        await signed_in(page, console, "operator")
        for path in await paths(day):
            answer = await page.goto(console.url + path)
            assert answer, path
            assert answer.ok, path
            await fits(page)
            await look(page)


async def test_everything_works_without_a_script(browser: Browser, day: Day) -> None:
    """A choice of two is tried; the page of the run loads itself again until it is over."""
    async with opened_console(day.bench) as console, visitor(browser, script=False, width=NARROW) as page:
        await signed_in(page, console, "operator")
        await page.goto(f"{console.url}/dead-letters/list?state=all&worker=renderer")
        for number in range(2):
            await page.get_by_role("checkbox").nth(number).check()
        await page.get_by_role("button", name="Look at those that are ticked").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("2 dead letters")
        await page.goto(f"{console.url}/dead-letters/chosen?state=retry")
        await page.get_by_role("button", name="Begin the dry run").click()
        await expect(page.locator("[data-part=progress]")).to_contain_text("Finished", timeout=30_000)
        await page.goto(f"{console.url}/dead-letters/chosen?state=retry")
        hurry = page.locator("form").filter(has=page.get_by_role("button", name="Try no more"))
        await hurry.get_by_label("Why").fill("They wait for a text that will not come.")
        await page.get_by_role("button", name="Try no more").click()
        await expect(page.get_by_role("status").last).to_contain_text("3 dead letters")


async def test_a_reader_sees_no_message_and_no_way_to_act(browser: Browser, day: Day) -> None:
    one = await day.bench.value("SELECT failed_id FROM failed_item WHERE worker = 'renderer' LIMIT 1")
    async with opened_console(day.bench) as console, visitor(browser) as page:
        await signed_in(page, console, "reader")
        await page.goto(f"{console.url}/dead-letters/{one}")
        await expect(page.get_by_role("main")).to_contain_text("Your roles do not let you read messages.")
        await expect(page.locator("form")).to_have_count(1)  # that of signing out
        await expect(page.get_by_role("main")).not_to_contain_text("office@ruskin.example")
        await accessible(page)
