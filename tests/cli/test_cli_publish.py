"""`duly publish`, `duly bounces ingest` and `duly doctor`."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path

import pytest

from services.cli.__main__ import run
from services.kernel.adapters.broker import open_broker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain import verp
from services.kernel.domain.notice import State
from services.kernel.domain.verp import Keyring
from services.kernel.runtime.fault import Exit
from tests.rig.commands import Duly, OnLedger
from tests.rig.notices import make
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode

PAID = {"specversion": "1.0", "id": "e1", "source": "fees", "type": "obligation.satisfied.v1",
        "data": {"source_ref": "fees/2026/000417", "kind": "payment"}}  # fmt: skip
KEY = "0123456789abcdef0123456789abcdef"


def lines(path: Path, *events: object) -> Path:
    path.write_text("\n".join(event if isinstance(event, str) else json.dumps(event) for event in events) + "\n")
    return path


async def outbox(ledger: PostgresLedger) -> list[tuple[str, bytes]]:
    return [(row[0], row[1]) for row in await ledger.pool.fetch("SELECT type, body FROM outbox ORDER BY outbox_id")]


def test_events_without_a_broker_are_left_for_relay(ledger_of: OnLedger, duly: Duly, tmp_path: Path) -> None:
    file = lines(tmp_path / "events.jsonl", PAID, "", {**PAID, "id": "e2"})
    code, [told], _ = duly("publish", file)
    assert (code, told["published"], told["ids"]) == (Exit.OK, 2, ["e1", "e2"])
    [(kind, body), _] = ledger_of(outbox)
    assert kind == "obligation.satisfied.v1"
    assert json.loads(body)["data"]["source_ref"] == "fees/2026/000417"


def test_one_fault_stops_all_and_every_fault_is_told_with_its_line(
    ledger_of: OnLedger, duly: Duly, tmp_path: Path
) -> None:
    bad = {**PAID, "id": "e3", "data": {"source_ref": "x", "kind": "poem", "more": 1}}
    file = lines(tmp_path / "events.jsonl", PAID, "{", bad, {**PAID, "type": "no.such.v1"}, "[]")
    code, [told], _ = duly("publish", file)
    assert (code, told["published"]) == (Exit.USAGE, 0)
    assert [fault["line"] for fault in told["faults"]] == [2, 3, 3, 4, 5]
    assert ledger_of(outbox) == []
    code, [told], _ = duly("publish", file, "--keep-going")
    assert (code, told["published"]) == (Exit.NO, 1)
    assert len(ledger_of(outbox)) == 1


def test_an_id_that_stands_twice_is_a_fault(ledger_of: OnLedger, duly: Duly, tmp_path: Path) -> None:
    code, [told], _ = duly("publish", lines(tmp_path / "events.jsonl", PAID, {**PAID, "id": "e2"}, PAID))
    assert (code, [fault["line"] for fault in told["faults"]]) == (Exit.USAGE, [1, 3])
    assert ledger_of(outbox) == []


def test_events_come_from_standard_input_too(ledger_of: OnLedger, duly: Duly, monkeypatch: pytest.MonkeyPatch) -> None:
    event = {name: value for name, value in PAID.items() if name not in {"id", "source"}}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(event).encode())))
    assert duly("publish", "-", "--source", "fees")[1][0]["published"] == 1
    [(_, body)] = ledger_of(outbox)
    assert json.loads(body)["source"] == "fees"


def test_broker_that_is_away_is_told(duly: Duly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_BROKER_URL", "amqp://fees:canary@127.0.0.1:1/none")
    file = lines(tmp_path / "events.jsonl", PAID)
    code, _, err = duly("publish", file, "--give-up-after", "0.2")
    assert (code, "nothing was published" in err, "canary" in err) == (Exit.UNREACHABLE, True, False)


def test_broker_confirms_every_event_and_doctor_sees_its_queues(
    ledger_of: OnLedger, duly: Duly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rabbit_node: RabbitNode
) -> None:
    rabbit_node.delete_all_queues()  # others share the node
    monkeypatch.setenv("DULY_BROKER_URL", rabbit_node.url)
    file = lines(tmp_path / "events.jsonl", *({**PAID, "id": f"e{number}"} for number in range(3)))
    found = {check["check"]: check for check in duly("doctor")[1]}
    assert (found["broker"]["verdict"], found["queues"]["verdict"]) == ("ok", "note")
    code, _, err = duly("publish", file, "--give-up-after", "0.5")  # no queue takes them yet
    assert (code, "0 of 3" in err) == (Exit.UNREACHABLE, True)
    asyncio.run(declared(rabbit_node.url))
    code, [told], _ = duly("publish", file)
    assert (code, told["published"]) == (Exit.OK, 3)
    assert rabbit_node.queue_depth("duly.intake") == 3
    assert ledger_of(outbox) == []
    assert {check["check"]: check for check in duly("doctor")[1]}["queues"]["verdict"] == "ok"


async def declared(url: str) -> None:
    broker = open_broker(url, topology_of_catalogue(), "test")
    await broker.connect()
    await broker.close()


def test_mail_is_stored_as_evidence_with_the_word_to_bounces(
    ledger_of: OnLedger, duly: Duly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ledger_of(lambda ledger: make(ledger, State.SERVED))
    monkeypatch.setenv("DULY_TOKEN_KEYS", f"k1:{KEY}")
    monkeypatch.setenv("DULY_BOUNCE_DOMAIN", "bounces.example.org")
    monkeypatch.setenv("DULY_MAIL_FROM", "notices@authority.example")
    token = verp.token(made.attempt_id, Keyring({"k1": bytes.fromhex(KEY)}, "k1"))
    mail = tmp_path / "bounce.eml"
    mail.write_text(f"To: {verp.envelope_sender(token, 'bounces.example.org')}\n\nowner@business.example failed\n")
    code, [told], _ = duly("bounces", "ingest", mail)
    assert (code, told["attempt_id"], told["addresses"]) == (
        Exit.OK, str(made.attempt_id), ["owner@business.example"]
    )  # fmt: skip
    [evidence] = duly("notices", "show", made.notice_id)[1][0]["evidence"]
    assert (evidence["evidence_id"], evidence["door"], evidence["state"]) == (told["evidence_id"], "cli", "waiting")
    assert [kind for kind, _ in ledger_of(outbox)] == ["bounce.received.v1"]


def test_mail_that_is_not_there_stores_nothing(
    ledger_of: OnLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DULY_TOKEN_KEYS", f"k1:{KEY}")
    monkeypatch.setenv("DULY_BOUNCE_DOMAIN", "bounces.example.org")
    monkeypatch.setenv("DULY_MAIL_FROM", "notices@authority.example")
    empty = tmp_path / "empty.eml"
    empty.write_text("")
    assert run(["bounces", "ingest", str(empty)]) == Exit.USAGE
    assert run(["bounces", "ingest", str(tmp_path / "none.eml")]) == Exit.USAGE
    assert ledger_of(outbox) == []


def test_doctor_on_an_empty_environment_tells_of_the_embedded_default(
    duly: Duly, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DULY_DATABASE_URL", "DULY_BROKER_URL", "DULY_SMTP_URL", "DULY_TOKEN_KEYS", "DULY_MAIL_FROM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    code, checks, _ = duly("doctor")
    found = {check["check"]: check["found"] for check in checks}
    assert code == Exit.OK
    assert "embedded" in found["database"]
    assert "embedded" in found["broker"]
    assert not any(tmp_path.iterdir())  # it changes nothing


@pytest.mark.usefixtures("ledger_of")
def test_doctor_names_every_fault_and_no_secret(duly: Duly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_BROKER_URL", "amqp://user:canary@127.0.0.1:1/none")
    monkeypatch.setenv("DULY_SMTP_URL", "smtp://127.0.0.1:1")
    monkeypatch.setenv("DULY_TOKEN_KEYS", "k1:canary")
    monkeypatch.setenv("DULY_BATCH", "many")
    code, checks, _ = duly("doctor")
    bad = [check for check in checks if check["verdict"] == "bad"]
    told = json.dumps(checks)
    assert code == Exit.NO
    assert {"setting", "broker", "mail setting"} <= {check["check"] for check in bad}
    for name in ("DULY_BATCH", "DULY_TOKEN_KEYS", "DULY_MAIL_FROM", "DULY_BOUNCE_DOMAIN"):
        assert name in told
    assert "canary" not in told


@pytest.mark.usefixtures("ledger_of")
@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("DULY_CALLBACK_PORT", "0", "DULY_CALLBACK_PORT is set, and nobody may come"),
        (
            "DULY_INTAKE_ISSUER",
            "https://issuer.example/",
            "DULY_INTAKE_AUDIENCE is not set, and bearer tokens",
        ),
    ],
)
def test_doctor_finds_a_door_that_would_not_open(
    duly: Duly, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    code, checks, _ = duly("doctor")
    assert code == Exit.NO
    assert any(check["verdict"] == "bad" and check["found"].startswith(told) for check in checks)


def test_doctor_finds_a_database_without_schema_and_a_mail_system_that_is_away(
    postgres_server: PrivatePostgres, duly: Duly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DULY_DATABASE_URL", postgres_server.new_database())
    monkeypatch.delenv("DULY_BROKER_URL", raising=False)
    monkeypatch.setenv("DULY_SMTP_URL", "smtp://127.0.0.1:1")
    monkeypatch.setenv("DULY_TOKEN_KEYS", f"k1:{KEY}")
    monkeypatch.setenv("DULY_BOUNCE_DOMAIN", "bounces.example.org")
    monkeypatch.setenv("DULY_MAIL_FROM", "notices@authority.example")
    _, checks, _ = duly("doctor")
    found = {check["check"]: check for check in checks}
    assert found["schema"]["todo"] == "duly migrate"
    assert found["durability"]["verdict"] == "bad"  # the tests' server runs with fsync off
    assert (found["mail"]["verdict"], found["token keys"]["verdict"]) == ("bad", "ok")
