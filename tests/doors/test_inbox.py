"""The secure inbox: signing in, reading a notice as it was served, answering it, and what of it is evidence."""

from __future__ import annotations

from hashlib import sha256

from tests.rig.inbox import PDF, Opened


async def test_a_notice_is_read_answered_with_a_file_and_satisfied(inbox: Opened) -> None:
    notice_id = await inbox.question("one")
    reader = inbox.reader()
    assert (await reader.get("/")).headers["location"] == "/sign-in"
    assert "trial:B-one" in (await reader.get("/sign-in")).text
    assert (await reader.sign_in("trial:B-one")).headers["location"] == "/notices"
    listed = await reader.get("/notices")
    assert f'href="/notices/{notice_id}"' in listed.text
    page = await reader.get(f"/notices/{notice_id}")
    assert page.status_code == 200
    body = await inbox.bench.value("SELECT body_html FROM notice_content WHERE notice_id = $1", notice_id)
    assert body in page.text
    sent = await reader.answer(notice_id, "evidence", "here it is", {"../../who we are.pdf": PDF})
    assert sent.status_code == 303, sent.text
    receipt = await reader.get(sent.headers["location"])
    assert receipt.status_code == 200
    assert sha256(PDF).hexdigest() in receipt.text
    assert "who we are.pdf" in receipt.text
    await inbox.respond()
    assert await inbox.bench.state(notice_id) == "satisfied"
