"""Erasing takes nothing that the gate would still wait for, that a legal hold is on, or that an appeal may turn on."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest

from schemas.catalogue import CATALOGUE
from services.kernel.adapters.postgres.retention import PostgresErasing
from services.kernel.domain.chain import data_hash
from services.kernel.runtime.measures import Measures
from services.relay.erasing import Eraser
from tests.handlers.bench import IDS, LIBRARY_HERE, Bench, item
from tests.handlers.test_erasing import EVIDENCE, SIX_YEARS, ended, rounds, stands
from tests.rig.system import fee_outstanding

WAITING = (
    "INSERT INTO raw_evidence (evidence_id, door, source, source_ref, type, received_at, content_type, headers, body, "
    "state) VALUES (gen_random_uuid(), 'amqp', $1, $2, $3, legal_now(), '', '{}', 'x', 'parked') RETURNING 1"
)
FAILED = (
    "INSERT INTO failed_item (failed_id, worker, state, source, event_id, type, subject, notice_id, routing_key, "
    "content_type, headers, body, reason, attempts, next_at, history, created_at, changed_at) VALUES ($1, $2, $3, "
    "$4, $5, 'notice.requested.v1', '00000000-0000-0000-0000-000000000000', NULL, 'notice.requested.v1', "
    "'application/cloudevents+json', '{}', $6, 'canary', 1, CASE WHEN $3 = 'retry' THEN now() END, '[]', "
    "now() - interval '7 years', now()) RETURNING 1"
)


@pytest.fixture
def eraser(bench: Bench) -> Eraser:
    return Eraser(PostgresErasing.beside(bench.ledger, IDS), LIBRARY_HERE, Measures())


@pytest.mark.parametrize(
    ("source", "kind"), [("fees", "undecodable"), (None, "undecodable"), ("fees", "obligation.satisfied.v1")]
)
async def test_evidence_that_may_be_about_anything_keeps_content_as_it_keeps_the_gate_shut(
    bench: Bench, eraser: Eraser, source: str | None, kind: str
) -> None:
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    await bench.value(WAITING, source, None, kind)
    await rounds(bench, eraser)
    assert await stands(bench, notice_id) == (False, ["evidence_waiting"])


async def test_what_another_source_cannot_say_keeps_nothing(bench: Bench, eraser: Eraser) -> None:
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    await bench.value(WAITING, "another", None, "undecodable")
    await rounds(bench, eraser)
    assert (await stands(bench, notice_id))[0]


async def test_a_fact_that_the_door_could_not_store_keeps_content(bench: Bench, eraser: Eraser) -> None:
    notice_id = await ended(bench)
    await bench.advance(days=SIX_YEARS)
    await bench.value(FAILED, uuid4(), "intake", "dead", "fees", "e", b"{}")
    await rounds(bench, eraser)
    assert await stands(bench, notice_id) == (False, ["failed_waiting"])


async def test_a_sanction_keeps_all_of_its_matter_until_it_can_no_longer_be_appealed(
    bench: Bench, eraser: Eraser
) -> None:
    """The first notice, which bounced, is why the second was issued: whoever appeals against it turns to both."""
    first, second = await ended(bench, "first"), await ended(bench, "second")
    await bench.value("UPDATE notice SET matter = 'one matter' RETURNING 1")
    await bench.advance(days=SIX_YEARS)
    await bench.value(
        "INSERT INTO sanction SELECT gen_random_uuid(), notice_id, 1, regime, matter, 'k', true, 'upheld', "
        "legal_now(), legal_now(), NULL, NULL, legal_now() FROM notice WHERE notice_id = $1 RETURNING 1", second,
    )  # fmt: skip
    await rounds(bench, eraser)
    assert await stands(bench, second) == (False, ["appeal_open"])
    assert await stands(bench, first) == (False, ["appeal_open"])


async def test_what_was_said_over_http_is_erased_with_its_notice_and_not_before(bench: Bench, eraser: Eraser) -> None:
    """A fact over HTTP is kept twice, as evidence and as what the door answered for."""
    notice_id = await ended(bench)
    said = {"source_ref": "n", "reason": "canary"}
    body = json.dumps({"id": "e-2", "source": "fees", "type": "withdrawal.requested.v1", "data": said}).encode()
    await bench.value(EVIDENCE, uuid4(), "http", "e-2", "withdrawal.requested.v1", "application/cloudevents+json", body,
                      "processed", notice_id)  # fmt: skip
    await bench.value("INSERT INTO intake_event VALUES ('fees', 'e-2', 'withdrawal.requested.v1', $1, $2, legal_now()) "
                      "RETURNING 1", data_hash(said), body)  # fmt: skip
    await bench.advance(days=SIX_YEARS)
    hold = await bench.value(
        "INSERT INTO legal_hold VALUES (gen_random_uuid(), $1, NULL, NULL, NULL, 'r', 'A', legal_now()) "
        "RETURNING legal_hold_id", notice_id,
    )  # fmt: skip
    await rounds(bench, eraser)
    assert await bench.value("SELECT body FROM intake_event") == body
    await bench.value("UPDATE legal_hold SET lifted_by = 'A', lifted_at = legal_now(), lift_reason = 'r' "
                      "WHERE legal_hold_id = $1 RETURNING 1", hold)  # fmt: skip
    await bench.value("UPDATE retention SET look_again_at = legal_now() RETURNING 1")
    await eraser.look()
    assert (await stands(bench, notice_id))[0]
    assert await bench.value("SELECT body FROM intake_event") == b"", "erased by the notice, in the notice's chain"


async def test_a_request_that_failed_first_is_known_by_its_notice_and_kept_with_it(
    bench: Bench, eraser: Eraser
) -> None:
    """Mended by two persons, it may bear another id: what they changed is part of the notice's story."""
    failed_id, one = uuid4(), item(fee_outstanding("n"))
    await bench.value(FAILED, failed_id, "renderer", "dead", "fees", "before it was mended", one.delivery.body)
    await bench.value(
        "INSERT INTO failed_item_action VALUES (gen_random_uuid(), $1, now(), 'B', 'mend', 'r') RETURNING 1", failed_id
    )
    await bench.value("UPDATE failed_item SET event_id = $1 RETURNING 1", one.key.event_id)
    again = await bench.again(failed_id)
    await bench.value("UPDATE failed_item SET event_id = 'before it was mended' RETURNING 1")
    await bench.run(bench.renderer, [again])
    notice_id: UUID = await bench.value("SELECT notice_id FROM notice")
    assert await bench.column("SELECT state FROM failed_item") == ["resolved"]
    assert await bench.column("SELECT notice_id FROM failed_item") == [notice_id]
    await bench.advance(days=SIX_YEARS)
    await rounds(bench, eraser)
    assert await bench.value("SELECT erased_at FROM failed_item") is None, "its notice is not over"


