"""Who reads what: a notice as it was served, its first view as evidence, and nobody else's anything."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import httpx2

from services.inbox.app import PAGES
from services.inbox.files import Links
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.desk import open_desk
from services.kernel.domain.chain import GENESIS, Fact, verify
from services.kernel.domain.content import content_hash
from services.kernel.domain.notice import State
from services.kernel.runtime.desk import Word
from services.kernel.runtime.desk_sanctions import rescind
from tests.rig.inbox import PDF, Opened, Reader
from tests.rig.notices import demand, make
from tests.rig.system import fee_outstanding

VIEWS = "SELECT data FROM notice_event WHERE kind = 'content.viewed'"
FIRST = "SELECT first_viewed_by FROM notice_content"


async def test_the_first_view_is_evidence_once_and_a_list_is_no_view(inbox: Opened) -> None:
    notice_id = await inbox.fee("one")
    reader = await inbox.reader_of("B-one")
    assert "New" in (await reader.get("/notices")).text
    assert await inbox.bench.column(FIRST) == [None]
    await reader.client.head(f"/notices/{notice_id}")
    await reader.get(f"/notices/{notice_id}", headers={"sec-purpose": "prefetch;prerender"})
    assert await inbox.bench.column(FIRST) == [None]
    for path in (f"/notices/{notice_id}", f"/notices/{notice_id}/print", f"/notices/{notice_id}"):
        assert (await reader.get(path)).status_code == 200
    (told,) = map(json.loads, await inbox.bench.column(VIEWS))
    content = await inbox.bench.value("SELECT content_hash FROM notice_content")
    assert told == {
        "by": "trial:B-one", "name": "Ann Price", "business_id": "B-one", "content_sha256": content.hex()
    }  # fmt: skip
    assert await inbox.bench.column(FIRST) == ["trial:B-one"]
    assert await inbox.acts() == ["sign_in", "view", "print", "view"]
    assert not verify(await facts(inbox, notice_id), await head(inbox, notice_id))


async def facts(inbox: Opened, notice_id: UUID) -> list[Fact]:
    chain: list[Fact] = []
    rows = await inbox.bench.ledger.pool.fetch(
        "SELECT * FROM notice_event WHERE notice_id = $1 ORDER BY seq", notice_id
    )
    for row in rows:
        previous = chain[-1].digest if chain else GENESIS(notice_id)
        chain.append(Fact(**{**dict(row.items()), "data": json.loads(row["data"]), "previous": previous}))
    return chain


async def head(inbox: Opened, notice_id: UUID) -> bytes:
    found: bytes = await inbox.bench.value("SELECT chain_head FROM notice WHERE notice_id = $1", notice_id)
    return found


async def test_content_that_is_not_what_was_served_is_not_shown(inbox: Opened) -> None:
    notice_id = await inbox.fee("one")
    reader = await inbox.reader_of("B-one")
    await inbox.bench.value("UPDATE notice_content SET body_html = body_html || '<p>And more.</p>' RETURNING 1")
    answer = await reader.get(f"/notices/{notice_id}")
    assert answer.status_code == 500
    assert "And more." not in answer.text
    assert await inbox.bench.column(FIRST) == [None]
    assert await inbox.bench.column("SELECT detail FROM access_record WHERE NOT allowed") == ["content altered"]


async def test_every_route_answers_404_for_every_other_account(inbox: Opened) -> None:
    """The app's own table of routes, so that none is forgotten."""
    notice_id = await inbox.question("one")
    await inbox.question("two")
    owner, stranger = await inbox.reader_of("B-one"), await inbox.reader_of("B-two")
    sent = await owner.answer(notice_id, "evidence", files={"a.pdf": PDF})
    evidence_id = sent.headers["location"].rpartition("/")[2]
    upload_id = await inbox.bench.value("SELECT upload_id FROM upload")
    ids = {"notice_id": str(notice_id), "evidence_id": evidence_id, "upload_id": str(upload_id)}
    tried = [page for page in PAGES if "{" in page.path]
    assert len(tried) == 6
    for page in tried:
        path = page.path.format(**ids)
        own, answer = await asked(owner, page.method, path), await asked(stranger, page.method, path)
        assert own.status_code in {200, 303, 422}, path
        assert answer.status_code == 404, path
        assert str(notice_id) not in answer.text.replace(path, "")
        for wrong in (
            page.path.format(**dict.fromkeys(ids, str(uuid4()))),
            page.path.format(**dict.fromkeys(ids, "x'--")),
        ):
            assert (await asked(owner, page.method, wrong)).status_code == 404, wrong
        nobody = await asked(inbox.reader(), page.method, path)
        assert nobody.headers.get("location") == "/sign-in" if page.method == "GET" else nobody.status_code == 403
    assert await inbox.bench.value(
        "SELECT count(*) FROM access_record WHERE NOT allowed AND person = 'trial:B-two' AND notice_id = $1", notice_id
    ) == len(tried)


async def asked(reader: Reader, method: str, path: str) -> httpx2.Response:
    if method == "GET":
        return await reader.client.get(path)
    return await reader.client.post(path, files=[("csrf", (None, reader.csrf))])


