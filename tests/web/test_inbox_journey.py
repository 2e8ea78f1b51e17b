"""A business in its inbox: signs in at a real provider, reads, answers with a file, signs out; all in a real browser.

Every page on the way has to be for everybody: in each language, without script, on a small telephone.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from services.kernel.adapters.pages.pages import KIT
from services.kernel.adapters.pages.words import read_words
from tests.rig.browser import NARROW, WIDE, accessible, fits, look, visitor
from tests.rig.house import duly as command
from tests.rig.oidc import OidcProvider
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode, free_port
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System, fee_outstanding, information_request

pytestmark = pytest.mark.asyncio(loop_scope="session")
INBOX = Path(__file__).parents[2] / "services" / "inbox"
WORDS = read_words(KIT / "words", INBOX / "words")
SPOKEN = {"en": "English", "cy": "Cymraeg"}
PDF = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\ntrailer << >>\n%%EOF\n"
WORKERS = ("renderer", "notifier", "responses", "relay")


@dataclass
class Inbox:
    """The whole of Duly with an inbox, and the provider at which people sign in to it."""

    system: System
    provider: OidcProvider
    url: str

    async def serve(self, *requests: dict[str, Any]) -> None:
        """Have notices served."""
        await self.system.publish(*requests)
        for request in requests:
            await self.system.until_state(request["data"]["source_ref"], "served")

    async def notice_id(self, ref: str) -> str:
        return str(await self.system.value("SELECT notice_id FROM notice WHERE source_ref = $1", ref))

    async def digest(self, ref: str) -> str:
        """The hash of what was served."""
        content = "notice_content JOIN notice USING (notice_id)"
        return str(
            await self.system.value(f"SELECT encode(content_hash, 'hex') FROM {content} WHERE source_ref = $1", ref)
        )

    async def evidence(self, ref: str) -> dict[str, Any]:
        """The facts of a notice, by kind; the newest of each."""
        query = "SELECT e.* FROM notice_event e JOIN notice n USING (notice_id) WHERE n.source_ref = $1 ORDER BY e.seq"
        return {row["kind"]: json.loads(row["data"]) for row in await self.system.fetch(query, ref)}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def inbox(
    postgres_server: PrivatePostgres,
    migrated_template: str,
    rabbit_node: RabbitNode,
    oidc_provider: OidcProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Inbox]:
    """One for all stories of this file."""
    rabbit_node.delete_all_queues()
    folder = tmp_path_factory.mktemp("inbox")
    sink = SinkProcess(folder).start()
    database = postgres_server.new_database(template=migrated_template)
    system = System(database, rabbit_node.url, f"smtp://127.0.0.1:{sink.port}", folder)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    client = oidc_provider.client(f"{url}/signed-in")
    try:
        pages = system.spawn(
            "inbox", DULY_INBOX_PORT=str(port), DULY_OIDC_ISSUER=oidc_provider.issuer,
            DULY_OIDC_CLIENT_ID=client.client_id, DULY_OIDC_CLIENT_SECRET=client.secret,
            DULY_INBOX_SIGN_INS_PER_MINUTE="600",
        )  # fmt: skip
        await system.ready(pages, *map(system.spawn, WORKERS))
        yield Inbox(system, oidc_provider, url)
    finally:
        system.stop()
        sink.stop()


@dataclass
class Person:
    """Somebody in front of a browser, who looks at every page they come to."""

    page: Page
    inbox: Inbox
    language: str
    script: bool

    def said(self, key: str, **values: object) -> str:
        """What a page says in their language."""
        return WORDS[self.language].text(key, **values).unescape()

    async def sees(self, key: str, **values: object) -> None:
        """The page of this heading, and it is fit for everybody."""
        heading = self.page.get_by_role("heading", level=1)
        assert self.said(key, **values) in await heading.inner_text()
        await self.looks()

    async def looks(self) -> None:
        assert await self.page.get_attribute("html", "lang") == self.language
        await fits(self.page)
        if self.script:
            await accessible(self.page)
        await look(self.page)

    async def press(self, key: str, role: str = "button", **values: object) -> None:
        await self.page.get_by_role(role, name=self.said(key, **values), exact=True).click()

    async def begins(self) -> None:
        """Open the inbox in their own language."""
        await self.page.goto(self.inbox.url)
        if self.language != "en":
            await self.page.get_by_role("button", name=SPOKEN[self.language]).click()
        await self.sees("sign_in.title")

    async def signs_in(self, subject: str) -> None:
        """Through the provider's own page."""
        await self.press("sign_in.do")
        await self.page.wait_for_url(f"{self.inbox.provider.issuer}/**")
        await self.page.get_by_placeholder("sub").fill(subject)
        await self.page.get_by_role("button", name="Authorize", exact=True).click()
        await self.page.wait_for_url(f"{self.inbox.url}/**")

    async def answers(self, kind: str, text: str, *files: dict[str, Any]) -> None:
        await self.page.get_by_text(self.said(f"give.{kind}.label"), exact=True).click()
        await self.page.get_by_label(self.said("answer.text"), exact=True).fill(text)
        await self.page.locator("input[type=file]").set_input_files(files)
        await self.press("answer.send")

    async def signs_out(self) -> None:
        """Here, and at the provider."""
        await self.press("frame.sign_out")
        await self.page.get_by_role("button", name="End session").click()
        await self.page.wait_for_url(f"{self.inbox.url}/**")
        await self.sees("signed_out.title")


