"""The console's door: sign-in by role, sessions, forms, what is on record, and pages that show themselves again."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from services.console import notices
from services.console.live import Refreshed
from services.console.roles import Role
from services.console.shown import FOR_PEOPLE, WAITS_ON
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.pages.pages import KIT
from services.kernel.adapters.pages.words import read_words
from services.kernel.adapters.postgres.alive import PostgresBeats
from services.kernel.adapters.postgres.console import PostgresDesks
from services.kernel.adapters.web.trial_sign_in import TrialOfficers
from services.kernel.domain.persons import same_person, signature
from services.kernel.ledger.people import Session
from services.kernel.runtime.fault import Fault
from tests.handlers.bench import Bench
from tests.rig.console import COOKIE, OpenedConsole, console_with_provider, opened_console
from tests.rig.console import console as console  # noqa: PLC0414 -- a fixture
from tests.rig.inbox import Reader
from tests.rig.oidc import OidcProvider
from tests.rig.system import fee_outstanding

WORDS = Path(__file__).parents[2] / "services" / "console" / "words"


@pytest.fixture
async def provided(bench: Bench, oidc_provider: OidcProvider) -> AsyncIterator[OpenedConsole]:
    """A console whose people sign in at a real provider."""
    async with console_with_provider(bench, oidc_provider) as console:
        yield console


async def signed_in(reader: Reader, subject: str, path: str = "/overview") -> httpx2.Response:
    """Ask for a page, sign in at the provider as this person, and come back; what is shown then."""
    assert (await reader.get(path)).headers["location"] == "/sign-in"
    await reader.get("/sign-in")
    begun = await reader.post("/sign-in")
    async with httpx2.AsyncClient() as elsewhere:
        back = await elsewhere.post(begun.headers["location"], data={"sub": subject})
    return await reader.get(back.headers["location"], follow_redirects=True)


# --- signing in -------------------------------------------------------------------------------------------------------


async def test_who_signs_in_has_the_roles_that_the_provider_claims_and_no_others(
    provided: OpenedConsole, oidc_provider: OidcProvider
) -> None:
    oidc_provider.person("ann", name="Ann Price", roles=["operator", "reader", "emperor"])
    page = await signed_in(provided.visitor(), "ann", "/notices")
    assert page.url.path == "/notices", "the page that was asked for"
    assert "Ann Price" in page.text
    assert await provided.bench.value("SELECT roles FROM web_session") == ["operator", "reader"]
    assert [(row["act"], row["allowed"], row["detail"]) for row in await provided.record()] == [
        ("sign_in", True, "Ann Price: operator, reader"),
        ("look", True, "GET /notices"),
    ]


@pytest.mark.parametrize("roles", [[], ["emperor"], ["Admin"], None])
async def test_who_has_no_role_is_told_so_is_not_let_in_and_is_on_record(
    provided: OpenedConsole, oidc_provider: OidcProvider, roles: list[str] | None
) -> None:
    oidc_provider.person("bob", name="Bob", **({} if roles is None else {"roles": roles}))
    reader = provided.visitor()
    page = await signed_in(reader, "bob")
    assert page.status_code == 403
    assert "You have no role here" in page.text
    assert COOKIE not in reader.client.cookies
    assert await provided.bench.value("SELECT count(*) FROM web_session") == 0
    (refusal,) = await provided.record()
    assert (refusal["person"], refusal["act"], refusal["allowed"], refusal["detail"]) == (
        "bob", "sign_in", False, "no_role",
    )  # fmt: skip


async def test_a_forged_answer_of_the_provider_signs_nobody_in(provided: OpenedConsole) -> None:
    reader = provided.visitor()
    await reader.get("/sign-in")
    begun = await reader.post("/sign-in")
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    assert (await reader.get(f"/signed-in?state={state}&code=forged")).status_code == 403
    assert (await reader.get("/signed-in?state=another&code=x")).status_code == 403
    assert [row["detail"] for row in await provided.record()] == ["provider_refused", "wrong_state"]


async def test_a_trial_has_one_person_of_each_role(console: OpenedConsole) -> None:
    for role in Role:
        reader = console.visitor()
        await reader.get("/sign-in")
        assert (await reader.post("/sign-in", person=f"trial:{role}")).headers["location"] == "/overview"
        assert (await reader.get("/overview")).status_code == 200
    assert (await console.visitor().post("/sign-in", person="trial:emperor")).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
async def test_a_trials_sign_in_is_for_this_machine_alone(bench: Bench, host: str) -> None:
    with pytest.raises(Fault, match="this machine alone"):
        async with opened_console(bench, host=host):
            pass


async def test_a_trials_sign_in_is_nothing_in_earnest() -> None:
    class Earnest:
        async def clock(self) -> object:
            return type("Clock", (), {"trial": False})()

        async def __aenter__(self) -> Earnest:
            return self

        async def __aexit__(self, *_: object) -> None: ...

        def open(self) -> Earnest:
            return self

    with pytest.raises(Fault, match="needs a trial's database"):
        await TrialOfficers(Earnest(), "127.0.0.1", roles=("admin",)).people()  # type: ignore[arg-type]


# --- sessions and forms -----------------------------------------------------------------------------------------------


async def test_a_session_of_the_inbox_or_a_made_up_one_opens_nothing(console: OpenedConsole) -> None:
    for token in ("a" * 43, ""):
        reader = console.visitor()
        reader.client.cookies.set(COOKIE, token)
        assert (await reader.get("/overview")).headers["location"] == "/sign-in"
    officer = await console.officer("admin")
    await console.bench.value("UPDATE web_session SET site = 'inbox' RETURNING 1")
    assert (await officer.get("/overview")).headers["location"] == "/sign-in"


@pytest.mark.parametrize(
    "over", ["seen_at = clock_timestamp() - interval '31 minutes'", "ends_at = clock_timestamp() - interval '1 second'"]
)
async def test_a_session_that_is_idle_or_over_is_nobodys(console: OpenedConsole, over: str) -> None:
    officer = await console.officer("operator")
    assert (await officer.get("/overview")).status_code == 200
    await console.bench.value(f"UPDATE web_session SET {over} RETURNING 1")
    assert (await officer.get("/overview")).headers["location"] == "/sign-in"
    assert (await officer.post("/sign-out")).status_code == 403


async def test_signing_out_ends_the_session_and_is_on_record(console: OpenedConsole) -> None:
    officer = await console.officer("operator")
    token = officer.client.cookies[COOKIE]
    assert (await officer.post("/sign-out")).headers["location"] == "/signed-out"
    officer.client.cookies.set(COOKIE, token)
    assert (await officer.get("/overview")).headers["location"] == "/sign-in"
    assert [row["act"] for row in await console.record()] == ["sign_out"]


@pytest.mark.parametrize("token", ["", "x" * 43])
async def test_signing_out_wants_the_forms_token(console: OpenedConsole, token: str) -> None:
    officer = await console.officer("operator")
    assert (await officer.post("/sign-out", csrf=token)).status_code == 403
    assert (await officer.get("/overview")).status_code == 200


async def test_roles_that_the_table_does_not_know_any_more_are_nothing(console: OpenedConsole) -> None:
    officer = await console.officer("emperor")
    page = await officer.get("/overview")
    assert page.status_code == 403
    assert "Your roles do not let you do this" in page.text


async def test_every_answer_has_the_security_headers_and_runs_no_script_but_ours(console: OpenedConsole) -> None:
    officer = await console.officer("operator")
    for path in ("/overview", "/sign-in", "/nothing"):
        headers = (await officer.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


async def test_a_trials_console_answers_to_names_of_this_machine_alone(console: OpenedConsole) -> None:
    answer = await console.visitor().get("/sign-in", headers={"host": "elsewhere.example"})
    assert answer.status_code == 400


# --- what is on record ------------------------------------------------------------------------------------------------


async def test_looks_at_a_notice_and_its_words_name_it(console: OpenedConsole) -> None:
    notice_id = await console.served(fee_outstanding("one"))
    officer = await console.officer("caseworker", person="c-1")
    for path in ("", "/words", "/proof"):
        assert (await officer.get(f"/notices/{notice_id}{path}")).status_code == 200
    reader = await console.officer("reader", person="r-1")
    assert (await reader.get(f"/notices/{notice_id}/words")).status_code == 403
    assert [(row["person"], row["act"], row["allowed"], row["notice_id"]) for row in await console.record()] == [
        ("c-1", "look", True, notice_id),
        ("c-1", "read_words", True, notice_id),
        ("c-1", "look", True, notice_id),
        ("r-1", "read_words", False, notice_id),
    ]


async def test_a_notice_is_shown_without_its_words_and_its_words_only_where_their_hash_is_right(
    console: OpenedConsole,
) -> None:
    notice_id = await console.served(fee_outstanding("one"))
    officer = await console.officer("decision_maker")
    about = (await officer.get(f"/notices/{notice_id}")).text
    words = (await officer.get(f"/notices/{notice_id}/words")).text
    assert "PAY-" not in about
    assert "PAY-" in words
    await console.bench.value("UPDATE notice_content SET body_html = '<p>PAY-FORGED</p>' RETURNING 1")
    forged = (await officer.get(f"/notices/{notice_id}/words")).text
    assert "PAY-" not in forged
    assert "do not have the hash" in forged


async def test_a_page_that_shows_itself_again_is_one_look_for_ten_minutes(console: OpenedConsole) -> None:
    officer = await console.officer("operator")
    for _ in range(3):
        await officer.get("/overview")
    assert [row["detail"] for row in await console.record()] == ["GET /overview"]
    for _ in range(2):
        await officer.get("/overview?pause")  # a look that the reader asked for, each time
        await officer.get("/notices")
    assert len(await console.record()) == 5


async def test_a_page_that_shows_itself_again_keeps_nobody_signed_in(console: OpenedConsole) -> None:
    officer = await console.officer("operator")
    await officer.get("/overview")
    earlier = "UPDATE web_session SET seen_at = seen_at - interval '20 minutes' RETURNING 1"
    await console.bench.value(earlier)
    assert (await officer.get("/overview")).status_code == 200
    await console.bench.value(earlier)
    assert (await officer.get("/overview")).headers["location"] == "/sign-in", "idle for forty minutes"
    officer = await console.officer("operator")
    for path in ("/overview", "/notices", "/overview"):
        assert (await officer.get(path)).status_code == 200
        await console.bench.value(earlier)


def test_a_look_that_goes_on_counts_again_after_ten_minutes() -> None:
    now = 0.0
    refreshed = Refreshed(clock=lambda: now)
    session = Session(b"t", "p", "P", (), None, "en", "c")
    request = type("Request", (), {"url": type("Url", (), {"path": "/overview", "query": ""})()})()
    assert not refreshed.is_same_look(session, request)
    refreshed.ask(session, request)
    assert refreshed.is_same_look(session, request)
    now = timedelta(minutes=10).total_seconds()
    assert not refreshed.is_same_look(session, request)


async def test_only_an_administrator_reads_the_record(console: OpenedConsole) -> None:
    notice_id = await console.served(fee_outstanding("one"))
    await (await console.officer("reader", person="r-1")).get(f"/notices/{notice_id}/words")
    admin = await console.officer("admin", person="a-1")
    page = (await admin.get("/audit?refused=yes")).text
    assert "r-1" in page
    assert f"/notices/{notice_id}/words" in page
    assert (await (await console.officer("operator")).get("/audit")).status_code == 403


# --- lists ------------------------------------------------------------------------------------------------------------

_LINK = re.compile(r'<a href="/notices/[0-9a-f-]{36}">([^<]+)</a>')
_OLDER, _NEWER = re.compile(r'rel="next" href="([^"]+)"'), re.compile(r'rel="prev" href="([^"]+)"')


async def leaves(officer: Reader, path: str, way: re.Pattern[str]) -> list[list[str]]:
    """The references on each page of a list, from this one on."""
    found = []
    while path and len(found) < 10:
        text = (await officer.get(path)).text
        found.append(_LINK.findall(text))
        further = way.search(text)
        path = html.unescape(further[1]) if further else ""
    return found


async def test_the_list_is_paged_both_ways_and_keeps_its_filter(
    console: OpenedConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "MOST", 3)
    refs = [f"r{number}" for number in range(8)]
    for ref in refs:
        await console.served(fee_outstanding(ref))
    await console.bench.rendered(fee_outstanding("left-out"))
    officer = await console.officer("reader")
    newest = refs[::-1]
    pages = await leaves(officer, "/notices?state=served", _OLDER)
    assert pages == [newest[:3], newest[3:6], newest[6:]]
    last = await console.bench.value("SELECT notice_id FROM notice WHERE source_ref = 'r0'")
    assert await leaves(officer, f"/notices?state=served&after={last}", _NEWER) == [
        newest[4:7],
        newest[1:4],
        newest[:1],
    ]


@pytest.mark.parametrize("query", ["state=none", "before=x", "business=%00", "held=no", "type='", "after=1&before=2"])
async def test_a_filter_that_means_nothing_is_no_fault(console: OpenedConsole, query: str) -> None:
    officer = await console.officer("admin")
    for path in ("/notices", "/search", "/audit"):
        assert (await officer.get(f"{path}?{query}&q={query}&person={query}&notice=x&before=9e9")).status_code == 200


@pytest.mark.parametrize(
    ("text", "by"),
    [("one", "reference"), ("B-one", "business"), ("ONE@business.example", "address"), ("event-1", "event")],
)
async def test_a_notice_is_found_by_whatever_is_known_of_it(console: OpenedConsole, text: str, by: str) -> None:
    event = fee_outstanding("one", business_id="B-one", address="one@business.example")
    notice_id = await console.served({**event, "id": "event-1"})
    await console.served(fee_outstanding("two", business_id="B-two", address="two@business.example"))
    officer = await console.officer("reader")
    page = (await officer.get("/search", params={"q": text})).text
    assert _LINK.findall(page) == ["one"]
    assert f"<td>{by}</td>" in page
    for known in (str(notice_id), str(notice_id)[-8:]):
        assert f'<a href="/notices/{notice_id}">' in (await officer.get("/search", params={"q": known})).text


async def test_the_overview_says_what_waits_and_who_lives(console: OpenedConsole) -> None:
    await console.served(fee_outstanding("one"))
    beats = PostgresBeats(console.bench.ledger.pool)
    await beats.beat("renderer", "pod-1:1", "0.1.0")
    await beats.beat("notifier", "pod-2:1", "0.1.0")
    await console.bench.value(
        "UPDATE worker_alive SET beat_at = beat_at - interval '1 minute' WHERE worker = 'notifier'"
    )
    page = (await (await console.officer("reader")).get("/overview")).text
    assert re.search(r"renderer</td><td>.*?lives", page, re.DOTALL)
    assert re.search(r"notifier</td><td>.*?silent for 1 min", page, re.DOTALL)
    await beats.gone("notifier", "pod-2:1")
    assert "pod-2" not in (await (await console.officer("admin")).get("/overview")).text


async def test_everything_that_waits_has_its_words(console: OpenedConsole) -> None:
    async with PostgresDesks(console.bench.ledger.pool, SystemIds()).open() as desk:
        waiting = {each.what for each in await desk.waiting()}
    words = read_words(KIT / "words", WORDS)["en"].texts
    assert {what for what in waiting if f"waits.{what}" not in words} == set()
    assert waiting <= FOR_PEOPLE | WAITS_ON.keys()


# --- who acts ---------------------------------------------------------------------------------------------------------


def test_a_signature_has_the_name_and_the_id_and_fits() -> None:
    assert signature("Ann Price", "a7c1") == "Ann Price [a7c1]"
    assert signature("A" * 300, "p" * 150).endswith(f" [{'p' * 150}]")
    assert len(signature("A" * 300, "p" * 150)) == 200
    assert signature("Ann", "p" * 200) == "p" * 200


def test_the_same_person_is_known_by_their_id_whatever_they_call_themselves() -> None:
    assert same_person("Ann Price [a7c1]", "Annie P. [a7c1]")
    assert not same_person("Ann Price [a7c1]", "Ann Price [b2]")
    assert same_person("r. bevan", "R. Bevan")
    assert same_person("R. Bevan", "R. Bevan [b2]"), "at the desk and in the console: rather one person than two"
    assert not same_person("R. Bevan", "Ann Price [a7c1]")
