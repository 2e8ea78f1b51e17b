"""Doors that are killed around their answer: what was brought has its effect once, whoever must bring it again.

Every death is by SIGKILL at an exact moment (`door_dying.py`), and real workers take what the doors leave. A sender who
got no answer brings the same again, as real ones do.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import smtplib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest

from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.mail.reports import failure_report
from services.kernel.adapters.parts import LIBRARY
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.runtime.measures import Measures
from services.relay.handler import Relay
from services.relay.settings import RelaySettings
from tests.faults.door_senders import FILE, Door, Visitor, bring, brought, over_http, over_mail, visitor
from tests.faults.judge import judge_evidence
from tests.faults.sink_log import SinkLog
from tests.rig import callbacks as providers
from tests.rig.intake import KEYS, ONE, Keeping, event
from tests.rig.rabbitmq import RabbitNode, free_port
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import System, fee_outstanding, information_request, paid

DYING = "tests/faults/door_dying.py"
OTHERS = ("renderer", "notifier", "bounces", "responses", "relay")
LIVES = {
    "callbacks": ("commit", "answer", *("commit", "answer", "answer") * 2),  # a mail that is sent again is new again
    "intake": ("commit", "answer") * 2,
    "inbox": ("part", "commit", "answer"),
}
BOUNCED = [f"{way}-{moment}" for way in ("http", "lmtp", "smtp") for moment in ("commit", "answer")]
PAID = ["paid-commit", "paid-answer"]
ASKED = ["asked-commit", "asked-answer"]
ANSWERED = ["given-part", "given-commit", "given-answer"]


@dataclass
class House:
    """All workers, the doors among them, and the ports of these."""

    system: System
    doors: dict[str, Door]
    ports: dict[str, int]
    sink: SinkProcess
    ledger: PostgresLedger

    def url(self, door: str) -> str:
        return f"http://127.0.0.1:{self.ports[door]}"

    def bounce(self, ref: str) -> tuple[bytes, str]:
        """What the mail system of this notice's recipient sends back, and where to."""
        (mail,) = SinkLog(self.sink.log).by_recipient()[f"{ref}@business.example"]
        sender: str = mail["sender"]
        report = failure_report(
            SinkLog.content(mail), recipient=mail["recipient"], envelope_sender=sender, status="5.1.1",
            reporting_mta="mx.business.example", diagnostic="550 5.1.1 no such user", date=datetime.now(UTC),
            report_id=uuid4().hex,
        )  # fmt: skip
        return report, sender


@pytest.fixture
async def house(
    trial_database_url: str, rabbit_node: RabbitNode, smtp_sink: SinkProcess, tmp_path: Path
) -> AsyncIterator[House]:
    rabbit_node.delete_all_queues()
    ports = {name: free_port() for name in ("callback", "lmtp", "smtp", "intake", "inbox")}
    settings = {
        "DULY_CALLBACK_PORT": str(ports["callback"]), "DULY_MAILGUN_KEYS": providers.MAILGUN_KEY,
        "DULY_LMTP_PORT": str(ports["lmtp"]), "DULY_BOUNCE_SMTP_PORT": str(ports["smtp"]),
        "DULY_INTAKE_PORT": str(ports["intake"]), "DULY_LIBRARY": str(library_with_key(tmp_path)),
        "DULY_INBOX_PORT": str(ports["inbox"]), "DULY_OIDC_ISSUER": "http://127.0.0.1:1", "DULY_OIDC_CLIENT_ID": "duly",
        "DULY_OIDC_CLIENT_SECRET": "nobody signs in here",
    }  # fmt: skip
    system = System(
        trial_database_url, rabbit_node.url, f"smtp://127.0.0.1:{smtp_sink.port}", tmp_path, settings=settings
    )
    ledger = await PostgresLedger.open(system.database, SystemIds(), name="test", most=2)
    try:
        doors = {name: Door(system.spawn(name, program=(DYING, name, *moments))) for name, moments in LIVES.items()}
        await system.start(*OTHERS)
        yield House(system, doors, ports, smtp_sink, ledger)
    finally:
        await ledger.close()
        system.stop()