async def test_one_acts_for_a_business_of_ones_own_alone(inbox: Opened) -> None:
    one, two = await inbox.fee("one"), await inbox.fee("two")
    await inbox.fee("three")
    adviser = inbox.reader()
    await adviser.sign_in("trial:adviser")
    assert (await adviser.get("/notices")).headers["location"] == "/businesses"
    await adviser.post("/businesses", business="B-one")
    listed = (await adviser.get("/notices")).text
    assert str(one) in listed
    assert str(two) not in listed
    assert (await adviser.get(f"/notices/{two}")).status_code == 200, "it is one of theirs, chosen or not"
    stranger = await inbox.reader_of("B-three")
    assert (await stranger.post("/businesses", business="B-one")).status_code == 404


async def test_a_file_comes_from_another_origin_as_a_download_by_a_link_that_expires(inbox: Opened) -> None:
    notice_id = await inbox.question("one")
    reader = await inbox.reader_of("B-one")
    content = b"%PDF-1.7\n" + b"<script>alert(1)</script>" * 40_000
    await reader.answer(notice_id, "evidence", files={"page.pdf": content})
    upload_id = await inbox.bench.value("SELECT upload_id FROM upload")
    link = (await reader.get(f"/notices/{notice_id}/files/{upload_id}")).headers["location"]
    assert not link.startswith(inbox.url)
    async with httpx2.AsyncClient() as outside:
        answer = await outside.get(link)
        assert answer.content == content
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"] == 'attachment; filename="evidence-1.pdf"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert "set-cookie" not in answer.headers
        for forged in (link.replace("evidence-1.pdf", "evidence-1.html"), link[:-1] + ("0" if link[-1] != "0" else "1"),
                       link.partition("&signature")[0], link.replace("until=", "until=9")):  # fmt: skip
            assert (await outside.get(forged)).status_code == 404, forged
    assert "download" in await inbox.acts()


def test_a_link_is_good_for_a_minute() -> None:
    now = [1000.0]
    links = Links(b"k" * 32, "http://files.example", lambda: now[0])
    upload_id = uuid4()
    link = httpx2.URL(links.make(upload_id, "evidence-1.pdf", 7))
    query: dict[str, Any] = dict(link.params)
    assert links.opens(str(upload_id), "evidence-1.pdf", query)
    now[0] += 61
    assert not links.opens(str(upload_id), "evidence-1.pdf", query)


async def test_the_list_has_pages_in_both_directions(inbox: Opened) -> None:
    for number in range(60):
        await inbox.bench.rendered(fee_outstanding(f"n{number}", business_id="B-many"))
    reader = await inbox.reader_of("B-many")
    seen: list[list[str]] = []
    query = ""
    while query is not None:
        page = (await reader.get(f"/notices{query}")).text
        seen.append([part.partition('"')[0] for part in page.split('<a href="/notices/')[1:]])
        query = following(page, "older")
    assert [len(each) for each in seen] == [25, 25, 10]
    assert len({each for page in seen for each in page}) == 60
    back = (await reader.get(f"/notices?after={seen[2][0]}")).text
    assert [part.partition('"')[0] for part in back.split('<a href="/notices/')[1:]] == seen[1]


def following(page: str, what: str) -> str | None:
    """The query of the older page, if there is one."""
    for part in page.split('href="/notices?')[1:]:
        if part.startswith("before=" if what == "older" else "after="):
            return f"?{part.partition(chr(34))[0]}"
    return None


async def test_the_page_says_what_has_become_of_a_consequence(inbox: Opened, trial_database_url: str) -> None:
    made = await make(inbox.bench.ledger, State.SANCTIONED, business_id="B-one")
    assert made.sanction_id
    digest = content_hash("Words", "Words.", "<p>Words.</p>")
    await inbox.bench.value("UPDATE notice_content SET content_hash = $1 RETURNING 1", digest)
    reader, path = await inbox.reader_of("B-one"), f"/notices/{made.notice_id}"
    assert "Has taken effect" in (await reader.get(f"{path}/print")).text
    await demand(inbox.bench.ledger, made, response_kind="payment")
    assert "It stands until a person has decided" in (await reader.get(path)).text
    assert "Being looked at again" in (await reader.get("/notices")).text
    async with open_desk(trial_database_url, SystemIds()) as desk:
        await rescind(desk, made.sanction_id, Word("Alice Green", "it had been paid"))
    page = (await reader.get(path)).text
    assert "has been taken back" in page
    assert "was cancelled" not in page


async def test_pages_are_welsh_for_who_wants_welsh(inbox: Opened) -> None:
    await inbox.fee("one")
    reader = inbox.reader()
    assert '<html lang="cy">' in (await reader.get("/sign-in", headers={"accept-language": "cy-GB,en;q=0.5"})).text
    back = await reader.post("/language", language="cy", back="/sign-in")
    assert back.headers["location"] == "/sign-in"
    await reader.sign_in("trial:B-one")
    assert '<html lang="cy">' in (await reader.get("/notices")).text
    await reader.post("/language", language="en", back="//evil.example/")
    assert '<html lang="en">' in (await reader.get("/notices")).text
    assert (await reader.post("/language", language="xx")).status_code == 404


async def test_no_page_leads_to_another_site(inbox: Opened) -> None:
    for back in ("//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", "evil.example"):
        assert (await inbox.reader().post("/language", language="en", back=back)).headers["location"] == "/"
