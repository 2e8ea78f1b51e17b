"""What `responses` makes of an answer that was given in the inbox: by when it came, and by whom."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.messages.hops import ResponseReceivedV1
from schemas.messages.requests import ResponseGivenV1
from services.inbox.given import TYPE, envelope_of
from services.kernel.adapters.postgres.inbox import PostgresInbox
from services.kernel.domain.changes import EvidenceStored
from services.kernel.domain.notice import Notice, State
from services.kernel.runtime.items import items_of
from services.responses.handler import Responses
from tests.handlers.bench import IDS, LIBRARY_HERE, Bench, delivery, hop
from tests.rig.notices import make

ASKS = "request-for-information-ownership"


async def given(bench: Bench, notice: Notice, kind: str, received_at: datetime, **more: Any) -> UUID:
    """An answer that was received then, and what `responses` makes of it."""
    said = ResponseGivenV1.model_validate(
        {"notice_id": notice.notice_id, "business_id": notice.business_id, "kind": kind, "given_by": "ann",
         "given_by_name": "Ann Price", "language": "cy", "text": "Dyma fo", **more}
    )  # fmt: skip
    evidence_id = IDS.uuid7()
    row = (evidence_id, "inbox", "inbox", str(evidence_id), TYPE, "x", "{}", b"", notice.notice_id, None, None, ())
    async with PostgresInbox(bench.ledger.pool, IDS).begin() as tx:
        await tx.store([EvidenceStored(*row, "receiving")])
        await tx.complete_answer(evidence_id, envelope_of(said, evidence_id, await tx.clock()), [])
    await bench.value("UPDATE raw_evidence SET received_at = $1 RETURNING 1", received_at)
    responses = Responses(LIBRARY_HERE, IDS, patience=timedelta(minutes=10))
    await bench.run(responses, hop("response.received.v1", ResponseReceivedV1(evidence=(evidence_id,)), "responses"))
    return evidence_id


async def fact(bench: Bench, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await bench.value("SELECT data FROM notice_event WHERE kind = $1", kind))
    return found


async def test_what_was_asked_for_in_time_satisfies_and_the_evidence_names_who_gave_it(bench: Bench) -> None:
    notice = (await make(bench.ledger, State.LAPSED, notice_type=ASKS)).notice
    assert notice.deadline_at
    evidence_id = await given(bench, notice, "answer", notice.deadline_at - timedelta(microseconds=1))
    assert await bench.state(notice.notice_id) == "satisfied"
    told = await fact(bench, "notice.satisfied")
    assert (told["given_by"], told["business_id"]) == ("ann", notice.business_id)
    body = await bench.value("SELECT encode(sha256(body), 'hex') FROM raw_evidence WHERE evidence_id = $1", evidence_id)
    assert told["body_sha256"] == body


async def test_after_the_sanction_an_answer_in_time_demands_a_reversal(bench: Bench) -> None:
    notice = (await make(bench.ledger, State.SANCTIONED, notice_type=ASKS)).notice
    assert notice.deadline_at
    await given(bench, notice, "answer", notice.deadline_at - timedelta(days=1))
    assert await bench.value("SELECT count(*) FROM reversal") == 1


async def test_after_the_sanction_a_late_one_is_recorded_and_told_to_the_notices_upstream(bench: Bench) -> None:
    notice = (await make(bench.ledger, State.SANCTIONED, notice_type=ASKS)).notice
    assert notice.deadline_at
    evidence_id = await given(bench, notice, "answer", notice.deadline_at)
    assert (await fact(bench, "response.late"))["given_by"] == "ann"
    row = await bench.ledger.pool.fetchrow("SELECT source, body FROM outbox WHERE type = 'evidence.refused.v1'")
    told = json.loads(row["body"])["data"]
    assert row["source"] == notice.source
    assert told["event_id"] == str(evidence_id)
    assert told["reason"].startswith(notice.source_ref)


async def test_nobody_answers_about_anothers_notice(bench: Bench) -> None:
    notice = (await make(bench.ledger, State.SERVED, notice_type=ASKS)).notice
    await given(bench, notice, "answer", notice.accepted_at, business_id="XAML00000100999")
    assert await bench.value("SELECT state FROM raw_evidence") == "refused"
    assert await bench.state(notice.notice_id) == "served"


@pytest.mark.parametrize("consumer", ["intake", "responses", "renderer"])
def test_what_the_inbox_keeps_is_no_message(consumer: str) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "inbox", "type": TYPE, "data": {"notice_id": str(uuid4())}}
    (one,) = items_of(delivery(json.dumps(event).encode(), TYPE), consumer)
    assert one.data is None
    assert "unknown" in one.faults[0]
