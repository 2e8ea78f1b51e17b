"""Answers: evidence from the first byte, received when complete and sound, and nothing else."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.kernel.adapters.ids import SystemIds
from services.kernel.runtime.measures import Measures
from services.relay.handler import Relay
from services.relay.settings import RelaySettings
from tests.handlers.bench import Bench
from tests.rig.inbox import PDF, Opened, Reader, opened
from tests.rig.system import until

STATES = "SELECT state FROM raw_evidence ORDER BY evidence_id"
PARTS = "SELECT count(*) FROM upload_part"
PNG, JPG = b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"\xff\xd8\xff\xe0" + b"\0" * 50


def office(inside: str, name: str = "[Content_Types].xml", *more: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for each in more:
            archive.writestr(each, b"x" * 100)
        archive.writestr(name, inside)
    return packed.getvalue()


WORD = office('<Types ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>')
SHEET = office('<Types ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>')
SOUND = {
    "a.pdf": PDF, "b.PNG": PNG, "c.jpeg": JPG, "d.txt": "Dŵr, tân".encode(), "e.csv": b"a;b\r\n\xa3;1\r\n",
    "f.docx": WORD, "g.xlsx": SHEET, "h.odt": office("application/vnd.oasis.opendocument.text", "mimetype"),
    "i.ods": office("application/vnd.oasis.opendocument.spreadsheet", "mimetype"),
}  # fmt: skip
UNSOUND = {
    "virus.exe": b"MZ\x90\x00", "none": PDF, "page.html": b"<html>", "a.svg": b"<svg/>", "not.pdf": PNG, "not.png": PDF,
    "short.png": PNG[:5], "page.txt": b"  <!DOCTYPE html><script>", "program.csv": b"MZ\x90\x00", "sheet.docx": SHEET,
    "zip.docx": office("hello", "hello.txt"), "broken.xlsx": SHEET[:-30], "text.odt": office("text/plain", "mimetype"),
    "macro.docx": office(zipfile.ZipFile(io.BytesIO(WORD)).read("[Content_Types].xml").decode(), "[Content_Types].xml",
                         "word/vbaProject.bin"),
}  # fmt: skip


async def open_notice(inbox: Opened, ref: str = "one") -> tuple[UUID, Reader]:
    notice_id = await inbox.question(ref)
    return notice_id, await inbox.reader_of(f"B-{ref}")


async def stands(inbox: Opened, state: str) -> bool:
    return await inbox.bench.column(STATES) == [state]


async def test_every_kind_of_file_that_is_taken_and_none_that_only_says_so(inbox: Opened) -> None:
    notice_id, reader = await open_notice(inbox)
    taken = await reader.answer(notice_id, "evidence", files=SOUND)
    assert taken.status_code == 303, taken.text
    given = json.loads(await inbox.bench.value("SELECT convert_from(body, 'UTF8') FROM raw_evidence"))["data"]
    assert [file["shown_name"] for file in given["files"]] == list(SOUND)
    for name, content in UNSOUND.items():
        refused = await reader.answer(notice_id, "evidence", files={name: content})
        assert refused.status_code == 415, name
        assert "Send files of these kinds only" in refused.text
    assert await inbox.bench.column(STATES) == ["waiting", *["refused"] * len(UNSOUND)]
    assert await inbox.bench.value(PARTS) == len(SOUND)


async def test_what_is_missing_or_too_much_is_told_all_at_once_and_the_words_stay(inbox: Opened) -> None:
    notice_id, reader = await open_notice(inbox)
    cases: list[tuple[str, str, dict[str, bytes], int, list[str]]] = [
        ("", "Words & more", {}, 422, ["Choose what you are sending"]),
        ("payment", "x", {}, 422, ["Choose what you are sending"]),
        ("answer", " \r\n ", {"a.pdf": b""}, 422, ["Write your message", "A file is empty"]),
        ("evidence", "see the letter", {}, 422, ["Choose at least one document"]),
        ("question", "?" * 20_001, {}, 422, ["Write a shorter message"]),
        ("evidence", "", {f"{n}.pdf": PDF for n in range(11)}, 422, ["Send at most 10 files"]),
        ("evidence", "", {"a.pdf": PDF + b"x" * 10 * 2**20, "b.exe": b"x"}, 413, ["larger than 10", "of these kinds"]),
    ]
    for kind, text, files, status, told in cases:
        answer = await reader.answer(notice_id, kind, text, files)
        assert answer.status_code == status, told
        assert all(words in answer.text for words in told), told
        assert text.strip()[:9].replace("&", "&amp;") in answer.text
    assert await inbox.bench.column(STATES) == ["refused"] * len(cases)
    assert await inbox.bench.value(PARTS) == 0
    assert inbox.broker.sent == []


async def test_more_than_an_answer_may_have_is_413_and_leaves_nothing(bench: Bench) -> None:
    async with opened(bench, answer_bytes=100_000) as inbox:
        notice_id, reader = await open_notice(inbox)
        answer = await reader.answer(notice_id, "evidence", files={"a.pdf": PDF + b"x" * 1_300_000})
        assert answer.status_code == 413
        assert "That is too large" in answer.text
        assert await bench.column(STATES) == ["refused"]
        assert await bench.value(PARTS) == 0


async def test_an_answer_counts_from_its_first_byte_if_it_completes(inbox: Opened) -> None:
    notice_id, reader = await open_notice(inbox)
    first, rest = asyncio.Event(), asyncio.Event()
    boundary = "b0"

    async def sent() -> Any:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{reader.csrf}\r\n'
        yield head.encode() + f'--{boundary}\r\nContent-Disposition: form-data; name="kind"\r\n\r\n'.encode()
        first.set()
        await rest.wait()
        text = f'--{boundary}\r\nContent-Disposition: form-data; name="text"\r\n\r\nWhy?\r\n--{boundary}--\r\n'
        yield f"question\r\n{text}".encode()

    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    sending = asyncio.create_task(reader.client.post(f"/notices/{notice_id}/answer", content=sent(), headers=headers))
    await first.wait()
    await until(partial(stands, inbox, "receiving"), 10)
    assert "Received at" not in (await reader.get(f"/notices/{notice_id}")).text
    await inbox.bench.advance(days=30)
    rest.set()
    answer = await sending
    assert answer.status_code == 303
    assert "In time" in (await reader.get(answer.headers["location"])).text
    await inbox.respond()
    assert await inbox.bench.column("SELECT kind FROM hold") == ["contested"], "in time, not what was asked"


@pytest.mark.parametrize("ending", ["cut", "no end"])
async def test_what_breaks_off_is_refused_its_parts_deleted_and_the_gate_woken(inbox: Opened, ending: str) -> None:
    notice_id, reader = await open_notice(inbox)
    await inbox.bench.value(
        "INSERT INTO gate_wait VALUES ($1, 1, NULL, now(), NULL, '{evidence_waiting}') RETURNING 1", notice_id
    )
    began = asyncio.Event()
    part = '--b\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n{}'

    async def sent() -> Any:
        yield (part.format("csrf", "", reader.csrf) + "\r\n").encode()
        yield part.format("files", '; filename="a.pdf"', "").encode() + b"%PDF-" + b"x" * 600_000
        began.set()
        if ending == "cut":
            await asyncio.Event().wait()

    headers = {"content-type": "multipart/form-data; boundary=b"}
    sending = asyncio.create_task(reader.client.post(f"/notices/{notice_id}/answer", content=sent(), headers=headers))
    await began.wait()
    if ending == "cut":
        await until(partial(inbox.bench.value, PARTS), 10)
        sending.cancel()
    else:
        assert (await sending).status_code == 400
    await until(partial(stands, inbox, "refused"), 10)
    assert await inbox.bench.value(PARTS) == 0
    assert await inbox.bench.value("SELECT look_again_at IS NOT NULL FROM gate_wait")
    assert inbox.broker.sent == []


async def test_without_the_database_in_mid_answer_nothing_is_said_to_be_received(
    inbox: Opened, trial_database_url: str
) -> None:
    notice_id, reader = await open_notice(inbox)
    part, away = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n', asyncio.Event()

    async def sent() -> Any:
        yield (part.format("csrf", reader.csrf) + part.format("kind", "answer")).encode()
        await away.wait()
        yield (part.format("text", "Here") + "--b--\r\n").encode()

    headers = {"content-type": "multipart/form-data; boundary=b"}
    sending = asyncio.create_task(reader.client.post(f"/notices/{notice_id}/answer", content=sent(), headers=headers))
    await until(partial(stands, inbox, "receiving"), 10)
    inbox.bench.ledger.pool.terminate()
    away.set()
    answer = await sending
    assert answer.status_code == 503
    assert "may not be stored" in answer.text
    left = await asyncpg.connect(trial_database_url)
    assert await left.fetchval(STATES) == "receiving", "the gate waits, and relay gives it up"
    await left.close()


async def test_a_slow_upload_keeps_nobody_waiting(bench: Bench) -> None:
    async with opened(bench, answers=400) as inbox:
        notice_id, reader = await open_notice(inbox)
        over = asyncio.Event()

        async def dripping() -> Any:
            yield f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{reader.csrf}\r\n--b\r\n'.encode()
            await over.wait()

        headers = {"content-type": "multipart/form-data; boundary=b"}
        path = f"/notices/{notice_id}/answer"
        slow = [asyncio.create_task(reader.client.post(path, content=dripping(), headers=headers)) for _ in range(40)]
        await until(partial(bench.value, "SELECT count(*) = 40 FROM raw_evidence WHERE state = 'receiving'"), 10)
        async with asyncio.timeout(5):
            assert (await reader.answer(notice_id, "answer", "Here")).status_code == 303
        over.set()
        assert {answer.status_code for answer in await asyncio.gather(*slow)} == {400}


async def test_what_nobody_completes_within_an_hour_is_given_up_by_relay(inbox: Opened) -> None:
    notice_id, _ = await open_notice(inbox)
    evidence_id, upload_id = uuid4(), uuid4()
    await inbox.bench.value(
        "INSERT INTO raw_evidence (evidence_id, door, received_at, content_type, headers, body, notice_id, state, type)"
        " VALUES ($1, 'inbox', legal_now() - interval '61 minutes', 'x', '{}', '', $2, 'receiving', 'x') RETURNING 1",
        evidence_id, notice_id,
    )  # fmt: skip
    await inbox.bench.value(
        "INSERT INTO upload VALUES ($1, $2, $3, 1, 'a.pdf', 'application/pdf', NULL, NULL) RETURNING 1",
        upload_id, evidence_id, notice_id,
    )  # fmt: skip
    await inbox.bench.value("INSERT INTO upload_part VALUES ($1, 1, 'x') RETURNING 1", upload_id)
    relay = Relay(inbox.bench.ledger, inbox.broker, SystemIds(), RelaySettings(), Measures())  # type: ignore[arg-type]
    await relay.forsake()
    assert await inbox.bench.column(STATES) == ["refused"]
    assert await inbox.bench.value(PARTS) == 0


async def test_nothing_is_stored_without_the_sessions_token_or_from_another_site(inbox: Opened) -> None:
    notice_id, reader = await open_notice(inbox)
    stranger = await inbox.reader_of("B-one")
    path = f"/notices/{notice_id}/answer"
    forms: list[list[tuple[str, Any]]] = [
        [("kind", (None, "question"))],
        [("csrf", (None, ""))],
        [("csrf", (None, stranger.csrf)), ("kind", (None, "question")), ("text", (None, "?"))],
        [("kind", (None, "question")), ("csrf", (None, reader.csrf))],
        [("csrf", ("a.pdf", PDF))],
    ]
    for form in forms:
        assert (await reader.client.post(path, files=form)).status_code == 403
    own = [("csrf", (None, reader.csrf)), ("kind", (None, "question")), ("text", (None, "?"))]
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        assert (await reader.client.post(path, files=own, headers=headers)).status_code == 403
    for field in ("/sign-out", "/businesses", "/language"):
        assert (await reader.client.post(field, data={"csrf": stranger.csrf, "language": "cy"})).status_code == 403
    assert await inbox.bench.value("SELECT count(*) FROM raw_evidence") == 0
    assert (await reader.client.post(path, files=own, headers={"origin": inbox.url})).status_code == 303


async def test_a_question_in_time_places_a_hold_and_the_evidence_says_who_asked(inbox: Opened) -> None:
    notice_id = await inbox.fee("one")
    reader = await inbox.reader_of("B-one")
    await reader.answer(notice_id, "dispute", "I paid\u202e in\x00 May\r\n")
    assert "A person is looking at this" in (await reader.get(f"/notices/{notice_id}")).text, "while it waits, too"
    await inbox.respond()
    assert await inbox.bench.column("SELECT kind FROM hold") == ["contested"]
    fact = json.loads(await inbox.bench.value("SELECT data FROM notice_event WHERE kind = 'hold.placed'"))
    assert (fact["given_by"], fact["response_kind"], fact["files"]) == ("trial:B-one", "dispute", [])
    page = (await reader.get(f"/notices/{notice_id}")).text
    assert "I paid  in  May" in page
    assert await inbox.bench.state(notice_id) == "served"
    assert inbox.broker.sent[-1].routing_key == "response.received.v1"


async def test_a_late_answer_is_late_on_its_receipt_and_holds_the_sanction(inbox: Opened) -> None:
    notice_id, reader = await open_notice(inbox)
    await inbox.bench.advance(days=30)
    answer = await reader.answer(notice_id, "answer", "Here it is")
    assert "After the deadline" in (await reader.get(answer.headers["location"])).text
    await inbox.respond()
    assert await inbox.bench.column("SELECT kind FROM hold") == ["late_response"]


async def test_an_answer_about_a_notice_that_has_become_anothers_is_refused(inbox: Opened) -> None:
    notice_id, reader = await open_notice(inbox)
    await reader.answer(notice_id, "answer", "Here it is")
    await inbox.bench.value("UPDATE notice SET business_id = 'B-two' RETURNING 1")
    await inbox.respond()
    assert await inbox.bench.column(STATES) == ["refused"]
    assert await inbox.bench.state(notice_id) == "served"


async def test_a_person_may_answer_so_often_and_no_more_however_often_they_sign_in(bench: Bench) -> None:
    async with opened(bench, answers=8) as inbox:
        notice_id, reader = await open_notice(inbox)
        statuses = [(await reader.answer(notice_id, "question", "?")).status_code for _ in range(3)]
        assert statuses == [303, 303, 429]
        again = await inbox.reader_of("B-one")
        assert (await again.answer(notice_id, "question", "?")).status_code == 429


async def test_words_that_are_too_many_are_refused_and_never_cut(inbox: Opened) -> None:
    notice_id, reader = await open_notice(inbox)
    answer = await reader.answer(notice_id, "answer", "Here" + " " * 90_000 + "and what matters most")
    assert answer.status_code == 422
    assert "Write a shorter message" in answer.text
    assert await inbox.bench.column(STATES) == ["refused"]


async def test_a_session_ends_when_idle_and_at_its_end(bench: Bench) -> None:
    async with opened(bench) as inbox:
        await inbox.fee("one")
        for over in ("seen_at = clock_timestamp() - interval '31 minutes'", "ends_at = clock_timestamp()"):
            reader = await inbox.reader_of("B-one")
            assert (await reader.get("/notices")).status_code == 200
            await bench.value(f"UPDATE web_session SET {over} RETURNING 1")
            assert (await reader.get("/notices")).headers["location"] == "/sign-in"
        assert await bench.value("SELECT ends_at - began_at FROM web_session LIMIT 1") <= timedelta(hours=12)