@pytest.mark.parametrize("held", ["business_id", "matter"])
async def test_a_legal_hold_keeps_also_what_failed_and_never_became_a_notice(
    bench: Bench, eraser: Eraser, held: str
) -> None:
    body = json.dumps(fee_outstanding("n") | {"id": "e"}).encode().replace(b'"n"', b'"n", "matter": "Re Nom"')
    named = json.loads(body)["data"][held]
    await bench.value(FAILED, uuid4(), "renderer", "discarded", "fees", "e", body)
    await bench.value(
        f"INSERT INTO legal_hold (legal_hold_id, {held}, regime, reason, placed_by, placed_at) VALUES "
        "(gen_random_uuid(), $1, $2, 'r', 'A', legal_now()) RETURNING 1",
        named, "aml-supervision" if held == "matter" else None,
    )  # fmt: skip
    await eraser.round()
    assert await bench.value("SELECT body FROM failed_item") == body
    await bench.value("UPDATE legal_hold SET lifted_by = 'A', lifted_at = legal_now(), lift_reason = 'r' RETURNING 1")
    await eraser.round()
    assert await bench.value("SELECT body FROM failed_item") == b""


async def test_the_addresses_in_a_mail_go_with_it(bench: Bench, eraser: Eraser) -> None:
    """Some are of people who have nothing to do with any notice."""
    await bench.value(EVIDENCE, uuid4(), "mail", None, "mail.received", "message/rfc822", b"x", "cleared", None)
    await bench.value("UPDATE raw_evidence SET addresses = '{stranger@elsewhere.example}' RETURNING 1")
    await bench.advance(days=SIX_YEARS)
    await eraser.round()
    assert await bench.value("SELECT addresses FROM raw_evidence") == []


@pytest.mark.parametrize("kind", [entry.type for entry in CATALOGUE.values() if entry.producer == "upstream"])
async def test_what_upstream_said_does_not_stay_in_the_outbox_that_carried_it(
    bench: Bench, eraser: Eraser, kind: str
) -> None:
    """A request over HTTP goes to the broker whole: that copy is no answer to anybody, and belongs to no notice."""
    insert = (
        "INSERT INTO outbox (type, body, created_at, sent_at) VALUES ($1, 'canary', now() - make_interval(days => $2), "
        "CASE WHEN $3 THEN now() - make_interval(days => $2) END) RETURNING outbox_id"
    )
    gone = await bench.value(insert, kind, 8, True)
    await bench.value(insert, kind, 6, True)
    await bench.value(insert, kind, 800, False)
    await eraser.round()
    assert await bench.column("SELECT outbox_id FROM outbox WHERE erased_at IS NOT NULL") == [gone]
    assert await bench.value("SELECT body FROM outbox WHERE outbox_id = $1", gone) == b""


async def test_a_legal_hold_keeps_reports_that_name_only_its_address(bench: Bench, eraser: Eraser) -> None:
    notice_id = await ended(bench)
    address = await bench.value("SELECT lower(address) FROM notice WHERE notice_id = $1", notice_id)
    for named in ([address, "mailer@elsewhere.example"], ["stranger@elsewhere.example"], []):
        await bench.value(EVIDENCE, uuid4(), "mail", None, "t", "message/rfc822", b"x", "cleared", None)
        await bench.value("UPDATE raw_evidence SET addresses = $1, source_ref = 'set' WHERE source_ref IS NULL "
                          "RETURNING 1", named)  # fmt: skip
    await bench.value(
        "INSERT INTO legal_hold SELECT gen_random_uuid(), NULL, NULL, NULL, business_id, 'r', 'A', legal_now() "
        "FROM notice WHERE notice_id = $1 RETURNING 1", notice_id,
    )  # fmt: skip
    await bench.advance(days=SIX_YEARS)
    await eraser.round()
    kept = await bench.column("SELECT addresses FROM raw_evidence WHERE erased_at IS NULL")
    assert kept == [[address, "mailer@elsewhere.example"]]
