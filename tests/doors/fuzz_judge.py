"""The judge of a fuzz run: what the doors said against what the database has."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from asyncpg import Record

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from tests.doors.fuzz_doors import Came

RECEIPT = re.compile(rb"location: /notices/[0-9a-f-]{36}/answers/([0-9a-f-]{36})\r\n", re.IGNORECASE)
_DOUBLED_DOT = re.compile(rb"(?<=\r\n)\.(?!\r\n)")
STORED, KNOWN = b'{"status":"stored"}', b'{"status":"known"}'
MAIL = {"lmtp", "smtp"}


@dataclass
class Judge:
    """Compares what doors said with what the database has, after each handful of cases."""

    ledger: PostgresLedger
    counts: Counter[str] = field(default_factory=Counter)
    _since: UUID = field(default_factory=lambda: SystemIds().uuid7())
    _callbacks: list[Record] = field(default_factory=list)
    _events: set[tuple[str, str]] = field(default_factory=set)
    _answers: set[UUID] = field(default_factory=set)

    async def judge(self, came: Sequence[Came]) -> None:
        """Every claim has its row, and every row a claim."""
        for each in came:
            self._status(each)
        rows = await self.ledger.pool.fetch(
            "SELECT evidence_id, door, source, event_id, body FROM raw_evidence WHERE evidence_id > $1", self._since
        )
        self._since = max((row["evidence_id"] for row in rows), default=self._since)
        self._judge_callbacks(came, [row for row in rows if row["door"] == "callback"])
        self._judge_mail(came, [row for row in rows if row["door"] == "mail"])
        await self._judge_intake(came)
        await self._judge_inbox(came)

    def _status(self, came: Came) -> None:
        """No door breaks; what it cannot read now is no reason to come again."""
        self.counts[came.case.door] += 1
        for status in came.statuses:
            self.counts[f"{came.case.door} {status}"] += 1
        assert not any(500 <= status <= 599 for status in came.statuses if came.case.door not in MAIL), shown(came)
        assert b"451 4.3.0" not in came.told, shown(came)
        if came.case.whole and came.case.door in MAIL:
            assert came.told.endswith((b"221 2.0.0 Bye\r\n", b"unrecognized commands, goodbye.\r\n")), shown(came)

    def _judge_callbacks(self, came: Sequence[Came], rows: Sequence[Record]) -> None:
        said = [each for each in came if each.case.door == "callbacks"]
        stored = [each for each in said if STORED in each.told]
        for row in rows:
            assert any(row["body"] in each.case.body for each in stored), f"nobody was told of {dict(row)}"
        for each in stored:
            assert any(row["body"] in each.case.body for row in rows), f"stored, and is not there: {shown(each)}"
        self._callbacks += rows
        for each in said:
            if KNOWN in each.told and b"Confirmation" not in each.case.body:
                assert any(_is_of(row, each.case.body) for row in self._callbacks), f"not known: {shown(each)}"

    def _judge_mail(self, came: Sequence[Came], rows: Sequence[Record]) -> None:
        """As many rows as were said to be stored, and each holds what was sent."""
        said = [each for each in came if each.case.door in MAIL]
        claims = sum(map(_stored_mails, said))
        assert claims == len(rows), [shown(each) for each in said]
        sent = [_DOUBLED_DOT.sub(b"", each.case.raw) for each in said if b"250 2.6.0" in each.told]
        for row in rows:
            assert any(row["body"].removesuffix(b"\r\n") in each for each in sent), dict(row)

    async def _judge_intake(self, came: Sequence[Came]) -> None:
        for each in came:
            if each.case.door == "intake" and 202 in each.statuses:
                self._events |= {(each.case.source, event["id"]) for event in json.loads(each.content)["events"]}
        kept = await self.ledger.pool.fetchval("SELECT count(*) FROM intake_event")
        assert kept == len(self._events), [shown(each) for each in came if each.case.door == "intake"]

    async def _judge_inbox(self, came: Sequence[Came]) -> None:
        for each in came:
            if each.case.door == "inbox":
                self._answers |= {UUID(found.decode()) for found in RECEIPT.findall(each.told)}
        query = "SELECT evidence_id, body, state FROM raw_evidence WHERE door = 'inbox'"
        if any(b"/answer " in each.case.raw for each in came if each.case.door == "inbox"):
            rows = await self.ledger.pool.fetch(query)
            assert {row["evidence_id"] for row in rows if row["state"] == "waiting"} == self._answers
            assert {row["state"] for row in rows} <= {"waiting", "refused"}
            assert {bool(row["body"]) for row in rows if row["state"] == "refused"} <= {False}

    async def close(self) -> None:
        """At the end: each event that was taken in is there under its own name, and nothing is left of what was not."""
        self.counts["inbox answers"] = len(self._answers)
        kept = await self.ledger.pool.fetch("SELECT source, event_id FROM intake_event")
        assert {(row["source"], row["event_id"]) for row in kept} == self._events
        facts = await self.ledger.pool.fetchval("SELECT count(*) FROM raw_evidence WHERE door = 'http'")
        said = "SELECT count(*) FROM intake_event WHERE type <> 'notice.requested.v1'"
        assert facts == await self.ledger.pool.fetchval(said)
        parts = "SELECT count(*) FROM upload_part JOIN upload USING (upload_id) WHERE size IS NULL"
        assert await self.ledger.pool.fetchval(parts) == 0, "of an answer that was refused nothing is left"


def _is_of(row: Record, body: bytes) -> bool:
    """Whether a body may be of an event that is known: it is the same, or bears its id."""
    number = row["event_id"].rpartition(":")[2]
    return row["body"] in body or number.encode() in body or json.dumps(number)[1:-1].encode() in body


def _stored_mails(came: Came) -> int:
    """For how many recipients: over LMTP each is answered, over SMTP one answer is for all of the mail."""
    stored = recipients = 0
    for line in came.told.split(b"\r\n"):
        if line.startswith(b"250 2.1.0"):
            recipients = 0
        recipients += line.startswith(b"250 2.1.5")
        stored += line.startswith(b"250 2.6.0") * (1 if came.case.door == "lmtp" else recipients)
    return stored


def shown(came: Came) -> str:
    return f"{came.case.door}: {came.case.raw[:3000]!r}\nanswered {came.told[:600]!r}"
