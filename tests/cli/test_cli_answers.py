"""`duly evidence show`: an officer reads what a business gave in its inbox, and saves its files."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from schemas.messages.requests import GivenFile, ResponseGivenV1
from services.inbox.given import TYPE, envelope_of
from services.kernel.adapters.postgres.inbox import PostgresInbox
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.changes import EvidenceStored
from services.kernel.domain.notice import State
from services.kernel.ledger.inbox import UploadDone
from services.kernel.runtime.fault import Exit
from tests.rig.commands import Duly, OnLedger
from tests.rig.notices import IDS, make

pytestmark = pytest.mark.usefixtures("ledger_of")
PARTS = [b"%PDF-1.7\n", b"x" * 300_000]


async def given(ledger: PostgresLedger) -> UUID:
    """An answer with one file in two parts."""
    notice = (await make(ledger, State.SERVED)).notice
    evidence_id, upload_id, digest = IDS.uuid7(), IDS.uuid7(), sha256(b"".join(PARTS))
    size = sum(map(len, PARTS))
    file = GivenFile(
        upload_id=upload_id, digest=digest.hexdigest(), size=size, media_type="application/pdf",
        shown_name="../who.pdf.exe",
    )  # fmt: skip
    said = ResponseGivenV1(
        notice_id=notice.notice_id, business_id=notice.business_id, kind="evidence", given_by="ann",
        given_by_name="Ann Price", language="en", text="Two\nlines", files=(file,),
    )  # fmt: skip
    begun = EvidenceStored(
        evidence_id,
        "inbox",
        "inbox",
        str(evidence_id),
        TYPE,
        "x",
        "{}",
        b"",
        notice.notice_id,
        None,
        None,
        (),
        "receiving",
    )
    async with PostgresInbox(ledger.pool, IDS).begin() as tx:
        await tx.store([begun])
        await tx.begin_upload(upload_id, evidence_id, notice.notice_id, 1, file.shown_name, file.media_type)
        for number, part in enumerate(PARTS, start=1):
            await tx.add_part(upload_id, number, part)
        done = UploadDone(upload_id, size, digest.digest())
        await tx.complete_answer(evidence_id, envelope_of(said, evidence_id, await tx.clock()), [done])
    return evidence_id


def test_an_answer_is_read_its_files_saved_under_names_of_our_own_and_who_did_is_recorded(
    ledger_of: OnLedger, duly: Duly, tmp_path: Path
) -> None:
    evidence_id = ledger_of(given)
    code, [told], _ = duly("evidence", "show", evidence_id, "--save", tmp_path / "new", "--by", "A. Lewis")
    assert code == Exit.OK
    assert (told["kind"], told["given_by"], told["text"]) == ("evidence", "ann", "Two\nlines")
    saved = tmp_path / "new" / "evidence-1.pdf"
    assert told["saved"] == [str(saved)]
    assert saved.read_bytes() == b"".join(PARTS)
    assert duly("evidence", "show", evidence_id, "--save", tmp_path / "new")[0] == Exit.USAGE, "nothing is overwritten"
    assert duly("evidence", "show", str(evidence_id)[-6:])[0] == Exit.OK

    async def acts(ledger: PostgresLedger) -> list[tuple[str, str]]:
        rows = await ledger.pool.fetch("SELECT person, act FROM access_record ORDER BY access_id")
        return [(row["person"], row["act"]) for row in rows]

    recorded = ledger_of(acts)
    assert recorded[0] == ("A. Lewis", "download")
    assert [act for _, act in recorded] == ["download", "read"]


def test_a_file_that_is_not_what_was_received_is_not_saved(ledger_of: OnLedger, duly: Duly, tmp_path: Path) -> None:
    evidence_id = ledger_of(given)

    async def alter(ledger: PostgresLedger) -> None:
        await ledger.pool.execute("UPDATE upload_part SET bytes = 'other' WHERE number = 2")

    ledger_of(alter)
    code, _, said = duly("evidence", "show", evidence_id, "--save", tmp_path)
    assert code != Exit.OK
    assert "not what was received" in said
    assert list(tmp_path.iterdir()) == []


def test_evidence_of_another_door_is_no_answer(ledger_of: OnLedger, duly: Duly) -> None:
    async def mail(ledger: PostgresLedger) -> UUID:
        evidence_id = IDS.uuid7()
        row = (evidence_id, "mail", None, None, "mail.received", "x", "{}", b"x", None, None, None, (), "waiting")
        async with ledger.begin() as tx:
            await tx.store([EvidenceStored(*row)])
        return evidence_id

    assert duly("evidence", "show", ledger_of(mail))[0] == Exit.NO