def library_with_key(folder: Path) -> Path:
    """Duly's own library, with an API key for the source `fees`."""
    copy = folder / "library"
    shutil.copytree(LIBRARY, copy)
    sources = copy / "sources.yaml"
    key = f"  fees:\n    api_keys: [{{ id: fees, sha256: {sha256(KEYS['fees'].encode()).hexdigest()} }}]\n"
    sources.write_text(sources.read_text().replace("  fees:\n", key))
    return copy


# --- the test ---------------------------------------------------------------------------------------------------------


async def test_a_door_killed_around_its_answer_brings_each_event_to_its_effect_exactly_once(house: House) -> None:
    system = house.system
    await system.publish(
        *(fee_outstanding(ref) for ref in BOUNCED + PAID), *(information_request(ref) for ref in ANSWERED)
    )
    served = "SELECT count(*) FROM notice WHERE state = 'served'"
    await system.until(served, len(BOUNCED + PAID + ANSWERED))
    async with httpx2.AsyncClient(base_url=house.url("inbox"), timeout=20) as client, asyncio.TaskGroup() as doors:
        doors.create_task(mail_systems_report(house))
        doors.create_task(upstream_says(house))
        doors.create_task(business_answers(house, await visitor(house.ledger, client, ANSWERED)))
    await system.until("SELECT count(*) FROM raw_evidence WHERE state IN ('waiting', 'retrying', 'parked')", 0)
    await system.until("SELECT count(*) FROM outbox WHERE sent_at IS NULL", 0)
    await system.until("SELECT count(*) FROM notice WHERE source_ref = ANY($1) AND state = 'served'", 2, ASKED)
    await judge(system)
    await judge_waiting(system, house.ledger)


async def mail_systems_report(house: House) -> None:
    """Each way of bouncing, through a door that dies before its answer and one that dies after it."""
    door = house.doors["callbacks"]
    for ref in BOUNCED:
        way, _, moment = ref.partition("-")
        report, sender = house.bounce(ref)
        if way == "http":
            failed = {"event": "failed", "severity": "permanent", "recipient": f"{ref}@business.example"}
            call = providers.mailgun({**failed, "message": {"headers": {"from": sender}}})
            once = over_http(f"http://127.0.0.1:{house.ports['callback']}/callbacks/mailgun", *call)
        else:
            once = over_mail(smtplib.LMTP if way == "lmtp" else smtplib.SMTP, house.ports[way], report, sender)
        await brought(door, once, moment, "200" if way == "http" else "250")
        if way != "http" and moment == "commit":
            await door.died("answer")


async def upstream_says(house: House) -> None:
    """Payments of two notices, and requests for two more."""
    for ref in PAID + ASKED:
        said = event(paid(ref) if ref in PAID else fee_outstanding(ref))
        headers = {"content-type": ONE, "authorization": f"Bearer {KEYS['fees']}"}
        once = over_http(f"{house.url('intake')}/v1/events", json.dumps(said).encode(), headers)
        await brought(house.doors["intake"], once, ref.partition("-")[2], "202")


async def business_answers(house: House, visitor: Visitor) -> None:
    """Three answers with a file: one that never became whole, and is given again; one not answered; one answered."""
    door = house.doors["inbox"]
    ids = {row["source_ref"]: row["notice_id"] for row in await house.system.fetch("SELECT * FROM notice")}
    part, commit, answer = (ids[ref] for ref in ANSWERED)
    assert await bring(visitor.answering(part), again=False) == [""]
    await door.died("part")
    await bring(visitor.look)
    assert await visitor.receipts(part) == 0, "half an answer is none"
    assert await bring(visitor.answering(commit), again=False) == [""]
    await door.died("commit")
    await bring(visitor.look)
    assert await visitor.receipts(commit) == 1, "it was committed, and the page shows it although nobody was told"
    (led_to,) = await bring(visitor.answering(answer), again=False)
    await door.died("answer")
    await bring(visitor.look)
    assert await visitor.receipts(answer) == 1
    assert sha256(FILE).hexdigest() in (await visitor.client.get(led_to)).text
    await given_again(house, visitor, part)


