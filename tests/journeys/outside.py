"""The world around Duly in a story: what upstream hears, what the mail system sends back, what a desk officer does."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import amqp

from schemas.catalogue import EXCHANGE
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.mail.reports import failure_report
from services.kernel.adapters.postgres.desk import PostgresDesk, open_desk
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain.verp import Keyring
from services.kernel.runtime.desk import Word
from services.kernel.runtime.door import store
from services.kernel.runtime.mail_door import evidence_of_mail
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import KEYS, System, until

OFFICER = Word("A. Lewis", "looked at the file")
HEARD = ("notice.#", "sanction.#", "hold.#", "deadline.#", "evidence.#")
HOPS = {"notice.requested.v1", "notice.rendered.v1", "deadline.passed.v1", "sanction.objected.v1"}
Report = Callable[[bytes, str, str], bytes]


@dataclass
class Upstream:
    """A queue of upstream's own, bound to what Duly tells."""

    channel: amqp.Channel
    queue: str = field(default_factory=lambda: f"upstream.{uuid4().hex[:8]}")
    heard: list[dict[str, Any]] = field(default_factory=list)

    def bind(self) -> None:
        self.channel.queue_declare(self.queue, durable=False, auto_delete=False)
        for pattern in HEARD:
            self.channel.queue_bind(self.queue, EXCHANGE, pattern)

    def listen(self) -> None:
        """Take what has come, in the order in which it came."""
        while (message := self.channel.basic_get(self.queue, no_ack=True)) is not None:
            body = message.body if isinstance(message.body, bytes) else message.body.encode()
            if message.delivery_info["routing_key"] not in HOPS:
                self.heard.append(json.loads(body))

    def about(self, ref: str, *types: str) -> list[dict[str, Any]]:
        """Every event about one of upstream's references, of these types if any are named."""
        told = [event for event in self.heard if event["data"].get("source_ref") == ref]
        return [event for event in told if not types or event["type"] in types]

    async def until(self, ref: str, kind: str, count: int = 1, seconds: float = 30) -> list[dict[str, Any]]:
        """Wait until so many events of a type are heard about a reference; returns them."""

        async def enough() -> bool:
            self.listen()
            return len(self.about(ref, kind)) >= count

        try:
            await until(enough, seconds)
        except TimeoutError:
            raise AssertionError(f"{kind} about {ref} not heard; heard {self.about(ref)}") from None
        return self.about(ref, kind)

    async def until_any(self, wanted: Callable[[dict[str, Any]], bool], seconds: float = 30) -> dict[str, Any]:
        """Wait until an event for which `wanted` holds is heard."""

        async def there() -> bool:
            self.listen()
            return any(map(wanted, self.heard))

        await until(there, seconds)
        return next(filter(wanted, self.heard))


def keyring() -> Keyring:
    key_id, _, digits = KEYS.partition(":")
    return Keyring({key_id: bytes.fromhex(digits)}, key_id)


def bounced(recipient: str, status: str = "5.1.1") -> Report:
    """How the mail system reports that it could not deliver after all."""

    def report(original: bytes, _recipient: str, sender: str) -> bytes:
        return failure_report(
            original, recipient=recipient, envelope_sender=sender, reporting_mta="mx.business.example", status=status,
            diagnostic=f"550 {status} no such user", date=datetime.now(UTC), report_id=uuid4().hex,
        )  # fmt: skip

    return report


async def mail_comes_back(duly: System, sink: SinkProcess, address: str, report: Report) -> UUID:
    """The mail system answers the alert that it took for this address; through the mail door, as it is."""
    mail = next(mail for mail in sink.mails() if mail["recipient"] == address)
    raw = report(b64decode(mail["content"]), address, mail["sender"])
    return await through_the_mail_door(duly, raw, mail["sender"])


async def through_the_mail_door(duly: System, raw: bytes, recipient: str | None) -> UUID:
    """Store a mail as raw evidence; the id of the evidence."""
    ids = SystemIds()
    row = evidence_of_mail(
        raw, recipient, door="mail", keyring=keyring(), bounce_domain="bounces.authority.example", ids=ids,
        own_domains=("authority.example",),
    )  # fmt: skip
    ledger = await PostgresLedger.open(duly.database, ids, name="mail door", most=1)
    try:
        async with ledger.begin() as tx:
            await store(tx, [row], "bounce.received.v1", ids)
    finally:
        await ledger.close()
    return row.evidence_id


@asynccontextmanager
async def desk(duly: System) -> AsyncIterator[PostgresDesk]:
    """The officers' desk on this database."""
    async with open_desk(duly.database, SystemIds()) as opened:
        yield opened


async def notice_id(duly: System, ref: str) -> UUID:
    found: UUID = await duly.value("SELECT notice_id FROM notice WHERE source_ref = $1", ref)
    return found


async def until_evidence(duly: System, evidence_id: UUID, state: str = "processed") -> None:
    await duly.until("SELECT state FROM raw_evidence WHERE evidence_id = $1", state, evidence_id)


async def facts(duly: System, ref: str) -> list[str]:
    """The kinds of a notice's evidence, in order."""
    rows = await duly.fetch(
        "SELECT e.kind FROM notice_event e JOIN notice n USING (notice_id) WHERE n.source_ref = $1 ORDER BY e.seq", ref
    )
    return [row["kind"] for row in rows]


async def open_holds(duly: System, ref: str) -> list[str]:
    rows = await duly.fetch(
        "SELECT h.kind FROM hold h JOIN notice n USING (notice_id) WHERE n.source_ref = $1 AND h.lifted_at IS NULL", ref
    )
    return [row["kind"] for row in rows]


async def gate_looks_again(duly: System, ref: str) -> None:
    """Have the gate look at a lapsed notice now, and wait until it has: what it does not do now, it did not do."""
    looks = "SELECT count(*) FROM processed WHERE consumer = 'sanctions' AND subject = $1"
    named = await notice_id(duly, ref)
    before = await duly.value(looks, named)
    await duly.value("UPDATE gate_wait SET look_again_at = legal_now() WHERE notice_id = $1", named)
    await duly.until(f"SELECT ({looks}) > $2", True, named, before)


async def waits_for(duly: System, ref: str, reason: str) -> None:
    """Wait until the gate says that it waits for this reason."""
    await duly.until(
        "SELECT EXISTS (SELECT FROM gate_wait w JOIN notice n USING (notice_id) "
        "WHERE n.source_ref = $1 AND $2 = ANY (w.waiting_for))",
        True, ref, reason,
    )  # fmt: skip


async def lapse(duly: System, ref: str) -> None:
    """The deadline passes: from served to lapsed, with the sanction proposed where one follows."""
    await duly.until_state(ref, "served")
    await duly.advance(days=25)
    await duly.until_state(ref, "lapsed")


async def sanction(duly: System, ref: str) -> UUID:
    """Nothing stands against it: from served to sanctioned; the sanction's id."""
    await lapse(duly, ref)
    await waits_for(duly, ref, "objection_window")
    await duly.advance(days=2)
    await duly.until_state(ref, "sanctioned")
    fired: UUID = await duly.value(
        "SELECT sanction_id FROM sanction JOIN notice USING (notice_id) WHERE source_ref = $1 AND fired_at IS NOT NULL",
        ref,
    )
    return fired
