"""Erasing by policy: what is erased and what stays, each reason to keep, and who comes at the same time."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from schemas.messages.hops import BounceReceivedV1
from services.bounces.handler import Bounces
from services.kernel.adapters.parts import keyring
from services.kernel.adapters.postgres.intake import PostgresIntake
from services.kernel.adapters.postgres.retention import PostgresErasing
from services.kernel.domain.chain import data_hash
from services.kernel.domain.changes import EvidenceStored, HoldPlaced
from services.kernel.domain.notice import Event
from services.kernel.domain.proof import check_notice
from services.kernel.domain.retention import Erase
from services.kernel.runtime.effects import Writing
from services.kernel.runtime.effects import ended as ended_for_good
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.retention import Cleared, erase
from services.kernel.runtime.settings import MailSettings, read
from services.relay.erasing import Eraser
from tests.handlers.bench import IDS, LIBRARY_HERE, Bench, hop, item
from tests.handlers.test_relay_rounds import look, ripe, served
from tests.rig.system import fee_outstanding

SIX_YEARS = 6 * 366 + 40
EVIDENCE = (
    "INSERT INTO raw_evidence (evidence_id, door, source, event_id, type, received_at, content_type, headers, body, "
    "source_ref, addresses, state, notice_id) VALUES ($1, $2, 'fees', $3, $4, legal_now(), $5, '{}', $6, NULL, '{}', "
    "$7, $8) RETURNING evidence_id"
)


@pytest.fixture
def eraser(bench: Bench) -> Eraser:
    return Eraser(PostgresErasing.beside(bench.ledger, IDS), LIBRARY_HERE, Measures())


async def ended(bench: Bench, ref: str = "n") -> UUID:
    """A notice that was served and withdrawn, with nothing left to tell."""
    notice_id = await served(bench, ref)
    await withdraw(bench, notice_id)
    await all_told(bench)
    return notice_id


async def withdraw(bench: Bench, notice_id: UUID) -> None:
    async with bench.ledger.begin() as tx:
        notice = (await tx.lock([notice_id]))[notice_id]
        writing = Writing.begin(notice, (await tx.clock()).legal, "fees")
        writing.move(Event.WITHDRAW)
        writing.fact("notice.withdrawn", reason="issued in error")
        await tx.write([*writing.finished(), *ended_for_good(notice)])


async def all_told(bench: Bench) -> None:
    await bench.value(
        "WITH sent AS (UPDATE outbox SET sent_at = clock_timestamp() RETURNING 1) SELECT count(*) FROM sent"
    )


async def stands(bench: Bench, notice_id: UUID) -> tuple[bool, list[str]]:
    """Whether its words are erased, and for which reasons they were kept the last time."""
    row = await bench.ledger.pool.fetchrow(
        "SELECT c.erased_at IS NOT NULL AS erased, c.subject, c.body_text, c.body_html, c.request::text AS request, "
        "coalesce(r.kept_for, '{}') AS kept_for FROM notice_content c LEFT JOIN retention r USING (notice_id) "
        "WHERE c.notice_id = $1", notice_id,
    )  # fmt: skip
    assert row["erased"] == (row["subject"] + row["body_text"] + row["body_html"] == "" and row["request"] == "{}")
    return row["erased"], list(row["kept_for"])


async def rounds(bench: Bench, eraser: Eraser) -> None:
    await bench.value("UPDATE retention SET look_again_at = legal_now() RETURNING 1")
    while await eraser.round():
        pass


async def chain(bench: Bench, notice_id: UUID) -> list[str]:
    """The kinds of its facts, once the chain is found sound."""
    from services.kernel.adapters.postgres.desk import PostgresDesk  # noqa: PLC0415

    async with bench.ledger.pool.acquire() as connection:
        desk = PostgresDesk(connection, IDS)
        (notice,) = await desk.notices_named([notice_id])
        facts = (await desk.chains([notice_id]))[notice_id]
    assert check_notice(facts, notice.chain_head, notice.state) == []
    return [fact.kind for fact in facts]


async def erased_fact(bench: Bench, notice_id: UUID) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await bench.value(
        "SELECT data::text FROM notice_event WHERE notice_id = $1 AND kind = 'content.erased' ORDER BY seq DESC",
        notice_id,
    ))  # fmt: skip
    return found


async def test_content_is_kept_to_the_last_day_and_erased_on_the_next(bench: Bench, eraser: Eraser) -> None:
    notice_id = await ended(bench)
    ended_at: datetime = await bench.value("SELECT withdrawn_at FROM notice WHERE notice_id = $1", notice_id)
    last = ended_at.astimezone(UTC).replace(year=ended_at.year + 6).date()
    await bench.value(
        "UPDATE trial_clock SET ahead = $1::timestamptz - clock_timestamp() RETURNING 1",
        datetime(last.year, last.month, last.day, 12, tzinfo=UTC),
    )
    await eraser.round()
    assert await stands(bench, notice_id) == (False, [])
    assert await bench.value("SELECT kept_until FROM retention") == last
    await bench.advance(days=1)
    await eraser.round()
    assert await stands(bench, notice_id) == (True, [])


async def test_what_is_erased_is_known_by_its_hash_and_the_chain_says_so(bench: Bench, eraser: Eraser) -> None:
    notice_id, evidence_id, upload_id = await ended(bench), uuid4(), uuid4()
    body = b"Canary: what the mail said"
    content_hash = await bench.value("SELECT content_hash FROM notice_content")
    await bench.value(
        EVIDENCE, evidence_id, "mail", None, "mail.received", "message/rfc822", body, "processed", notice_id
    )
    await bench.value(
        "INSERT INTO upload VALUES ($1, $2, $3, 1, 'canary.pdf', 'application/pdf', 4, $4) RETURNING 1",
        upload_id, evidence_id, notice_id, sha256(b"file").digest(),
    )  # fmt: skip
    await bench.value("INSERT INTO upload_part VALUES ($1, 1, 'file') RETURNING 1", upload_id)
    await bench.advance(days=SIX_YEARS)
    await eraser.round()
    assert (await stands(bench, notice_id))[0]
    row = await bench.ledger.pool.fetchrow("SELECT * FROM raw_evidence")
    assert (row["body"], row["headers"], row["body_sha256"]) == (b"", "{}", sha256(body).digest())
    assert await bench.value("SELECT shown_name FROM upload") == ""
    assert await bench.value("SELECT count(*) FROM upload_part") == 0
    assert (
        await bench.value("SELECT count(*) FROM outbox WHERE source IS NOT NULL AND body::text LIKE '%template%'") == 0
    )
    assert (await chain(bench, notice_id))[-1] == "content.erased"
    fact = await erased_fact(bench, notice_id)
    pieces = {(piece["kind"], piece["of"]): piece["sha256"] for piece in fact["pieces"]}
    assert pieces["words", str(notice_id)] == content_hash.hex()
    assert pieces["evidence", str(evidence_id)] == sha256(body).hexdigest()
    assert pieces["file", str(upload_id)] == sha256(b"file").hexdigest()
    assert "6 years after the end" in fact["policy"]
    assert "Limitation Act 1980" in fact["policy"]


WAITS = {
    "hold_open": "INSERT INTO hold VALUES (gen_random_uuid(), $1, 'manual', 'r', 'A', legal_now()) RETURNING 1",
    "evidence_waiting": "INSERT INTO raw_evidence (evidence_id, door, received_at, content_type, headers, body, "
    "notice_id, state) VALUES (gen_random_uuid(), 'mail', legal_now(), '', '{}', '', $1, 'parked') RETURNING 1",
    "failed_waiting": "INSERT INTO failed_item (failed_id, worker, state, source, event_id, type, subject, notice_id, "
    "routing_key, content_type, headers, body, reason, attempts, history, created_at, changed_at) VALUES "
    "(gen_random_uuid(), 'bounces', 'dead', 's', 'e', 't', gen_random_uuid(), $1, 'k', '', '{}', '', 'r', 1, '[]', "
    "now(), now()) RETURNING 1",
    "unsent": "UPDATE outbox SET sent_at = NULL WHERE outbox_id = (SELECT max(outbox_id) FROM outbox WHERE "
    "notice_id = $1) RETURNING 1",
    "undelivered": "INSERT INTO webhook_delivery (outbox_id, source, notice_id) VALUES (1, 'fees', $1) RETURNING 1",
    "gate_waiting": "INSERT INTO gate_wait VALUES ($1, 1, NULL, now()) RETURNING 1",
    "sanction_proposed": "INSERT INTO sanction SELECT gen_random_uuid(), notice_id, 1, regime, matter, 'k', true, "
    "'proposed', legal_now(), legal_now() FROM notice WHERE notice_id = $1 RETURNING 1",
    "reversal_undecided": "INSERT INTO sanction SELECT gen_random_uuid(), notice_id, 1, regime, matter, 'k', true, "
    "'reversal_required', legal_now(), legal_now(), NULL, NULL, legal_now() FROM notice WHERE notice_id = $1 "
    "RETURNING 1",
    "appeal_open": "INSERT INTO sanction SELECT gen_random_uuid(), notice_id, 1, regime, matter, 'k', true, 'upheld', "
    "legal_now(), legal_now(), NULL, NULL, legal_now() FROM notice WHERE notice_id = $1 RETURNING 1",
    "late_evidence": "INSERT INTO raw_evidence (evidence_id, door, received_at, content_type, headers, body, "
    "notice_id, state) VALUES (gen_random_uuid(), 'mail', legal_now(), '', '{}', 'late', $1, 'processed') RETURNING 1",
    "legal_hold": "INSERT INTO legal_hold SELECT gen_random_uuid(), NULL, NULL, NULL, business_id, 'r', 'A', "
    "legal_now() FROM notice WHERE notice_id = $1 RETURNING 1",
}
"""Each reason beside time, as the database has it; most of them long after the end."""


@pytest.mark.parametrize("reason", sorted(WAITS))
async def test_content_is_kept_while_the_law_may_need_it(bench: Bench, eraser: Eraser, reason: str) -> None:
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    await bench.value(WAITS[reason], notice_id)
    await eraser.round()
    erased, kept_for = await stands(bench, notice_id)
    assert not erased
    assert reason in kept_for
    assert await bench.value("SELECT look_again_at > legal_now() FROM retention"), (
        "it is looked at again, and not at once"
    )
    assert "content.erased" not in await chain(bench, notice_id)


async def test_a_matter_that_still_runs_keeps_all_of_it_and_its_last_end_counts(bench: Bench, eraser: Eraser) -> None:
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    younger = await bench.rendered(fee_outstanding("younger"))
    await bench.value("UPDATE notice SET matter = 'one matter' RETURNING 1")
    await rounds(bench, eraser)
    assert await stands(bench, notice_id) == (False, ["matter_running"])
    await withdraw(bench, younger)
    await all_told(bench)
    await rounds(bench, eraser)
    assert await stands(bench, notice_id) == (False, []), "its period counts from the end of the last in the matter"
    await bench.advance(days=SIX_YEARS)
    await rounds(bench, eraser)
    assert (await stands(bench, notice_id))[0]
    assert (await stands(bench, younger))[0]


async def test_a_sanction_keeps_content_until_it_can_no_longer_be_appealed(bench: Bench, eraser: Eraser) -> None:
    notice_id = await ripe(bench)
    await look(bench, notice_id)
    assert await bench.state(notice_id) == "sanctioned"
    await all_told(bench)
    await bench.advance(days=SIX_YEARS)
    await rounds(bench, eraser)
    assert (await stands(bench, notice_id))[0]


async def test_a_notice_that_is_not_over_is_never_erased(bench: Bench, eraser: Eraser) -> None:
    notice_id = await served(bench)
    await all_told(bench)
    await bench.advance(days=SIX_YEARS)
    await eraser.round()
    assert await stands(bench, notice_id) == (False, ["not_ended"])


# --- who comes afterwards ---------------------------------------------------------------------------------------------


async def test_the_same_request_is_known_after_erasure_and_another_is_still_refused(
    bench: Bench, eraser: Eraser
) -> None:
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    await eraser.round()
    event = fee_outstanding("n")
    await bench.run(bench.renderer, [item(event)])
    told = await bench.column("SELECT type FROM outbox ORDER BY outbox_id DESC LIMIT 1")
    assert told == ["notice.accepted.v1"]
    event["data"]["values"]["fee_amount"] = "999.00"
    await bench.run(bench.renderer, [item(event)])
    refused = json.loads(await bench.value("SELECT body FROM outbox ORDER BY outbox_id DESC LIMIT 1"))
    assert refused["type"] == "notice.refused.v1"
    assert any("erased" in reason for reason in refused["data"]["reasons"])
    assert await bench.value("SELECT count(*) FROM notice") == 1
    assert notice_id


async def test_a_late_bounce_for_an_erased_notice_is_recorded_and_its_words_are_erased_in_their_turn(
    bench: Bench, eraser: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    await eraser.round()
    attempt_id = await bench.value("SELECT attempt_id FROM attempt")
    evidence_id = await bounce(bench, attempt_id, monkeypatch)
    assert await bench.value("SELECT state FROM raw_evidence") == "processed"
    assert (await chain(bench, notice_id))[-1] != "content.erased"
    await bench.advance(days=91)
    await eraser.round()
    fact = await erased_fact(bench, notice_id)
    assert [(piece["kind"], piece["of"]) for piece in fact["pieces"]] == [("evidence", str(evidence_id))]
    assert (await chain(bench, notice_id)).count("content.erased") == 2


async def bounce(bench: Bench, attempt_id: UUID, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A report of the mail system, through the worker."""
    monkeypatch.setenv("DULY_MAIL_FROM", "notices@authority.example")
    monkeypatch.setenv("DULY_BOUNCE_DOMAIN", "bounces.authority.example")
    monkeypatch.setenv("DULY_TOKEN_KEYS", "k1:00112233445566778899aabbccddeeff")
    evidence_id = uuid4()
    text = b"From: MAILER-DAEMON\nSubject: Undelivered\n\n550 5.1.1 no such user\n"
    stored = EvidenceStored(
        evidence_id,
        "mail",
        None,
        None,
        "mail.received",
        "message/rfc822",
        "{}",
        text,
        None,
        None,
        attempt_id,
        (),
        "waiting",
    )
    async with bench.ledger.begin() as tx:
        await tx.store([stored])
    handler = Bounces(IDS, keyring(read(MailSettings)), "bounces.authority.example", "authority.example")
    await bench.run(handler, hop("bounce.received.v1", BounceReceivedV1(evidence=(evidence_id,)), "bounces"))
    return evidence_id


