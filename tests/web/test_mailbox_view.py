"""The mailbox view: mails are read as text, answers come back, and nothing but our own pages can press its buttons."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from services.kernel.adapters.embedded.mailbox_view import mailbox_view
from services.kernel.adapters.embedded.mailbox_view.reading import letter
from services.kernel.adapters.embedded.mailbox_view.site import A_PAGE
from services.kernel.adapters.mail.folder import StoredMail
from services.kernel.adapters.mail.mailbox import Mailbox
from services.kernel.adapters.postgres.ledger import PostgresLedger
from tests.rig.browser import NARROW, accessible, fits, visitor
from tests.rig.notices import IDS

pytestmark = pytest.mark.asyncio(loop_scope="session")
TOKEN = "t0ken@bounces.authority.example"
SCRIPT = "<script>document.title = 'taken'</script>"


@dataclass
class View:
    """A mailbox with its view, and what was sent back by it."""

    mailbox: Mailbox
    address: str = ""
    came_back: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def send(self, subject: str, text: str, html: str = "") -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "Yr Awdurdod <a@authority.example>", "b@business.example", subject
        mail["Date"], mail["Message-ID"] = "Sun, 22 Nov 2026 09:00:00 +0000", "<1@authority.example>"
        mail.set_content(text)
        if html:
            mail.add_alternative(html, subtype="html")
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.mailbox.port)
        async with client:
            await client.send_message(mail, sender=TOKEN)

    async def returned(self) -> str:
        """The next mail that came back."""
        return await asyncio.wait_for(self.came_back.get(), 5)


@pytest_asyncio.fixture(loop_scope="session")
async def view(tmp_path: Path, database_url: str) -> AsyncIterator[View]:
    async def take(raw: bytes, recipient: str) -> None:
        assert recipient == TOKEN
        view.came_back.put_nowait(raw.decode())

    mailbox = Mailbox("127.0.0.1", 0, tmp_path, {}, on_report=take)
    view = View(mailbox)
    await mailbox.start()
    ledger = await PostgresLedger.open(database_url, IDS, name="test")
    stopping, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    working = asyncio.create_task(mailbox_view(mailbox, ledger, listening=listening.set_result).run(stopping))
    view.address = f"http://127.0.0.1:{await listening}"
    yield view
    stopping.set()
    await working
    await ledger.close()
    await mailbox.stop()


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name).click()


async def test_a_mail_is_read_and_bounced_without_script_on_a_narrow_screen(browser: Browser, view: View) -> None:
    await view.send("Neges i chi: tŷ", f"Something is waiting. {SCRIPT}", f"<p>Waiting</p>{SCRIPT}")
    async with visitor(browser, script=False, width=NARROW) as page:
        await page.goto(view.address)
        await fits(page)
        await page.get_by_role("link", name="Neges i chi: tŷ").click()
        for summary in await page.locator("summary").all():
            await summary.click()
        await fits(page)
        assert await page.title() == "Neges i chi: tŷ · Built-in mailbox · Duly"
        shown = await page.inner_text("main")
        assert "Yr Awdurdod <a@authority.example>" in shown
        assert TOKEN in shown
        assert SCRIPT in shown
        await page.get_by_label("What comes back says").fill("550 5.2.1 mailbox disabled")
        await press(page, "Bounce this")
        assert "could not be delivered" in await page.get_by_role("status").inner_text()
        bounce = await view.returned()
        await press(page, "Auto-reply")
        auto_reply = await view.returned()
        await press(page, "Delay")
        delay = await view.returned()
    assert "Action: failed" in bounce
    assert "Diagnostic-Code: smtp; 550 5.2.1 mailbox disabled" in bounce
    assert "Auto-Submitted: auto-replied" in auto_reply
    assert "Action: delayed" in delay


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_every_page_is_accessible(browser: Browser, view: View, dark: bool) -> None:
    async with visitor(browser, dark=dark) as page:
        await page.goto(view.address)
        await accessible(page)
        await view.send("Something is waiting", "It says where.", "<p>It says where.</p>")
        await page.goto(view.address)
        await accessible(page)
        await page.goto(f"{view.address}/mails/0000000001?sent=bounce")
        for summary in await page.locator("summary").all():
            await summary.click()
        await accessible(page)
        await page.goto(f"{view.address}/mails/0000000009")
        assert "There is no such page" in await page.title()
        await accessible(page)


async def test_a_form_from_elsewhere_sends_nothing_back(view: View) -> None:
    await view.send("Waiting", "Waiting")
    async with httpx2.AsyncClient(base_url=view.address) as client:
        for form in ({"act": "bounce"}, {"act": "bounce", "csrf": "guessed"}, {"act": "bounce", "csrf": "tŷ"}):
            assert (await client.post("/mails/0000000001/answer", data=form)).status_code == 403
        assert (await client.get("/mails/0000000001/answer")).status_code == 405
        too_long = await client.post("/mails/0000000001/answer", data={"says": "x" * 5_000})
        no_text = await client.post("/mails/0000000001/answer", content=b"\xff")
        assert (too_long.status_code, no_text.status_code) == (400, 400)
    assert view.mailbox.idle
    assert view.came_back.empty()


async def test_odd_requests_are_refused_and_never_break_anything(view: View) -> None:
    await view.send("One", "x")
    (mail_id,) = view.mailbox.ids()
    async with httpx2.AsyncClient(base_url=view.address) as client:
        for path in ("/mails/" + "1" * 300, "/mails/%00", "/mails/..%2fx", "/mails/²"):
            assert (await client.get(path)).status_code == 404, path
        for form in ("a=1&" * 40, "a" * 5_000, "\xff", "csrf=%ff&act=%ff"):
            answer = await client.post(f"/mails/{mail_id}/answer", content=form.encode("latin-1"))
            assert answer.status_code in {400, 403}, form[:20]
    assert view.came_back.empty()


async def test_a_name_of_somebody_else_is_not_answered(view: View) -> None:
    async with httpx2.AsyncClient(base_url=view.address) as client:
        for host in ("rebound.example", "127.0.0.1.rebound.example", ""):
            assert (await client.get("/", headers={"host": host})).status_code == 400
        for host in ("localhost", f"localhost:{view.address.rpartition(':')[2]}"):
            assert (await client.get("/", headers={"host": host})).status_code == 200


async def test_no_page_may_run_or_load_anything_from_elsewhere(view: View) -> None:
    async with httpx2.AsyncClient(base_url=view.address) as client:
        for path in ("/", "/mails/none", "/none"):
            headers = (await client.get(path)).headers
            assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
            assert headers["cache-control"] == "no-store"


async def test_the_list_goes_page_by_page(view: View) -> None:
    for number in range(A_PAGE + 1):
        await view.send(f"Mail {number}", "Waiting")
    async with httpx2.AsyncClient(base_url=view.address) as client:
        newest = (await client.get("/")).text
        assert f"{A_PAGE + 1} mails were accepted" in newest
        assert f"Mail {A_PAGE}<" in newest
        assert "Mail 0<" not in newest
        assert 'href="/?before=0000000002"' in newest
        oldest = (await client.get("/?before=0000000002")).text
        assert "Mail 0<" in oldest
        assert "Mail 1<" not in oldest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no header at all",
        b"Date: the day before yesterday\r\nSubject: =?unknown-8bit?q?=FF?=\r\n\r\n\xff\xfe",
        b"Content-Type: text/plain; charset=x-no-such\r\n\r\nWaiting",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<b>",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Subject: =?utf-8?b?!?=\r\nDate: Mon, 31 Feb 2026 25:61:00 +9999\r\n\r\n",
    ],
)
async def test_no_mail_is_an_error(content: bytes) -> None:
    read = letter(StoredMail("0000000001", TOKEN, "b@business.example", content))
    assert read.recipient == "b@business.example"
