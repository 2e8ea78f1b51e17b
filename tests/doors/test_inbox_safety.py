"""What holds for every page of the inbox: headers, cookies, limits, and answers where something is away or wrong."""

from __future__ import annotations

import asyncio

import pytest

from services.inbox.__main__ import build
from services.inbox.app import PAGES
from services.kernel.runtime.fault import Fault
from services.kernel.runtime.program import Together
from tests.handlers.bench import Bench
from tests.rig.inbox import PDF, Opened, opened
from tests.rig.system import until

PATHS = ["/", "/sign-in", "/signed-in", "/signed-out", "/nothing-here", "/notices", "/static/nothing.css", "/sign-out"]


async def test_every_page_has_the_headers_and_none_has_a_script(inbox: Opened) -> None:
    notice_id = await inbox.fee("one")
    reader = await inbox.reader_of("B-one")
    paths = [page.path.format(notice_id=notice_id, evidence_id=notice_id, upload_id=notice_id) for page in PAGES]
    for path in {*PATHS, *paths}:
        answer = await reader.get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        assert "script" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers
        assert "<script" not in answer.text
        assert " style=" not in answer.text
        assert answer.status_code in {200, 303, 403, 404, 405}, path


async def test_behind_tls_cookies_are_bound_to_the_host_and_hsts_is_a_setting(bench: Bench) -> None:
    async with opened(bench, url="https://inbox.example/", files_url="https://files.example", hsts=True) as inbox:
        await inbox.fee("one")
        answer = await inbox.reader().post("/sign-in", person="trial:B-one")
        cookies = answer.headers.get_list("set-cookie")
        (session,) = [cookie for cookie in cookies if cookie.startswith("__Host-duly-inbox=")]
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(session.split("; "))
        assert "Domain" not in session
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


async def test_a_client_that_comes_too_often_is_told_when_to_come_again(bench: Bench) -> None:
    async with opened(bench, pages=40, sign_ins=8) as inbox:
        reader = inbox.reader()
        assert [(await reader.post("/sign-in", person="x")).status_code for _ in range(3)] == [403, 403, 429]
        answers = [await reader.get("/signed-out") for _ in range(12)]
        assert answers[0].status_code == 200
        assert answers[-1].status_code == 429
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 3
        assert "Too many requests" in answers[-1].text


async def test_without_the_database_pages_say_so_and_when_to_come_again(inbox: Opened) -> None:
    await inbox.fee("one")
    reader = await inbox.reader_of("B-one")
    inbox.bench.ledger.pool.terminate()
    for path in ("/notices", "/sign-in", "/nothing-here"):
        answer = await reader.get(path)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "cannot be reached" in answer.text


async def test_without_the_database_a_download_says_so_before_it_begins(inbox: Opened) -> None:
    notice_id = await inbox.question("one")
    reader = await inbox.reader_of("B-one")
    await reader.answer(notice_id, "evidence", files={"owners.pdf": PDF})
    upload_id = await inbox.bench.value("SELECT upload_id FROM upload")
    link = (await reader.get(f"/notices/{notice_id}/files/{upload_id}")).headers["location"]
    assert (await reader.client.get(link)).content == PDF
    inbox.bench.ledger.pool.terminate()
    assert (await reader.client.get(link)).status_code == 503


async def test_odd_requests_are_refused_and_never_break_anything(inbox: Opened) -> None:
    notice_id = await inbox.fee("one")
    reader = await inbox.reader_of("B-one")
    for path in ("/notices?before=x", "/notices?after=%00", f"/notices/{notice_id}?x=1"):
        assert (await reader.get(path)).status_code == 200
    for path in (
        "/notices/%00",
        "/notices/%ff",
        "/notices/..%2f..%2fetc",
        f"/notices/{notice_id}/answers/x",
        "/%0d%0ax",
    ):
        assert (await reader.get(path)).status_code == 404
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert (await reader.client.request(method, f"/notices/{notice_id}")).status_code == 405
    for content, kind in ((b"\xff", "x"), (b"a=%ff&" * 30, None), (b"x" * 20_000, None), (b"{}", "application/json")):
        headers = {"content-type": kind or "application/x-www-form-urlencoded"}
        for path in ("/sign-in", "/language", "/businesses", "/sign-out"):
            status = (await reader.client.post(path, content=content, headers=headers)).status_code
            assert status in {400, 403, 413}, (path, status)
    for cookie in (
        b"duly-inbox=\xe9\xff",
        b"duly-inbox=" + b"x" * 4_000,
        b"duly-language=\xe9; =;;",
        b"duly-asked=%00//x",
    ):
        answer = await inbox.reader().get("/notices", headers=[(b"cookie", cookie)])
        assert answer.headers["location"] == "/sign-in", cookie