async def test_an_event_that_comes_again_over_http_is_known_by_the_hash_of_its_data(
    bench: Bench, eraser: Eraser
) -> None:
    notice_id, event = await ended(bench), fee_outstanding("n")
    body = json.dumps({"specversion": "1.0", "id": "e-1", **event}).encode()
    said = json.dumps({
        "specversion": "1.0", "id": "e-2", "source": "fees", "type": "withdrawal.requested.v1",
        "data": {"source_ref": "n", "reason": "issued in error"},
    }).encode()  # fmt: skip
    hashed = data_hash(event["data"])
    await bench.value("INSERT INTO intake_event VALUES ('fees', 'e-1', $1, $2, $3, legal_now()) RETURNING 1",
                      event["type"], hashed, body)  # fmt: skip
    await bench.value(EVIDENCE, uuid4(), "amqp", "e-2", "withdrawal.requested.v1", "application/cloudevents+json", said,
                      "processed", notice_id)  # fmt: skip
    await bench.advance(days=SIX_YEARS)
    await eraser.round()
    assert await bench.value("SELECT octet_length(body) FROM intake_event") == 0
    async with PostgresIntake.beside(bench.ledger, IDS).begin_intake() as tx:
        known = await tx.known_events([("fees", "e-1"), ("fees", "e-2")])
    assert known["fees", "e-1"].data_hash == hashed
    assert known["fees", "e-2"].data_hash == data_hash(json.loads(said)["data"])
    assert {each.erased for each in known.values()} == {True}