async def downloaded(page: Page, name: str) -> bytes:
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name=name).click()
    return (await (await downloading.value).path()).read_bytes()


@pytest.mark.parametrize(
    ("language", "script", "width"),
    [("en", True, WIDE), ("cy", True, NARROW), ("en", False, NARROW)],
    ids=["english-wide", "welsh-narrow", "without-script"],
)
async def test_a_notice_is_read_and_answered_with_a_file(
    browser: Browser, inbox: Inbox, language: str, script: bool, width: int
) -> None:
    ref = f"read-{language}-{width}"
    inbox.provider.person(ref, name="Ann Tanner", businesses=[{"id": f"B-{ref}", "name": "Tanner & Lowe"}])
    await inbox.serve(information_request(ref, language=language))
    async with visitor(browser, script=script, width=width) as page:
        ann = Person(page, inbox, language, script)
        await ann.begins()
        await ann.signs_in(ref)
        await ann.sees("notices.title")
        unread = page.locator(".notice.unread")
        assert ref in await unread.inner_text()
        await unread.get_by_role("link").click()
        await ann.looks()
        assert await inbox.digest(ref) in await page.inner_text("main")
        await ann.press("message.print", "link")
        await ann.looks()
        await ann.press("print.back", "link")

        await ann.press("answer.title", "link")
        await ann.sees("answer.title")
        await ann.press("answer.send")
        assert await page.get_by_role("alert").is_visible()
        await ann.looks()
        await ann.answers("answer", "Ann owns all of it.", {"name": "shares.pdf", "mimeType": "x/y", "buffer": PDF})
        await ann.sees("received.title")
        assert await downloaded(page, "shares.pdf") == PDF

        await inbox.system.until_state(ref, "satisfied")
        await ann.press("received.notice", "link")
        assert ann.said("stage.answered.title") in await page.inner_text("main")
        await ann.looks()
        await ann.press("notices.title", "link")
        assert await unread.count() == 0
        await ann.signs_out()
        await page.goto(f"{inbox.url}/notices")
        await ann.sees("sign_in.title")

    evidence = await inbox.evidence(ref)
    assert evidence["content.viewed"]["by"] == ref
    assert evidence["content.viewed"]["content_sha256"] == await inbox.digest(ref)
    (file,) = evidence["notice.satisfied"]["files"]
    assert file["sha256"] == sha256(PDF).hexdigest()
    assert evidence["notice.satisfied"]["given_by"] == ref


async def test_a_question_to_a_fee_leaves_the_deadline_and_waits_for_a_person(browser: Browser, inbox: Inbox) -> None:
    inbox.provider.person("fee", name="Ann Tanner", businesses=["B-fee"])
    await inbox.serve(fee_outstanding("fee"))
    async with visitor(browser) as page:
        ann = Person(page, inbox, "en", script=True)
        await ann.begins()
        await ann.signs_in("fee")
        await page.locator(".notice").get_by_role("link").click()
        await ann.looks()
        await ann.press("answer.write", "link")
        await ann.answers("question", "Which year is this fee for?")
        await ann.sees("received.title")
        held = "SELECT kind FROM hold JOIN notice USING (notice_id) WHERE source_ref = $1 AND lifted_at IS NULL"
        await inbox.system.until(held, "contested", "fee")
        await ann.press("received.notice", "link")
        await ann.looks()
    assert await inbox.system.state("fee") == "served"


async def test_a_person_acts_for_several_businesses_and_sees_no_other(browser: Browser, inbox: Inbox) -> None:
    inbox.provider.person("adviser", name="Helen Marsh", businesses=["B-one", "B-two"])
    await inbox.serve(information_request("one"), information_request("two"), information_request("other"))
    async with visitor(browser) as page:
        helen = Person(page, inbox, "en", script=True)
        await page.goto(f"{inbox.url}/notices/{await inbox.notice_id('two')}")
        await helen.sees("sign_in.title")
        await helen.signs_in("adviser")
        assert "two" in await page.inner_text("main")
        await page.goto(f"{inbox.url}/businesses")
        await helen.sees("businesses.title")
        await page.get_by_role("button", name="B-one").click()
        shown = await page.inner_text("main")
        assert ("one" in shown, "two" in shown) == (True, False)
        await page.goto(f"{inbox.url}/notices/{await inbox.notice_id('other')}")
        await helen.sees("problem.not_found.title")


async def test_somebody_without_a_business_is_told_what_to_do(browser: Browser, inbox: Inbox) -> None:
    inbox.provider.person("nobody", name="No Body")
    async with visitor(browser, width=NARROW) as page:
        person = Person(page, inbox, "en", script=True)
        await person.begins()
        await person.signs_in("nobody")
        await page.goto(f"{inbox.url}/businesses")
        await person.looks()
        assert person.said("businesses.none") in await page.inner_text("main")


async def test_every_chain_of_these_stories_verifies(inbox: Inbox) -> None:
    verified = command(inbox.system.folder, "notices", "verify", "--all", DULY_DATABASE_URL=inbox.system.database)
    assert verified.returncode == 0, verified.stdout + verified.stderr