async def test_what_a_request_calls_us_breaks_nothing(inbox: Opened) -> None:
    for host in ("[", "[::1", "x:y", "a b", ""):
        for path in ("/notices", "/notices/", "/sign-in", "/nothing-here"):
            answer = await inbox.reader().get(path, headers={"host": host})
            assert answer.status_code in {200, 303, 400, 404}, (host, path)


async def test_a_trials_pages_answer_to_names_of_this_machine_alone(inbox: Opened) -> None:
    await inbox.fee("one")
    port = inbox.url.rpartition(":")[2]
    for name, status in (("localhost", 200), ("127.0.0.1", 200), ("rebound.example", 400)):
        answer = await inbox.reader().get("/sign-in", headers={"host": f"{name}:{port}"})
        assert answer.status_code == status, name
        assert ("Ann Price" in answer.text) is (status == 200)


async def test_the_inbox_says_that_it_is_up(inbox: Opened) -> None:
    async def has_beaten() -> bool:
        return bool(await inbox.bench.value("SELECT count(*) FROM inbox_up"))

    await until(has_beaten, 10)


async def test_an_answer_that_the_broker_did_not_take_waits_in_the_outbox(inbox: Opened) -> None:
    notice_id = await inbox.question("one")
    reader = await inbox.reader_of("B-one")
    inbox.broker.away = True
    assert (await reader.answer(notice_id, "answer", "Here")).status_code == 303
    async with inbox.bench.ledger.begin() as tx:
        assert [row.type for row in await tx.unsent(100, 0)][-1] == "response.received.v1"
        assert [door for _, door in await tx.evidence_unlooked(10, 0)] == ["inbox"]


async def test_two_first_views_at_once_are_one_in_the_evidence(inbox: Opened) -> None:
    notice_id = await inbox.fee("one")
    reader = await inbox.reader_of("B-one")
    answers = await asyncio.gather(*(reader.client.get(f"/notices/{notice_id}") for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert await inbox.bench.value("SELECT count(*) FROM notice_event WHERE kind = 'content.viewed'") == 1


async def test_two_inboxes_share_sessions_and_two_answers_at_once_satisfy_once(bench: Bench) -> None:
    async with opened(bench) as one, opened(bench) as other:
        notice_id = await one.question("one")
        reader = await one.reader_of("B-one")
        there = other.reader()
        there.client.cookies = reader.client.cookies
        pages = await asyncio.gather(*(each.client.get(f"/notices/{notice_id}") for each in (reader, there)))
        assert {page.status_code for page in pages} == {200}
        assert await bench.value("SELECT count(*) FROM notice_event WHERE kind = 'content.viewed'") == 1
        there.csrf = reader.csrf
        answers = await asyncio.gather(*(each.answer(notice_id, "answer", "Here") for each in (reader, there)))
        assert {answer.status_code for answer in answers} == {303}
        await one.respond()
        assert await bench.state(notice_id) == "satisfied"
        assert await bench.column("SELECT state FROM raw_evidence") == ["processed"] * 2
        assert await bench.value("SELECT count(*) FROM notice_event WHERE kind = 'notice.satisfied'") == 1
        await there.post("/sign-out")
        assert (await reader.get("/notices")).headers["location"] == "/sign-in", "signed out of both"


# --- settings ---------------------------------------------------------------------------------------------------------


async def test_without_a_port_the_inbox_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DULY_INBOX_PORT", raising=False)
    worker = build(None)  # type: ignore[arg-type] -- it needs no parts to be off
    assert isinstance(worker, Together)
    assert worker.workers == []


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({}, "DULY_OIDC_ISSUER"),
        ({"DULY_INBOX_URL": "https://inbox.example"}, "DULY_FILES_URL"),
        ({"DULY_INBOX_URL": "inbox.example"}, "DULY_INBOX_URL"),
        ({"DULY_FILES_KEY": "abc"}, "DULY_FILES_KEY"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], fault: str
) -> None:
    for name, value in {"DULY_INBOX_PORT": "0", **settings}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Fault, match=fault):
        build(None)  # type: ignore[arg-type] -- it refuses before it needs any