async def test_what_upstream_asks_about_an_erased_notice_is_answered_without_what_was_erased(
    bench: Bench, eraser: Eraser
) -> None:
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    await eraser.round()
    status = json.loads(await PostgresIntake.beside(bench.ledger, IDS).status_by_id("fees", notice_id) or "")
    assert status["state"] == "withdrawn"
    assert [event["type"] for event in status["told"]] == ["notice.accepted.v1", "notice.served.v1"]
    assert [event["data"] for event in status["told"]] == [{}, {}]


async def test_messages_that_failed_are_erased_with_their_edits_and_what_is_dead_is_not(
    bench: Bench, eraser: Eraser
) -> None:
    notice_id, settled, dead = await ended(bench), uuid4(), uuid4()
    for failed_id, state, event in ((settled, "resolved", "e"), (dead, "dead", "f")):
        await bench.value(
            "INSERT INTO failed_item (failed_id, worker, state, source, event_id, type, subject, notice_id, "
            "routing_key, content_type, headers, body, reason, attempts, history, created_at, changed_at) VALUES ($1, "
            "'bounces', $2, 's', $3, 't', gen_random_uuid(), $4, 'k', '', '{\"secret\": \"canary\"}', 'canary', "
            "'canary', 1, "
            "'[{\"at\": \"now\", \"error\": \"ValueError\", \"stack\": \"canary\"}]', now(), now()) RETURNING 1",
            failed_id, state, event, notice_id,
        )  # fmt: skip
    await bench.value(
        "INSERT INTO failed_item_edit VALUES (gen_random_uuid(), $1, 'approved', false, 'canary', 'canary', '', '{}', "
        "now(), 'A', now(), 'r', 'B', now(), 'r') RETURNING 1", settled,
    )  # fmt: skip
    await bench.value(
        "INSERT INTO failed_item_action VALUES (gen_random_uuid(), $1, now(), 'B', 'mend', 'r', 'canary') RETURNING 1",
        settled,
    )
    await bench.advance(days=SIX_YEARS)
    await eraser.round()
    assert await stands(bench, notice_id) == (False, ["failed_waiting"])
    await bench.value("UPDATE failed_item SET state = 'discarded' WHERE failed_id = $1 RETURNING 1", dead)
    await rounds(bench, eraser)
    assert (await stands(bench, notice_id))[0]
    for table in ("failed_item", "failed_item_edit", "failed_item_action"):
        assert await bench.value(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%canary%'") == 0
        assert await bench.value(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%63616e617279%'") == 0
    assert {piece["kind"] for piece in (await erased_fact(bench, notice_id))["pieces"]} == {"words", "told", "failed"}
    assert await bench.value("SELECT history -> 0 ->> 'error' FROM failed_item LIMIT 1") == "ValueError"


# --- who comes at the same time ---------------------------------------------------------------------------------------


async def racing(bench: Bench) -> asyncpg.Connection:
    """A connection of somebody else's."""
    return await asyncpg.connect(bench.ledger.pool._connect_args[0])


async def test_a_legal_hold_that_is_being_placed_is_waited_for_and_heeded(bench: Bench, eraser: Eraser) -> None:
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    other = await racing(bench)
    try:
        placing = other.transaction()
        await placing.start()
        await other.execute("SELECT pg_advisory_xact_lock(hashtextextended('legal hold', 0))")
        erasing = asyncio.create_task(eraser.round())
        await until_blocked(bench)
        await other.execute(
            "INSERT INTO legal_hold SELECT gen_random_uuid(), $1, NULL, NULL, NULL, 'r', 'A', legal_now()", notice_id
        )
        await placing.commit()
        await erasing
    finally:
        await other.close()
    assert await stands(bench, notice_id) == (False, ["legal_hold"])


async def test_a_hold_that_is_being_placed_is_waited_for_and_heeded(bench: Bench, eraser: Eraser) -> None:
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    async with bench.ledger.begin() as tx:
        await tx.lock([notice_id])
        erasing = asyncio.create_task(eraser.round())
        await until_blocked(bench)
        await tx.write([HoldPlaced(uuid4(), notice_id, "manual", "r", "A", (await tx.clock()).legal)])
    await erasing
    assert await stands(bench, notice_id) == (False, ["hold_open"])


async def test_evidence_that_comes_while_content_is_erased_is_left_whole(bench: Bench) -> None:
    """An answer or a bounce is stored without any lock: it may be committed between the facts and the erasing."""
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    ledger = PostgresErasing.beside(bench.ledger, IDS)
    evidence_id = uuid4()
    async with ledger.begin_erasing() as tx:
        await tx.erasing_turn()
        (notice,) = (await tx.lock([notice_id])).values()
        facts = (await tx.kept([notice_id]))[notice_id]
        assert facts.waiting == ()
        await bench.value(EVIDENCE, evidence_id, "inbox", None, "t", "c", b"an answer", "waiting", notice_id)
        cleared = Cleared(notice, facts, Erase(notice.accepted_at.date(), notice.accepted_at.date()), "a rule")
        pieces = await erase(tx, [cleared], (await tx.clock()).legal, "relay")
        assert {piece.kind for piece in pieces} == {"words", "told"}
    assert await bench.value("SELECT body FROM raw_evidence") == b"an answer"


async def until_blocked(bench: Bench) -> None:
    """Until some connection waits for a lock."""
    async with asyncio.timeout(20):
        while not await bench.value(  # noqa: ASYNC110 -- only the server knows
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.01)


# --- the database's own guards ----------------------------------------------------------------------------------------


async def test_nothing_is_erased_without_the_fact_in_the_chain(bench: Bench) -> None:
    notice_id = await ended(bench)
    with pytest.raises(asyncpg.CheckViolationError, match="its chain does not say so"):
        await bench.value(
            "UPDATE notice_content SET request = '{}', subject = '', body_text = '', body_html = '', "
            "erased_at = legal_now() WHERE notice_id = $1 RETURNING 1", notice_id,
        )  # fmt: skip
    assert not (await stands(bench, notice_id))[0]


async def test_what_a_door_took_in_is_erased_or_as_it_was_and_nothing_between(bench: Bench) -> None:
    await bench.value(EVIDENCE, uuid4(), "mail", None, "t", "c", b"as it was", "processed", None)
    with pytest.raises(asyncpg.CheckViolationError, match="never changed, only erased"):
        await bench.value("UPDATE raw_evidence SET body = 'otherwise' RETURNING 1")
    with pytest.raises(asyncpg.CheckViolationError):
        await bench.value("UPDATE raw_evidence SET body = 'otherwise', erased_at = legal_now() RETURNING 1")


async def test_what_names_no_notice_is_erased_when_the_longest_policy_is_over(bench: Bench, eraser: Eraser) -> None:
    await bench.value(EVIDENCE, uuid4(), "callback", "e", "t", "c", b"unmatched", "cleared", None)
    await bench.value(EVIDENCE, uuid4(), "amqp", "f", "t", "c", b"of no notice", "refused", uuid4())
    await bench.value(
        "INSERT INTO callback_batch VALUES (gen_random_uuid(), 'fees', legal_now(), '{}', 'whole') RETURNING 1"
    )
    await bench.value(
        "INSERT INTO outbox (type, body, source, sent_at, created_at) VALUES ('notice.refused.v1', "
        '\'{"id": "x", "data": {"reasons": ["canary"]}}\', \'fees\', now(), now() - interval \'7 years\') RETURNING 1'
    )
    await bench.value(
        "INSERT INTO intake_event VALUES ('fees', 'e', 'notice.requested.v1', '\\x00', "
        '\'{"data": {"source_ref": "never"}}\', legal_now()) RETURNING 1'
    )
    await eraser.round()
    assert await bench.value("SELECT count(*) FROM raw_evidence WHERE erased_at IS NOT NULL") == 0
    await bench.advance(days=6 * 366 + 1)
    await eraser.round()
    for table in ("raw_evidence", "callback_batch", "outbox", "intake_event"):
        assert await bench.value(f"SELECT count(*) FROM {table} WHERE erased_at IS NULL AND body LIKE '%n%'") == 0, (
            table
        )
    assert await bench.value("SELECT convert_from(body, 'UTF8')::jsonb ->> 'id' FROM outbox") == "x"
