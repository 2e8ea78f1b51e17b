"""What a reader finds where content was: until when it is kept, that it is erased, and nothing that breaks."""

from __future__ import annotations

from uuid import UUID

from services.kernel.adapters.postgres.retention import PostgresErasing
from services.kernel.runtime.measures import Measures
from services.relay.erasing import Eraser
from tests.handlers.bench import IDS, LIBRARY_HERE
from tests.rig.inbox import PDF, Opened

SEVEN_YEARS = 7 * 366


async def answered(inbox: Opened) -> tuple[UUID, UUID]:
    """A notice that an answer with a file has satisfied."""
    notice_id = await inbox.question("one")
    reader = await inbox.reader_of("B-one")
    await reader.get(f"/notices/{notice_id}/answer")
    assert (await reader.answer(notice_id, "answer", "canary words", {"canary.pdf": PDF})).status_code == 303
    await inbox.respond()
    await inbox.bench.ledger.pool.execute("UPDATE outbox SET sent_at = clock_timestamp()")
    return notice_id, await inbox.bench.value("SELECT upload_id FROM upload")


async def erase(inbox: Opened) -> None:
    await inbox.bench.advance(days=SEVEN_YEARS)
    eraser = Eraser(PostgresErasing.beside(inbox.bench.ledger, IDS), LIBRARY_HERE, Measures())
    while await eraser.round():
        pass


async def test_a_notice_that_is_over_says_until_when_it_is_kept(inbox: Opened) -> None:
    notice_id, _ = await answered(inbox)
    reader = await inbox.reader_of("B-one")
    year = (await inbox.bench.value("SELECT legal_now()")).year + 6
    page = (await reader.get(f"/notices/{notice_id}")).text
    assert f"{year}</time> at least; then it is erased, as the retention rules say." in page
    await reader.post("/language", language="cy", back="/notices")
    page = (await reader.get(f"/notices/{notice_id}")).text
    assert "rheolau cadw yn ei ddweud" in page


async def test_every_page_says_what_became_of_erased_content(inbox: Opened) -> None:
    notice_id, _ = await answered(inbox)
    evidence_id = await inbox.bench.value("SELECT evidence_id FROM raw_evidence")
    digest = await inbox.bench.value("SELECT sha256(body) FROM raw_evidence")
    await erase(inbox)
    for language in ("en", "cy"):
        reader = await inbox.reader_of("B-one")
        await reader.post("/language", language=language, back="/notices")
        said = "Erased on" if language == "en" else "Dilëwyd ar"
        here = f"/notices/{notice_id}"
        for path in ("/notices", here, f"{here}/print", f"{here}/answers/{evidence_id}"):
            answer = await reader.get(path)
            assert answer.status_code == 200, path
            assert said in answer.text, path
            assert "canary" not in answer.text
        assert digest.hex() in (await reader.get(here)).text


async def test_a_notice_that_nobody_read_in_time_is_not_called_new_and_no_view_of_it_is_evidence(inbox: Opened) -> None:
    notice_id = await inbox.question("unread")
    await inbox.bench.ledger.pool.execute("UPDATE outbox SET sent_at = clock_timestamp()")
    await inbox.bench.ledger.pool.execute(
        "UPDATE notice SET state = 'withdrawn', withdrawn_at = legal_now() WHERE notice_id = $1", notice_id
    )
    await erase(inbox)
    reader = await inbox.reader_of("B-unread")
    page = await reader.get("/notices")
    assert "New" not in page.text
    assert "Every notice here has been opened." in page.text
    assert (await reader.get(f"/notices/{notice_id}")).status_code == 200
    assert await inbox.bench.value("SELECT count(*) FROM notice_event WHERE kind = 'content.viewed'") == 0


async def test_a_file_that_is_erased_is_gone_and_no_empty_download(inbox: Opened) -> None:
    notice_id, upload_id = await answered(inbox)
    reader = await inbox.reader_of("B-one")
    link = (await reader.get(f"/notices/{notice_id}/files/{upload_id}")).headers["location"]
    await erase(inbox)
    gone = await reader.get(f"/notices/{notice_id}/files/{upload_id}")
    assert gone.status_code == 410
    assert "This file has been erased" in gone.text
    late = await inbox.reader().get(link)
    assert late.status_code == 410, "a link of the minute before"
    assert "SHA-256" in late.text
