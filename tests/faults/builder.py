"""Notices built straight through the ledger, with whole evidence chains: standing where a test needs them at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

from schemas.cloudevents import Envelope
from schemas.messages.hops import BounceReceivedV1, ResponseReceivedV1
from services.kernel.adapters.mail.reports import failure_report
from services.kernel.domain.chain import GENESIS, record
from services.kernel.domain.changes import (
    Announced,
    AttemptClaimed,
    AttemptSettled,
    Change,
    ContentStored,
    DeadlinePassed,
    DeadlineSet,
    EvidenceStored,
    FactAppended,
    GateWaitSet,
    MarkCommitted,
    NoticeInserted,
    SanctionProposed,
)
from services.kernel.domain.notice import Channel, Notice, Origin, State
from services.kernel.domain.verp import Keyring, envelope_sender, token
from services.kernel.ports import Ids
from services.kernel.runtime.decision import announce
from services.kernel.runtime.mail_door import evidence_of_mail
from tests.rig.system import KEYS

BOUNCE_DOMAIN = "bounces.authority.example"
KEYRING = Keyring({KEYS.partition(":")[0]: bytes.fromhex(KEYS.partition(":")[2])}, KEYS.partition(":")[0])
SANCTION = "registration.cancel"
_VERSION = 1
_LEASE = 60.0


def lapsed(ref: str, now: datetime, ids: Ids) -> tuple[Notice, UUID, list[Change]]:
    """A fee notice that lapsed five days ago, with nothing in its sanction's way: notice, its attempt, and changes."""
    due_at, attempt_id, sanction_id = now - timedelta(days=5), ids.uuid7(), ids.uuid7()
    proposed_at = due_at + timedelta(minutes=1)
    notice, facts = _lapsed_notice(ref, due_at, ids.uuid7(), str(attempt_id))
    return notice, attempt_id, [
        NoticeInserted(notice),
        *facts,
        ContentStored(notice.notice_id, "{}", "A fee", "Pay.", "<p>Pay.</p>", bytes(32)),
        AttemptClaimed(attempt_id, notice.notice_id, 1, "alert", notice.address, _LEASE),
        AttemptSettled(attempt_id, "accepted", None, "done", 250, "2.0.0", "taken"),
        DeadlineSet(
            notice.notice_id, _VERSION, (due_at - timedelta(days=22)).date(), 21, due_at.date(), due_at,
            "Europe/London", "same_day", "test", None, None,
        ),
        DeadlinePassed(notice.notice_id, _VERSION, due_at),
        GateWaitSet(notice.notice_id, _VERSION, None, ("objection_window",)),
        SanctionProposed(
            sanction_id, notice.notice_id, _VERSION, notice.regime, notice.matter, SANCTION, True, proposed_at,
            proposed_at + timedelta(days=1),
        ),
    ]  # fmt: skip


def _lapsed_notice(ref: str, due_at: datetime, notice_id: UUID, attempt_id: str) -> tuple[Notice, list[Change]]:
    served_at = due_at - timedelta(days=22)
    notice = Notice(
        notice_id=notice_id, source="fees", source_ref=ref, data_hash=bytes(32), regime="aml-supervision",
        notice_type="fee-outstanding", matter=f"fees:{ref}", business_id=f"B-{ref}", channel=Channel.SECURE_COMM,
        origin=Origin.AUTOMATIC, language="en", address=f"{ref}@business.example", template_version="1",
        template_hash=bytes(32), trial=False, state=State.LAPSED, seq=0, chain_head=GENESIS(notice_id),
        accepted_at=served_at, rendered_at=served_at, content_available_at=served_at, alert_accepted_at=served_at,
        served_at=served_at, deemed_on=served_at.date(), deadline_version=_VERSION, deadline_at=due_at,
        lapsed_at=due_at,
    )  # fmt: skip
    facts: list[Change] = []
    for kind, at in (("notice.rendered", served_at), ("notice.served", served_at), ("notice.lapsed", due_at)):
        notice, fact = record(notice, kind, at, "test", {"attempt_id": attempt_id})
        facts.append(FactAppended(fact))
    return notice, facts


def mark(now: datetime, ids: Ids) -> MarkCommitted:
    """All evidence sent until now is committed."""
    return MarkCommitted(ids.uuid7(), now)


def bounce_of(attempt_id: UUID, address: str, ids: Ids) -> tuple[EvidenceStored, Announced]:
    """A mail system's final report about one alert, as the mail door stores it."""
    sender = envelope_sender(token(attempt_id, KEYRING), BOUNCE_DOMAIN)
    return bounce(b"Subject: An alert\r\n\r\n", address, sender, ids)


def bounce(original: bytes, address: str, sender: str, ids: Ids) -> tuple[EvidenceStored, Announced]:
    """A final report (RFC 3464) about a mail that was sent to `address` with the envelope sender `sender`."""
    report = failure_report(
        original, recipient=address, envelope_sender=sender, reporting_mta="mx.business.example", status="5.1.1",
        diagnostic="550 5.1.1 no such user", date=datetime.now(UTC), report_id=str(ids.uuid7()),
    )  # fmt: skip
    row = evidence_of_mail(report, sender, door="mail", keyring=KEYRING, bounce_domain=BOUNCE_DOMAIN, ids=ids)
    told = BounceReceivedV1(evidence=(row.evidence_id,))
    return row, announce("bounce.received.v1", told, event_id=str(ids.uuid7()))


def payment_for(notice: Notice, ids: Ids) -> tuple[EvidenceStored, Announced]:
    """A payment that the source vouches for as received the day before the deadline, as `intake` stores it."""
    assert notice.deadline_at is not None
    received_at = (notice.deadline_at - timedelta(days=1)).isoformat()
    data = {"source_ref": notice.source_ref, "kind": "payment", "received_at": received_at}
    event = Envelope.model_validate(
        {"id": str(ids.uuid7()), "source": notice.source, "type": "obligation.satisfied.v1", "data": data}
    )
    evidence_id = ids.uuid7()
    stored = EvidenceStored(
        evidence_id, "amqp", event.source, event.id, event.type, "application/cloudevents+json", json.dumps({}),
        event.wire(), None, notice.source_ref, None, (), "waiting",
    )  # fmt: skip
    told = ResponseReceivedV1(evidence=(evidence_id,))
    return stored, announce("response.received.v1", told, event_id=str(ids.uuid7()))