async def given_again(house: House, visitor: Visitor, notice_id: UUID) -> None:
    """What broke off blocks the gate until it is given up; what is given again counts."""
    left = "SELECT count(*) FROM upload_part p JOIN upload u USING (upload_id) WHERE u.size IS NULL"
    half = "SELECT state FROM raw_evidence WHERE notice_id = $1 ORDER BY evidence_id LIMIT 1"
    assert await house.system.value(half, notice_id) == "receiving"
    assert await house.system.value(left) == 1
    await bring(visitor.answering(notice_id))
    assert await visitor.receipts(notice_id) == 1
    await house.system.until_state("given-part", "satisfied")
    await house.system.advance(hours=2)
    await relay(house.ledger, Measures()).forsake()
    assert await house.system.value(half, notice_id) == "refused"
    assert await house.system.value(left) == 0


def relay(ledger: PostgresLedger, measures: Measures) -> Relay:
    """The relay's rounds, for those that a process has only every minute."""
    return Relay(ledger, Keeping(), SystemIds(), RelaySettings(), measures)


# --- the judge --------------------------------------------------------------------------------------------------------


async def judge(system: System) -> None:
    """What every notice came to, and how often upstream was told."""
    states = {row["source_ref"]: row["state"] for row in await system.fetch("SELECT source_ref, state FROM notice")}
    assert states == {
        **dict.fromkeys(BOUNCED, "unserved"), **dict.fromkeys(PAID + ANSWERED, "satisfied"),
        **dict.fromkeys(ASKED, "served"),
    }  # fmt: skip
    brought = await system.fetch(
        "SELECT n.source_ref, count(*) AS rows FROM notice n JOIN raw_evidence r USING (notice_id) GROUP BY 1"
    )
    assert {row["source_ref"]: row["rows"] for row in brought} == {
        **dict.fromkeys(BOUNCED + PAID + ANSWERED, 1),
        "lmtp-commit": 2, "smtp-commit": 2,  # the same mail twice: nothing in it says that it is the same
        "given-part": 2,
    }  # fmt: skip
    await judge_facts(system)
    await judge_evidence(system)


async def judge_facts(system: System) -> None:
    """One fact of each end; what came twice is recorded, and changes nothing."""
    facts: dict[str, Counter[str]] = {}
    for row in await system.fetch("SELECT source_ref, kind FROM notice_event JOIN notice USING (notice_id)"):
        facts.setdefault(row["source_ref"], Counter())[row["kind"]] += 1
    for ref, found in facts.items():
        ends = {"notice.unserved": ref in BOUNCED, "notice.satisfied": ref in PAID + ANSWERED}
        assert {kind: found[kind] for kind in ends} == ends, ref
        assert found["mail.reported"] == (ref in {"lmtp-commit", "smtp-commit"}), ref
    told = [
        json.loads(row["body"]) for row in await system.fetch("SELECT body FROM outbox WHERE notice_id IS NOT NULL")
    ]
    numbered = Counter((each["subject"], each["sequence"]) for each in told)
    assert set(numbered.values()) == {1}, "each event of a notice is told once, under a number of its own"
    per_notice = Counter(subject for subject, _ in numbered)
    for subject, count in per_notice.items():
        assert {int(number) for each, number in numbered if each == subject} == set(range(1, count + 1))


async def judge_waiting(system: System, ledger: PostgresLedger) -> None:
    """Nothing waits for anybody, as `/metrics` says."""
    measures = Measures()
    await relay(ledger, measures).measure()
    gauges = [
        sample for metric in measures.registry.collect() for sample in metric.samples if metric.name == "duly_waiting"
    ]
    assert len(gauges) > 10
    assert not {sample.labels["what"]: sample.value for sample in gauges if sample.value}, system.complaints()
