"""What the gate must know of evidence as soon as its door has stored it: whichever way it names a notice, it waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from schemas.messages.hops import BounceReceivedV1
from services.bounces.handler import Bounces
from services.callbacks.evidence import Ours, taken
from services.callbacks.providers.call import Verified, event
from services.kernel.domain.changes import EvidenceStored, GateWaitSet
from services.kernel.domain.notice import State
from services.kernel.domain.verp import Keyring, envelope_sender, token
from services.kernel.ledger import GatePolicy
from services.kernel.runtime.mail_door import evidence_of_mail
from tests.handlers.bench import IDS, Bench, hop
from tests.rig.notices import KIND, Made, make

KEYS = Keyring({"k1": b"0123456789abcdef"}, "k1")
BOUNCES, MAIL = "bounces.authority.example", "authority.example"
ELSEWHERE = "postmaster@relay.example"
POLICY = GatePolicy(KIND, True, 0.0, 0.0, 0.0, None)


@dataclass
class Gate:
    """The gate before one lapsed notice, and the doors."""

    bench: Bench
    made: Made

    async def waits(self) -> bool:
        async with self.bench.ledger.begin() as tx:
            notice = (await tx.lock([self.made.notice_id]))[self.made.notice_id]
            await tx.lock_brake(KIND)
            facts, _ = await tx.gate_facts(notice, notice.deadline_version or 1, POLICY)
        return bool(facts.waiting_evidence)

    async def store(self, *rows: EvidenceStored) -> None:
        async with self.bench.ledger.begin() as tx:
            assert len(await tx.store(rows)) == len(rows)

    async def told(self, told: dict[str, Any]) -> None:
        """A provider's event comes."""
        body = json.dumps({"id": str(uuid4()), **told}).encode()
        one = event(None, body, json.loads(body))
        ours = Ours(KEYS, BOUNCES, {BOUNCES, MAIL})
        await self.store(*taken(Verified("generic/relay", {}, (one,)), body, ours, IDS).evidence)

    async def mailed(self, raw: str) -> None:
        """A mail comes to the postmaster of the bounce domain."""
        await self.store(
            evidence_of_mail(
                raw.encode(), f"postmaster@{BOUNCES}", door="mail", keyring=KEYS, bounce_domain=BOUNCES, ids=IDS,
                own_domains=(MAIL,),
            )
        )  # fmt: skip


@pytest.fixture
async def gate(bench: Bench) -> Gate:
    return Gate(bench, await make(bench.ledger, State.LAPSED, address="owner@xn--bcher-kva.example"))


NAMES: dict[str, Callable[[Made], str]] = {
    "token": lambda made: envelope_sender(token(made.attempt_id, KEYS), BOUNCES),
    "message id": lambda made: f"<{made.notice_id.hex}@{MAIL}>",
    "message id, loud": lambda made: f"<{made.notice_id.hex.upper()}@{MAIL.upper()}>",
    "address": lambda made: made.notice.address,
    "address, loud": lambda made: f"Owner <{made.notice.address.upper()}>",
    "address with its letters": lambda _made: "owner@bücher.example",
    "address with its letters, loud": lambda _made: "“Owner@BÜCHER.example”",
}


@pytest.mark.parametrize("name", NAMES)
async def test_the_gate_waits_for_a_providers_event_that_names_the_notice(gate: Gate, name: str) -> None:
    assert not await gate.waits()
    await gate.told({"recipient": ELSEWHERE, "about": NAMES[name](gate.made)})
    assert await gate.waits()


@pytest.mark.parametrize("name", NAMES)
async def test_the_gate_waits_for_a_mail_that_names_the_notice(gate: Gate, name: str) -> None:
    await gate.mailed(f"From: {ELSEWHERE}\r\nSubject: returned\r\n\r\nSee {NAMES[name](gate.made)}.\r\n")
    assert await gate.waits()


async def test_the_gate_does_not_wait_for_what_names_another(gate: Gate) -> None:
    about = f"<{uuid4().hex}@{MAIL}> 0{gate.made.notice_id.hex}@{MAIL} {gate.made.notice_id.hex}@elsewhere.example"
    await gate.told({"recipient": "owner@bucher.example", "about": about})
    await gate.mailed(f"From: {ELSEWHERE}\r\n\r\nowner@bücherei.example {about}\r\n")
    assert not await gate.waits()


async def test_a_genuine_token_says_more_than_a_message_id_that_stands_beside_it(gate: Gate) -> None:
    await gate.told({"token": NAMES["token"](gate.made), "message_id": f"<{uuid4().hex}@{MAIL}>"})
    assert await gate.bench.value("SELECT notice_id FROM raw_evidence") == gate.made.notice_id


async def test_the_gate_waits_for_a_fact_about_a_notice_of_its_matter_that_came_before_that_notice(gate: Gate) -> None:
    fact = EvidenceStored(
        IDS.uuid7(), "http", "fees", str(uuid4()), "obligation.satisfied.v1", "application/cloudevents+json", "{}",
        b"{}", None, "fees/2026/younger", None, (), "parked",
    )  # fmt: skip
    await gate.store(fact)
    assert not await gate.waits()
    await make(gate.bench.ledger, State.SERVED, matter=gate.made.notice.matter, source_ref="fees/2026/younger")
    assert await gate.waits()


async def test_a_gate_that_waited_for_what_turned_out_to_be_about_another_looks_again_at_once(gate: Gate) -> None:
    other = await make(gate.bench.ledger, State.SERVED, address="other@business.example")
    await gate.told({"kind": "permanent", "recipient": other.notice.address, "thread": NAMES["message id"](gate.made)})
    await gate.bench.write(GateWaitSet(gate.made.notice_id, 1, None, ("evidence_waiting",)))
    bounces = Bounces(IDS, KEYS, BOUNCES, MAIL)
    (evidence_id,) = await gate.bench.column("SELECT evidence_id FROM raw_evidence")
    named = BounceReceivedV1(evidence=(evidence_id,))
    await gate.bench.run(bounces, hop("bounce.received.v1", named, "bounces"))
    assert await gate.bench.value("SELECT state FROM raw_evidence") == "processed"
    assert await gate.bench.value(
        "SELECT look_again_at <= legal_now() FROM gate_wait WHERE notice_id = $1", gate.made.notice_id
    )
