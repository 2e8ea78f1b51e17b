"""Reports that somebody made up, end to end: through a real door and the worker that takes them.

The token is in the recipient's own mail. Whoever forges a failure with it before opening the notice gains only the next
channel, and the evidence says how it came; after opening it, a person decides. What proves nothing changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import smtplib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from asyncpg import Record

from schemas.messages.hops import BounceReceivedV1
from services.bounces.handler import Bounces
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.mail.reports import failure_report
from services.kernel.adapters.web.sign_in import Person
from services.kernel.domain.verp import Keyring, envelope_sender, token
from services.kernel.ledger.people import ActsFor
from tests.doors.fuzz_chance import DOMAIN, KEYRING, SENDGRID, SNS
from tests.doors.fuzz_doors import SETTINGS, Doors, open_doors
from tests.handlers.bench import Bench, hop
from tests.rig import callbacks as rig
from tests.rig.inbox import served
from tests.rig.system import fee_outstanding

OWNER = "one@business.example"
OTHERS = Keyring({"k1": b"another house's key"}, "k1")


@dataclass
class House:
    """The doors, the notice that is served, and its attempt."""

    bench: Bench
    doors: Doors
    notice_id: UUID
    attempt_id: UUID

    def sender(self, keys: Keyring = KEYRING) -> str:
        return envelope_sender(token(self.attempt_id, keys), DOMAIN)

    async def notice(self) -> tuple[Record, list[Record]]:
        """The whole notice, with its holds."""
        pool = self.bench.ledger.pool
        row = await pool.fetchrow("SELECT * FROM notice WHERE notice_id = $1", self.notice_id)
        return row, await pool.fetch("SELECT * FROM hold WHERE notice_id = $1", self.notice_id)

    async def facts(self) -> list[tuple[str, dict[str, Any]]]:
        query = "SELECT kind, data FROM notice_event WHERE notice_id = $1 ORDER BY seq"
        return [
            (row["kind"], json.loads(row["data"])) for row in await self.bench.ledger.pool.fetch(query, self.notice_id)
        ]

    async def work(self) -> None:
        """What `bounces` makes of all that waits."""
        bounces = Bounces(SystemIds(), KEYRING, DOMAIN, "authority.example")
        for evidence_id in await self.bench.column("SELECT evidence_id FROM raw_evidence WHERE state = 'waiting'"):
            told = BounceReceivedV1(evidence=(evidence_id,))
            await self.bench.run(bounces, hop("bounce.received.v1", told, "bounces"))

    async def open_it(self) -> None:
        """The recipient opens the notice in the inbox."""
        inbox = self.doors.inbox.site
        async with inbox.ledger.open() as tx:
            business = ActsFor("B-one", "One")
            _, cookie = await inbox.sessions.begin(Person("p1", "A. Price", (business,)), "en", tx)
        page = f"GET /notices/{self.notice_id} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: duly-inbox={cookie}\r\n\r\n"
        wire = self.doors.http["inbox"].begin(page.encode(), "127.0.0.1")
        await self.doors.http["inbox"].answered()
        assert wire.statuses == [200]

    async def call(self, provider: str, signed: rig.Signed) -> int:
        """A provider's call; what the door answers."""
        body, headers = signed
        lines = [f"POST /callbacks/{provider} HTTP/1.1", "Host: door.example", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        wire = self.doors.http["callbacks"].begin("\r\n".join([*lines, "", ""]).encode() + body, "127.0.0.1")
        await self.doors.http["callbacks"].answered()
        return wire.statuses[0]

    async def mail(self, report: bytes, recipient: str) -> int:
        """A report over LMTP; the door's last reply."""

        def sent() -> int:
            with smtplib.LMTP("127.0.0.1", self.doors.mail["lmtp"], local_hostname="mx.example", timeout=20) as client:
                client.ehlo()
                client.mail("")
                client.rcpt(recipient)
                return client.data(report)[0]

        return await asyncio.to_thread(sent)

    def report(self, sender: str = "") -> bytes:
        """A perfect report of a permanent failure."""
        return failure_report(
            b"From: notices@authority.example\r\nSubject: waiting\r\n\r\n", recipient=OWNER,
            envelope_sender=sender or self.sender(), reporting_mta="mx.business.example", status="5.1.1",
            diagnostic="550 5.1.1 no such user", date=datetime.now(UTC), report_id=uuid4().hex,
        )  # fmt: skip


@pytest.fixture
async def house(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    notice_id = await served(bench, fee_outstanding("one"))
    attempt_id = await bench.value("SELECT attempt_id FROM attempt WHERE notice_id = $1", notice_id)
    async with open_doors(bench.ledger) as doors:
        yield House(bench, doors, notice_id, attempt_id)


async def test_a_failure_forged_with_the_genuine_token_before_opening_unserves_and_the_evidence_says_how_it_came(
    house: House,
) -> None:
    assert await house.mail(house.report(), house.sender()) == 250
    await house.work()
    assert await house.bench.state(house.notice_id) == "unserved"
    kind, said = (await house.facts())[-1]
    assert (kind, said["door"], said["matched_by"], said["verdict"]) == ("notice.unserved", "mail", "token", "final")
    kept = await house.bench.value("SELECT body FROM raw_evidence WHERE evidence_id = $1", UUID(said["evidence_id"]))
    assert b"5.1.1" in kept, "the whole report is kept"


@pytest.mark.parametrize("by", ["mail", "callback"])
async def test_a_failure_forged_with_the_genuine_token_after_opening_holds(house: House, by: str) -> None:
    await house.open_it()
    (before, _), facts = await house.notice(), await house.facts()
    assert facts[-1][0] == "content.viewed"
    if by == "mail":
        assert await house.mail(house.report(), house.sender()) == 250
    else:
        assert await house.call("mailgun", failed(house)) == 200
    await house.work()
    after, (hold,) = await house.notice()
    assert (after["state"], after["unserved_at"]) == (before["state"], None) == ("served", None)
    assert (hold["kind"], hold["lifted_at"]) == ("delivery_doubt", None)
    kind, said = (await house.facts())[-1]
    assert (kind, said["door"]) == ("hold.placed", by)
    assert said["matched_by"] == ("token" if by == "mail" else "callback")


async def test_a_report_that_is_sent_again_is_recorded_and_changes_nothing(house: House) -> None:
    report = house.report()
    await house.mail(report, house.sender())
    await house.work()
    outbox = "SELECT count(*) FROM outbox WHERE notice_id IS NOT NULL"
    before, told = await house.notice(), await house.bench.value(outbox)
    for _ in range(2):
        await house.mail(report, house.sender())
    await house.work()
    assert [kind for kind, _ in await house.facts()][-3:] == ["notice.unserved", "mail.reported", "mail.reported"]
    kept = ("seq", "chain_head")
    (row, holds), (now, held) = before, await house.notice()
    assert {**row, **{name: now[name] for name in kept}} == dict(now)
    assert held == holds
    assert await house.bench.value(outbox) == told


def failed(house: House, keys: Keyring = KEYRING, **more: Any) -> rig.Signed:
    event = {"event": "failed", "severity": "permanent", "recipient": OWNER}
    return rig.mailgun({**event, "message": {"headers": {"from": house.sender(keys)}}}, **more)


def bounced(house: House) -> dict[str, Any]:
    recipients = [{"emailAddress": OWNER}]
    bounce = {"bounceType": "Permanent", "bouncedRecipients": recipients}
    return {"eventType": "Bounce", "bounce": bounce, "mail": {"source": house.sender()}}


def told(house: House) -> dict[str, Any]:
    return {"id": "1", "kind": "permanent", "recipient": OWNER, "token": house.sender()}


def cut(signed: rig.Signed) -> rig.Signed:
    return signed[0][:-25], signed[1]


def moved(signed: rig.Signed, header: str) -> rig.Signed:
    """Signed at another time than it says now."""
    return signed[0], {**signed[1], header: str(int(time.time()) - 1)}


WRONG: dict[str, tuple[str, Callable[[House], rig.Signed]]] = {
    "forged, ses": ("ses", lambda house: rig.Sns().call(bounced(house))),
    "forged, mailgun": ("mailgun", lambda house: failed(house, key="not-the-signing-key-at-all")),
    "forged, sendgrid": ("sendgrid", lambda house: rig.Sendgrid().call(told(house))),
    "forged, postmark": ("postmark", lambda house: rig.postmark(told(house), "postmark:not-the-password-at-all")),
    "forged, generic": ("generic/relay", lambda house: rig.generic(told(house), key=bytes(32))),
    "stale, ses": ("ses", lambda house: SNS.call(bounced(house), ago=4_000)),
    "stale, mailgun": ("mailgun", lambda house: failed(house, ago=9 * 3600)),
    "stale, sendgrid": ("sendgrid", lambda house: SENDGRID.call(told(house), ago=25 * 3600)),
    "stale, generic": ("generic/relay", lambda house: rig.generic(told(house), ago=400)),
    "fresh by its header alone, generic": (
        "generic/relay", lambda house: moved(rig.generic(told(house), ago=400), "duly-timestamp"),
    ),
    "truncated, ses": ("ses", lambda house: cut(SNS.call(bounced(house)))),
    "truncated, mailgun": ("mailgun", lambda house: cut(failed(house))),
    "truncated, sendgrid": ("sendgrid", lambda house: cut(SENDGRID.call(told(house)))),
    "truncated, postmark": ("postmark", lambda house: cut(rig.postmark(told(house)))),
    "truncated, generic": ("generic/relay", lambda house: cut(rig.generic(told(house)))),
    "another's topic": ("ses", lambda house: SNS.call(bounced(house), TopicArn=f"{rig.TOPIC}-of-others")),
    "another's name": ("generic/nobody", lambda house: rig.generic(told(house))),
    "another provider's call": ("sendgrid", lambda house: rig.generic(told(house))),
}  # fmt: skip


async def test_callbacks_that_are_forged_stale_truncated_or_anothers_leave_nothing(house: House) -> None:
    before, facts = await house.notice(), await house.facts()
    for case, (provider, make) in WRONG.items():
        assert await house.call(provider, make(house)) in {400, 401, 403}, case
        assert await house.bench.value("SELECT count(*) FROM raw_evidence") == 0, case
    await house.work()
    assert await house.notice() == before
    assert await house.facts() == facts


async def test_a_replayed_callback_changes_nothing_even_with_another_event_behind_its_signature(house: House) -> None:
    harmless = rig.mailgun({"event": "delivered", "recipient": OWNER}, token="once")
    assert await house.call("mailgun", harmless) == 200
    await house.work()
    before, facts = await house.notice(), await house.facts()
    body = {**json.loads(harmless[0]), "event-data": json.loads(failed(house)[0])["event-data"]}
    assert await house.call("mailgun", (json.dumps(body).encode(), {})) == 200
    assert await house.call("mailgun", harmless) == 200
    await house.work()
    assert await house.notice() == before
    assert await house.facts() == facts
    assert await house.bench.value("SELECT count(*) FROM raw_evidence") == 1


@pytest.mark.parametrize("by", ["mail", "callback"])
async def test_a_token_of_another_house_names_no_notice_of_ours(house: House, by: str) -> None:
    before, facts = await house.notice(), await house.facts()
    if by == "mail":
        report = house.report(house.sender(OTHERS)).replace(OWNER.encode(), b"someone@elsewhere.example")
        assert await house.mail(report, house.sender(OTHERS)) == 250
    else:
        event = {"event": "failed", "severity": "permanent", "recipient": "someone@elsewhere.example"}
        signed = rig.mailgun({**event, "message": {"headers": {"from": house.sender(OTHERS)}}})
        assert await house.call("mailgun", signed) == 200
    await house.work()
    assert await house.notice() == before
    assert await house.facts() == facts
    assert await house.bench.value("SELECT state FROM raw_evidence") == "parked", "kept, and a person may see it"


async def test_a_report_that_breaks_off_on_its_way_is_not_there(house: House) -> None:
    before = await house.notice()
    reader, writer = await asyncio.open_connection("127.0.0.1", house.doors.mail["lmtp"])
    said = [b"LHLO mx.example", b"MAIL FROM:<>", f"RCPT TO:<{house.sender()}>".encode(), b"DATA", house.report()[:-40]]
    writer.write(b"\r\n".join(said))
    while not (await reader.readline()).startswith(b"354"):
        pass
    writer.close()
    assert await house.mail(b"Subject: hello\r\n\r\nnothing\r\n", f"postmaster@{DOMAIN}") == 250  # the door goes on
    await house.work()
    assert await house.notice() == before
    assert await house.bench.value("SELECT count(*) FROM raw_evidence") == 1
