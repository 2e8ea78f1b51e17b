"""A decision maker's day: a kind is stopped, cases pile up, a sample is judged and released; one is declined, another
agreed by two people; a reversal is decided. All in a real browser, with real workers and a real sign-in.

Every page on the way has to be for everybody: in light and dark, on a small telephone, and without script.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from services.kernel.adapters.parts import LIBRARY
from tests.journeys.outside import bounced, mail_comes_back, sanction, through_the_mail_door
from tests.rig.browser import NARROW, WIDE, accessible, fits, look, visitor
from tests.rig.oidc import OidcProvider
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode, free_port
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import WORKERS, System, fee_outstanding

pytestmark = pytest.mark.asyncio(loop_scope="session")
KIND, PENALTY = "registration.cancel", "penalty.charge"
HELD = tuple(f"held-{number}" for number in range(1, 8))
STOPPED = """SELECT count(*) FROM gate_wait JOIN notice USING (notice_id)
    WHERE source_ref LIKE 'held-%' AND waiting_for = '{stopped}'"""
STRAY = b"""From: MAILER-DAEMON@mx.elsewhere.example
To: postmaster@bounces.authority.example
Subject: Undelivered mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

<script>alert('hello')</script> Your message could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.elsewhere.example

Final-Recipient: rfc822; somebody@elsewhere.example
Action: failed
Status: 5.1.1
--b--
"""


@dataclass
class Office:
    """The whole of Duly with a console, the mail system, and the provider at which people sign in."""

    system: System
    sink: SinkProcess
    provider: OidcProvider
    url: str
    seen: set[str] = field(default_factory=set)

    async def notice_id(self, ref: str) -> str:
        return str(await self.system.value("SELECT notice_id FROM notice WHERE source_ref = $1", ref))

    async def evidence(self, ref: str, kind: str) -> dict[str, Any]:
        """The newest fact of a kind about a notice."""
        rows = await self.system.fetch(
            "SELECT e.data::jsonb FROM notice_event e JOIN notice n USING (notice_id) "
            "WHERE n.source_ref = $1 AND e.kind = $2 ORDER BY e.seq DESC",
            ref,
            kind,
        )
        found: dict[str, Any] = json.loads(rows[0][0])
        return found


def library_with_a_penalty(folder: Path) -> Path:
    """The library as shipped, and a discretionary sanction beside."""
    shutil.copytree(LIBRARY, folder)
    regime = folder / "aml-supervision"
    text = (regime / "regime.yaml").read_text()
    added = f"sanctions:\n  {PENALTY}:\n    automatic: false\n    cap_an_hour: 50\n"
    (regime / "regime.yaml").write_text(text.replace("sanctions:\n", added, 1))
    types = regime / "notice-types"
    penalty = (types / "fee-outstanding.yaml").read_text().replace(KIND, PENALTY)
    (types / "fee-penalty.yaml").write_text(penalty)
    shutil.copytree(regime / "texts" / "fee-outstanding", regime / "texts" / "fee-penalty")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(
    postgres_server: PrivatePostgres,
    trial_template: str,
    rabbit_node: RabbitNode,
    oidc_provider: OidcProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Office]:
    """The office in the morning: everything is served."""
    rabbit_node.delete_all_queues()
    folder = tmp_path_factory.mktemp("office")
    sink = SinkProcess(folder, keep=True).start()
    database = postgres_server.new_database(template=trial_template)
    system = System(database, rabbit_node.url, f"smtp://127.0.0.1:{sink.port}", folder)
    system.settings["DULY_LIBRARY"] = str(library_with_a_penalty(folder / "library"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    client = oidc_provider.client(f"{url}/signed-in")
    try:
        pages = system.spawn(
            "console", DULY_CONSOLE_PORT=str(port), DULY_CONSOLE_OIDC_ISSUER=oidc_provider.issuer,
            DULY_CONSOLE_OIDC_CLIENT_ID=client.client_id, DULY_CONSOLE_OIDC_CLIENT_SECRET=client.secret,
        )  # fmt: skip
        await system.ready(pages, *map(system.spawn, WORKERS))
        yield Office(system, sink, oidc_provider, url)
    finally:
        system.stop()
        sink.stop()


@dataclass
class Officer:
    """Somebody who works for the authority, in front of a browser."""

    page: Page
    office: Office
    script: bool

    async def signs_in(self, subject: str, name: str, *roles: str) -> None:
        self.office.provider.person(subject, name=name, roles=list(roles))
        await self.page.goto(self.office.url)
        await self.page.get_by_role("button", name="Sign in", exact=True).click()
        await self.page.wait_for_url(f"{self.office.provider.issuer}/**")
        await self.page.get_by_placeholder("sub").fill(subject)
        await self.page.get_by_role("button", name="Authorize", exact=True).click()
        await self.page.wait_for_url(f"{self.office.url}/**")

    async def goes(self, path: str, heading: str) -> None:
        """Open a page, which is for everybody."""
        await self.page.goto(self.office.url + path)
        await self.sees(heading)

    async def sees(self, heading: str) -> None:
        await expect(self.page.get_by_role("heading", level=1)).to_contain_text(heading)
        await self.looks()

    async def looks(self) -> None:
        """The page is for everybody: each kind of page once, in light and dark, wide and narrow."""
        kind = re.sub(r"[0-9a-f-]{36}|\b\d+\b", "…", self.page.url) + await self.page.title()
        if not self.script or kind in self.office.seen:
            return
        self.office.seen.add(kind)
        for width, dark in ((WIDE, True), (NARROW, False)):
            await self.page.set_viewport_size({"width": width, "height": 900})
            await self.page.emulate_media(color_scheme="dark" if dark else "light")
            await fits(self.page)
            await accessible(self.page)
            await look(self.page)
        await self.page.set_viewport_size({"width": WIDE, "height": 900})

    async def says(self, reason: str, button: str, told: str) -> None:
        """Give a reason, press, and be told."""
        await self.page.get_by_label(re.compile("^(Why|Note)")).fill(reason)
        await self.presses(button)
        await expect(self.page.get_by_role("status").filter(has_text=told)).to_be_visible()
        await self.looks()

    async def presses(self, button: str) -> None:
        await self.page.get_by_role("button", name=button, exact=True).click()

    async def chooses(self, label: str) -> None:
        """One of several cards; the whole card is its label."""
        await self.page.locator(".card label").get_by_text(label, exact=True).click()

    async def follows(self, link: str) -> None:
        await self.page.get_by_role("link", name=link, exact=True).first.click()


@asynccontextmanager
async def officer(
    browser: Browser, office: Office, subject: str, name: str, *roles: str, script: bool = True
) -> AsyncIterator[Officer]:
    async with visitor(browser, script=script) as page:
        officer = Officer(page, office, script)
        await officer.signs_in(subject, name, *roles)
        yield officer


async def test_decision_makers_day(browser: Browser, office: Office) -> None:
    await one_fired_and_then_came_back(office)
    refs = (*HELD, "harsh", "fair")
    kinds = {ref: "fee-penalty" if ref in {"harsh", "fair"} else "fee-outstanding" for ref in refs}
    await office.system.publish(*(fee_outstanding(ref, notice_type=kind) for ref, kind in kinds.items()))
    for ref in refs:
        await office.system.until_state(ref, "served", seconds=60)
    async with (
        officer(browser, office, "dora", "Dora Vale", "decision_maker") as dora,
        officer(browser, office, "dan", "Dan Moor", "decision_maker", script=False) as dan,
        officer(browser, office, "cara", "Cara Lind", "caseworker", script=False) as cara,
        officer(browser, office, "both", "Rhys Pugh", "caseworker", "operator") as rhys,
    ):
        await a_kind_is_stopped(dora)
        await cases_pile_up(office, refs)
        await a_hold_is_placed(cara, "held-1")
        await office.system.until(STOPPED, len(HELD) - 1)
        await the_sample_is_judged(dora)
        await a_hold_is_placed(rhys, "held-2")
        await the_batch_is_released(dora)
        await one_is_declined(dora)
        await another_is_agreed_by_two(dora, dan)
        await the_reversal_is_decided(dora)
        await a_stray_bounce_is_matched(rhys)
        await a_hold_is_lifted(rhys, "held-2")
        await more_time_is_given(rhys)
        await brakes_are_seen_to(dora, rhys)


async def one_fired_and_then_came_back(office: Office) -> None:
    """Some weeks ago: a sanction fired, and then the mail of its notice came back after all."""
    await office.system.publish(fee_outstanding("turned"))
    await office.system.until_state("turned", "served", seconds=60)
    await sanction(office.system, "turned")
    address = "turned@business.example"
    await mail_comes_back(office.system, office.sink, address, bounced(address))
    await office.system.until("SELECT count(*) FROM reversal", 1)


async def a_kind_is_stopped(dora: Officer) -> None:
    await dora.goes("/stop", "Stop switches")
    await dora.page.locator(".panel").filter(has_text=KIND).get_by_role("link", name="Stop it", exact=True).click()
    await dora.sees(f"Stop {KIND}")
    await dora.presses("Stop it now")
    await expect(dora.page.get_by_role("status").filter(has_text="the reason cannot be recorded")).to_be_visible()
    await dora.says("The fee records may be wrong.", "Stop it now", f"{KIND} is stopped.")
    await expect(dora.page.get_by_role("cell", name="Dora Vale [dora]").first).to_be_visible()


async def cases_pile_up(office: Office, refs: Sequence[str]) -> None:
    """Deadlines pass, sanctions are proposed, nobody objects; the switch alone holds them."""
    duly = office.system
    await duly.advance(days=23)
    for ref in refs:
        await duly.until_state(ref, "lapsed")
    await duly.until("SELECT count(*) FROM gate_wait WHERE waiting_for @> '{objection_window}'", len(refs))
    await duly.advance(days=2)
    await duly.until(STOPPED, len(HELD))


async def a_hold_is_placed(caseworker: Officer, ref: str) -> None:
    notice_id = await caseworker.office.notice_id(ref)
    await caseworker.goes(f"/notices/{notice_id}/hold", "Place a hold")
    await caseworker.chooses("Special treatment")
    await caseworker.says("They pay in four parts.", "Place a hold", "The hold is placed.")
    assert (await caseworker.office.evidence(ref, "hold.placed"))["hold_kind"] == "special_treatment"


async def the_sample_is_judged(dora: Officer) -> None:
    await dora.goes("/sanctions/batches", "Held by a brake")
    await dora.says("The records are mended.", "Make the batch and draw its sample", "The batch has 6 cases; 5 of them")
    await dora.sees(KIND)
    await expect(dora.page.get_by_role("button", name="Release all 6")).to_have_count(0)
    await dora.page.get_by_role("link", name=re.compile("^Look at case")).click()
    for number in range(5):
        await dora.sees("held-")
        await expect(dora.page.get_by_role("heading", name="If released, it would fire now")).to_be_visible()
        await expect(dora.page.get_by_text("Sanction proposed")).to_be_visible()
        verdict = "Wrong" if number == 0 else "Right"
        await dora.chooses(verdict)
        await dora.says("The ledger shows no payment; the alert was accepted.", "Judge", f"is judged {verdict.lower()}")
    await dora.sees(KIND)
    await expect(dora.page.get_by_role("button", name="Release all 6")).to_have_count(0)
    await dora.page.get_by_role("row").filter(has_text="Wrong").get_by_role("link").click()
    await dora.sees("held-")
    await dora.chooses("Right")
    await dora.says("That payment was for another year.", "Judge", "is judged right")


async def the_batch_is_released(dora: Officer) -> None:
    """What was released fires past the switch; the two with a hold do not."""
    office = dora.office
    await dora.says("The sample is right.", "Release all 6", "Released: 6 sanctions go past the brake.")
    await office.system.until("SELECT count(*) FROM notice WHERE source_ref LIKE 'held-%' AND state = 'sanctioned'", 5)
    for ref in HELD[:2]:
        assert await office.system.state(ref) == "lapsed"
    fired = await office.evidence("held-3", "sanction.fired")
    assert (fired["released_by"], fired["release_reason"]) == ("Dora Vale [dora]", "The sample is right.")
    await dora.goes("/sanctions/batches", "Held by a brake")
    await expect(dora.page.get_by_role("row").filter(has_text="Released").get_by_role("cell").nth(5)).to_have_text("5")


async def one_is_declined(dora: Officer) -> None:
    await dora.goes("/sanctions", "Sanctions")
    await dora.follows("harsh")
    await dora.sees("harsh")
    await expect(dora.page.get_by_text("Nobody has decided", exact=True)).to_be_visible()
    await dora.says(
        "A first lapse after ten good years.", "Decline the sanction", "Declined. The gate closes the notice."
    )
    await dora.office.system.until_state("harsh", "closed")
    declined = await dora.office.evidence("harsh", "sanction.declined")
    assert (declined["declined_by"], declined["reason"]) == ("Dora Vale [dora]", "A first lapse after ten good years.")


async def another_is_agreed_by_two(dora: Officer, dan: Officer) -> None:
    await dora.goes("/sanctions", "Sanctions")
    await dora.follows("fair")
    await dora.says("The third time.", "Decide that it shall fire", "Another decision maker must approve.")
    await expect(dora.page.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
    await expect(dora.page.get_by_text("Another person must approve")).to_be_visible()
    await dan.goes("/sanctions", "Sanctions")
    await dan.follows("fair")
    await dan.sees("fair")
    await dan.says("I agree.", "Approve", "The gate alone decides when it fires.")
    await dora.office.system.until_state("fair", "sanctioned")
    await dora.goes("/sanctions?show=fired", "Sanctions")
    await dora.follows("fair")
    await dora.sees("fair")
    await expect(dora.page.get_by_text("Dan Moor [dan]").first).to_be_visible()


async def the_reversal_is_decided(dora: Officer) -> None:
    await dora.goes("/reversals", "Reversals")
    await dora.follows("turned")
    await dora.sees("turned")
    await dora.says("It never reached them.", "Rescind the sanction", "Rescinded.")
    await dora.office.system.until_state("turned", "unserved")
    await dora.goes("/reversals", "Reversals")
    await expect(dora.page.get_by_role("row").filter(has_text="turned")).to_contain_text("Dora Vale [dora]")


async def a_stray_bounce_is_matched(rhys: Officer) -> None:
    """A report that names nobody we know is read, which is on record, and said to be about a notice."""
    office = rhys.office
    report = STRAY.replace(b"\n", b"\r\n")
    evidence = await through_the_mail_door(office.system, report, None)
    await office.system.until("SELECT state FROM raw_evidence WHERE evidence_id = $1", "parked", evidence)
    await rhys.goes("/evidence", "Evidence")
    await rhys.page.get_by_role("table").get_by_role("link").first.click()
    await rhys.sees("mail")
    await rhys.follows("Read what came")
    await rhys.sees("mail")
    await expect(rhys.page.get_by_text("<script>alert('hello')</script>")).to_be_visible()
    read = "SELECT count(*) FROM access_record WHERE person = 'both' AND act = 'read_message'"
    assert await office.system.value(read) == 1
    await rhys.follows("The evidence")
    await rhys.page.get_by_label("The notice it is about").fill("held-2")
    await rhys.says("They rang about it.", "It is about this notice", "a hold is placed on it")
    assert (await office.evidence("held-2", "hold.placed"))["matched_by"] == "person"


async def a_hold_is_lifted(rhys: Officer, ref: str) -> None:
    await rhys.goes("/holds", "Holds")
    await rhys.page.get_by_role("row").filter(has_text=ref).filter(has_text="Special").get_by_role("link").first.click()
    await rhys.sees("Special treatment")
    await rhys.says("The last part is paid.", "Lift the hold", "1 still open on this notice.")


async def more_time_is_given(rhys: Officer) -> None:
    office = rhys.office
    await office.system.publish(fee_outstanding("later"))
    await office.system.until_state("later", "served")
    due = await office.system.value(
        "SELECT (deadline_at + interval '14 days')::date::text FROM notice WHERE state='served'"
    )
    await rhys.goes(f"/notices/{await office.notice_id('later')}/deadline", "Give more time")
    await rhys.page.get_by_label("New last day").fill(due)
    await rhys.says("Their accountant is ill.", "Give more time", "More time is given")
    assert (await office.evidence("later", "deadline.extended"))["due_on"] == due


async def brakes_are_seen_to(dora: Officer, rhys: Officer) -> None:
    """One lowers a cap and may not raise it; another lets the kind go on; all mail is stopped and let go again."""
    await rhys.goes(f"/stop/kinds/{KIND}/lower", f"Lower the cap of {KIND}")
    await rhys.page.get_by_label("The most in an hour").fill("900")
    await rhys.says("More, please.", "Lower the cap", "that is no less than now")
    await rhys.page.get_by_label("The most in an hour").fill("3")
    await rhys.says("Slowly at first.", "Lower the cap", "3 an hour at most.")
    await rhys.page.goto(f"{rhys.office.url}/stop/kinds/{KIND}/raise")
    await expect(rhys.page.get_by_role("heading", level=1)).to_contain_text("Your roles do not let you do this")
    await dora.goes(f"/stop/kinds/{KIND}/raise", f"Raise the cap of {KIND}")
    await dora.says("As the regime has it.", "Set the cap", "as many an hour as the regime says")
    await dora.goes(f"/stop/kinds/{KIND}/go-on", f"Let {KIND} go on")
    await dora.says("All is well again.", "Let it go on", f"{KIND} goes on.")
    await rhys.goes("/stop/mail/stop", "Stop all mail")
    await rhys.says("A wrong text went out.", "Stop all mail now", "No mail leaves.")
    await rhys.goes("/stop/mail/go-on", "Let mail leave again")
    await rhys.says("It is put right.", "Let mail leave again", "Mail may leave again.")
    history = await rhys.office.system.fetch("SELECT change, changed_by FROM brake_change ORDER BY change_id")
    assert [tuple(row) for row in history] == [
        ("stopped", "Dora Vale [dora]"), ("capped", "Rhys Pugh [both]"), ("capped", "Dora Vale [dora]"),
        ("released", "Dora Vale [dora]"), ("stopped", "Rhys Pugh [both]"), ("released", "Rhys Pugh [both]"),
    ]  # fmt: skip
