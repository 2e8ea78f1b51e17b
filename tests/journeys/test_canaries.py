"""Canaries in every kind of content and every secret, through every worker, door, page and command at level debug.

None of them may be found in a log line, in `/metrics`, or in what a command says unasked. A canary is a mark that
stands for what it is planted in; secrets that others make (codes, cookies, tokens) are taken down as they come.
"""

from __future__ import annotations

import json
import re
import smtplib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio

from services.kernel.adapters.parts import LIBRARY
from services.kernel.ports import Outgoing
from tests.journeys.test_bad_input import Stream, wire
from tests.rig.callbacks import GENERIC_KEY, generic
from tests.rig.inbox import PDF, Reader
from tests.rig.oidc import OidcProvider
from tests.rig.postgres import PrivatePostgres
from tests.rig.rabbitmq import RabbitNode, free_port
from tests.rig.smtp_sink import SinkProcess
from tests.rig.system import CHECKOUT, Process, System, fee_outstanding, information_request, until
from tests.rig.webhook_receiver import receiving

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARK = "canaryq7"
API_KEY = f"duly_fees_{MARK}{'k' * 35}"
WEBHOOK_KEY = "ca9a2e" * 12
DOORS = ("intake", "callbacks", "inbox", "console", "webhooks")


def planted(kind: str) -> str:
    """A canary of this kind: one word, so that no escaping hides it."""
    return f"{MARK}{kind}"


@dataclass
class House:
    """Every worker and door as a process, and the secrets that came up on the way."""

    system: System
    ports: dict[str, int]
    sink: SinkProcess
    provider: OidcProvider
    secrets: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    clients: list[httpx2.AsyncClient] = field(default_factory=list)

    def url(self, door: str) -> str:
        return f"http://127.0.0.1:{self.ports[door]}"

    async def signed_in(self, door: str, subject: str) -> Reader:
        """Somebody who came in through the provider; code, state, cookie and tokens are secrets from now on."""
        reader = Reader(httpx2.AsyncClient(base_url=self.url(door), timeout=30))
        self.clients.append(reader.client)
        await reader.get("/sign-in")
        begun = await reader.post("/sign-in")
        async with httpx2.AsyncClient() as browser:
            answer = await browser.post(begun.headers["location"], data={"sub": subject})
        back = urlsplit(answer.headers["location"])
        for name, (value,) in parse_qs(back.query).items():
            self.secrets[f"{door} {name}"] = value
        assert (await reader.get(f"{back.path}?{back.query}")).status_code == 303
        for name, value in reader.client.cookies.items():
            self.secrets[f"{door} cookie {name}"] = value
        await reader.get("/notices")
        self.secrets[f"{door} form token"] = reader.csrf
        for number, token in enumerate(
            await self.system.fetch("SELECT id_token FROM web_session WHERE id_token <> ''")
        ):
            self.secrets[f"{door} id token {number}"] = token["id_token"]
        return reader

    def command(self, *arguments: str) -> str:
        """Run one command; all that it says is kept."""
        told = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments], cwd=CHECKOUT, env=self.system.environment(),
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        self.said.append(f"$ duly {' '.join(arguments[:2])}\n{told.stdout}\n{told.stderr}")
        return told.stdout


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SinkProcess]:
    process = SinkProcess(tmp_path_factory.mktemp("sink"), keep=True, user=f"duly:{planted('smtppassword')}").start()
    yield process
    process.stop()


def keyed_library(folder: Path) -> Path:
    """The library that comes with Duly, with a key for `fees`, and six days in place of six years."""
    subprocess.run(["cp", "-r", str(LIBRARY), str(folder)], check=True)
    sources = folder / "sources.yaml"
    key = f"\n    api_keys: [{{id: fees, sha256: {sha256(API_KEY.encode()).hexdigest()}}}]"
    sources.write_text(sources.read_text().replace("    amqp_users: [fees]", "    amqp_users: [fees]" + key))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    postgres_server: PrivatePostgres,
    trial_template: str,
    rabbit_node: RabbitNode,
    sink: SinkProcess,
    oidc_provider: OidcProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[House]:
    rabbit_node.delete_all_queues()
    database = postgres_server.new_database(template=trial_template)
    database = database.replace("@/", f":{planted('databasepassword')}@/", 1)
    assert MARK in database
    folder = tmp_path_factory.mktemp("canaries")
    mail = f"smtp://duly:{planted('smtppassword')}@127.0.0.1:{sink.port}"
    system = System(database, rabbit_node.url, mail, folder)
    ports = {door: free_port() for door in (*DOORS, "mail")}
    clients = {door: oidc_provider.client(f"http://127.0.0.1:{ports[door]}/signed-in") for door in ("inbox", "console")}
    system.settings |= {
        "DULY_LOG_LEVEL": "debug", "DULY_UNKNOWN_NOTICE_PATIENCE": "1", "DULY_ERASE_EVERY": "1",
        "DULY_LIBRARY": str(keyed_library(folder / "library")), "DULY_INTAKE_PORT": str(ports["intake"]),
        "DULY_CALLBACK_PORT": str(ports["callbacks"]), "DULY_CALLBACK_KEYS": f"relay:{GENERIC_KEY.hex()}",
        "DULY_BOUNCE_SMTP_PORT": str(ports["mail"]), "DULY_INBOX_PORT": str(ports["inbox"]),
        "DULY_CONSOLE_PORT": str(ports["console"]), "DULY_OIDC_ISSUER": oidc_provider.issuer,
        "DULY_OIDC_CLIENT_ID": clients["inbox"].client_id, "DULY_OIDC_CLIENT_SECRET": clients["inbox"].secret,
        "DULY_CONSOLE_OIDC_ISSUER": oidc_provider.issuer, "DULY_CONSOLE_OIDC_CLIENT_ID": clients["console"].client_id,
        "DULY_CONSOLE_OIDC_CLIENT_SECRET": clients["console"].secret, "DULY_WEBHOOK_KEYS": f"fees:{WEBHOOK_KEY}",
        "DULY_WEBHOOK_PRIVATE": "yes",
    }  # fmt: skip
    house = House(system, ports, sink, oidc_provider)
    house.secrets |= {
        "api key": API_KEY, "webhook key": WEBHOOK_KEY, "callback key": GENERIC_KEY.hex(),
        **{f"{door} client secret": client.secret for door, client in clients.items()},
    }  # fmt: skip
    try:
        await system.start("intake", "renderer", "notifier", "bounces", "responses", "deadlines", "sanctions", "relay",
                           "callbacks", "inbox", "console", "webhooks")  # fmt: skip
        yield house
    finally:
        for client in house.clients:
            await client.aclose()
        system.stop()


def request(ref: str) -> dict[str, Any]:
    """A request with a canary in whatever is content."""
    event = information_request(
        ref, address=f"{planted('address')}.{ref}@business.example", requested_by=planted("name")
    )
    event["data"]["values"] = {"business_name": planted("value"), "case_reference": planted("reference")}
    return event


async def test_no_canary_sings(house: House) -> None:
    """One long day; the judgement is at its end."""
    await by_broker(house)
    await by_http(house)
    await by_mail_and_callback(house)
    await in_the_inbox(house)
    await in_the_console(house)
    await by_webhook(house)
    await by_poison(house)
    await by_refused_parts(house)
    await erased(house)
    commands(house)
    await judge(house)


async def by_broker(house: House) -> None:
    """Requests sound and broken, headers with secrets, evidence that cannot be read."""
    stream = Stream()
    stream.put(wire(request("q-served")))
    broken = request("q-refused")
    broken["data"]["values"][planted("surplus")] = planted("value") * 40
    stream.put(wire(broken))
    stream.put(b'{"specversion": "1.0", "data": "' + planted("undecodable").encode() + b'" ')
    stream.messages.append(
        Outgoing(99, "obligation.satisfied.v1", planted("factbody").encode(), "application/cloudevents+json",
                 {"authorization": planted("headersecret")}, mandatory=True)
    )  # fmt: skip
    await stream.flow(house.system.broker)
    await house.system.until_state("q-served", "served")
    await house.system.until("SELECT count(*) > 0 FROM failed_item WHERE state = 'dead'", True)


async def by_http(house: House) -> None:
    """The door for upstreams: right and wrong keys, a body that is none, faults that would be quoted."""
    async with httpx2.AsyncClient(base_url=house.url("intake"), timeout=30) as client:
        for key in (API_KEY, planted("wrongkey")):
            sent = {"authorization": f"Bearer {key}", "content-type": "application/cloudevents+json"}
            whole = {"specversion": "1.0", "id": f"h-{uuid4()}", **fee_outstanding("q-http")}
            whole["data"]["address"] = f"{planted('address')}@business.example"
            whole["data"]["values"]["business_name"] = planted("value")
            for body in (json.dumps(whole).encode(), b"{" + planted("body").encode(), planted("body").encode() * 9):
                await client.post("/v1/events", content=body, headers=sent)
            await client.get(f"/v1/notices?source_ref={planted('query')}", headers=sent)
            await client.get(f"/{planted('path')}", headers=sent)
    await house.system.until_state("q-http", "served")


async def by_mail_and_callback(house: House) -> None:
    """A refusal and a report of the mail system, callbacks genuine and forged."""
    house.sink.misbehave("rcpt", f"550 5.1.1 {planted('smtpreply')} unknown", match=f"{planted('address')}.q-bounced@*")
    await house.system.publish(request("q-bounced"))
    await house.system.until_state("q-bounced", "unserved")
    head = f"From: {planted('sender')}@there.example\nSubject: {planted('subject')}\nX-Secret: {planted('header')}\n\n"
    with smtplib.SMTP("127.0.0.1", house.ports["mail"], timeout=20) as mail:
        to = house.sink.mails()[0]["sender"]  # where a report of this alert goes
        mail.sendmail(f"{planted('sender')}@there.example", [to], head + planted("mailbody"))
        with suppress(smtplib.SMTPException):
            mail.sendmail(f"{planted('sender')}@there.example", [f"{planted('stranger')}@there.example"], head)
    async with httpx2.AsyncClient(base_url=house.url("callbacks"), timeout=30) as client:
        told = {"id": planted("callbackid"), "type": "bounce", "detail": planted("callbackbody"),
                "recipient": f"{planted('address')}.q-served@business.example"}  # fmt: skip
        for body, headers in (generic(told), generic(told, key=b"x" * 32), generic([told, told])):
            await client.post("/callbacks/generic/relay", content=body, headers=headers)
        await client.post(f"/callbacks/{planted('provider')}", content=planted("callbackbody").encode())
    await house.system.until("SELECT count(*) > 1 FROM raw_evidence WHERE door IN ('mail', 'callback')", True)


async def in_the_inbox(house: House) -> None:
    """A reader signs in, reads, and answers with words and a file."""
    house.provider.person(planted("subject"), name=planted("person"), businesses=["B-q-served"])
    reader = await house.signed_in("inbox", planted("subject"))
    notice_id = await house.system.value("SELECT notice_id FROM notice WHERE source_ref = 'q-served'")
    assert planted("value") in (await reader.get(f"/notices/{notice_id}")).text
    await reader.get(f"/notices/{notice_id}/answer")
    given = await reader.answer(notice_id, "dispute", planted("answer"), {f"{planted('filename')}.pdf": PDF})
    assert given.status_code == 303, given.text
    await reader.answer(notice_id, "answer", planted("answer"), {f"{planted('filename')}.exe": PDF})
    await reader.get(f"/{planted('path')}?{planted('query')}=1")
    link = await reader.get(
        f"/notices/{notice_id}/files/{await house.system.value('SELECT upload_id FROM upload WHERE size IS NOT NULL')}"
    )
    async with httpx2.AsyncClient() as browser:
        assert (await browser.get(link.headers["location"])).status_code == 200
    house.secrets["signature of a download"] = parse_qs(urlsplit(link.headers["location"]).query)["signature"][0]
    await house.system.until("SELECT count(*) FROM hold WHERE notice_id = $1", 1, notice_id)


async def in_the_console(house: House) -> None:
    """Those who work here look, search, write notes and decide."""
    roles = ["operator", "caseworker", "decision_maker", "admin"]
    house.provider.person("officer", name=planted("officer"), roles=roles)
    reader = await house.signed_in("console", "officer")
    notice_id = await house.system.value("SELECT notice_id FROM notice WHERE source_ref = 'q-served'")
    failed_id = await house.system.value("SELECT failed_id FROM failed_item WHERE state = 'dead' LIMIT 1")
    for path in (
        "/overview", "/notices", f"/notices/{notice_id}", f"/notices/{notice_id}/words", "/dead-letters",
        f"/dead-letters/{failed_id}", f"/search?q={planted('search')}", "/retention", "/audit", "/evidence", "/holds",
        f"/{planted('path')}",
    ):  # fmt: skip
        await reader.get(path)
    await reader.post(f"/dead-letters/{failed_id}/note", text=planted("note"), note=planted("note"))
    edit = {"body": planted("edit"), "whole": "yes", "raw": "yes", "reason": planted("reason")}
    await reader.post(f"/dead-letters/{failed_id}/edit", **edit)
    await reader.post("/retention/holds", on="notice", named="q-served", reason=planted("reason"))
    await house.system.until("SELECT count(*) FROM legal_hold", 1)


async def by_webhook(house: House) -> None:
    """An upstream that answers with words of its own, and one whose address has a secret in it."""
    answer = f"HTTP/1.1 500 {planted('status')}\r\nX-A: {planted('header')}\r\nContent-Length: 8\r\n\r\n{MARK}"
    async with receiving(answers=[answer, answer]) as receiver:
        house.command("webhooks", "add", "fees", f"{receiver.url}?token={planted('urltoken')}")
        await house.system.publish(fee_outstanding("q-hooked"))
        await receiver.until(1, 20)
    await house.system.until("SELECT count(*) > 0 FROM failed_item WHERE worker = 'webhooks'", True)


async def by_poison(house: House) -> None:
    """The database refuses a row, and quotes the whole of it in its error; the worker fails with that error."""
    rule = f"CHECK (request::text NOT LIKE '%{planted('poison')}%')"
    async with house.system.sql() as connection:
        await connection.execute(f"ALTER TABLE notice_content ADD CONSTRAINT poison {rule}")
    poison = request("q-poison")
    poison["data"]["values"]["business_name"] = planted("poison")
    await house.system.publish(poison)
    await house.system.until("SELECT count(*) > 0 FROM failed_item WHERE worker = 'renderer' AND state = 'retry'", True)
    async with house.system.sql() as connection:
        await connection.execute("ALTER TABLE notice_content DROP CONSTRAINT poison")
    await house.system.until_state("q-poison", "served", 60)


async def by_refused_parts(house: House) -> None:
    """Workers whose broker, database or settings are not as they should be; their addresses have passwords."""
    password = planted("password")
    for settings in (
        {"DULY_BROKER_URL": f"amqp://duly:{password}@127.0.0.1:1/"},
        {"DULY_DATABASE_URL": f"postgresql://duly:{password}@127.0.0.1:1/duly"},
        {"DULY_SMTP_URL": f"ftp://duly:{password}@127.0.0.1"}, {"DULY_TOKEN_KEYS": f"k1:{password}"},
        {"DULY_DATABASE_URL": f"mysql://duly:{password}@nowhere"},
    ):  # fmt: skip
        process = house.system.spawn("notifier", **settings)
        await until(lambda process=process: spoke(process), 30)  # type: ignore[misc]
        process.popen.terminate()


async def spoke(process: Process) -> bool:
    return bool(process.log.read_text().strip())


async def erased(house: House) -> None:
    """What holds erasing is cleared; years later content is erased."""
    open_evidence = "SELECT evidence_id FROM raw_evidence WHERE state IN ('waiting', 'parked', 'dead')"
    async with house.system.sql() as connection:
        for row in await connection.fetch(open_evidence):
            house.command("evidence", "clear", str(row["evidence_id"]), "--reason", planted("reason"), "--by", "O. N.")
    for ref in ("q-bounced",):
        await house.system.until(
            "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND notice_id = (SELECT notice_id FROM notice "
            "WHERE source_ref = $1)", 0, ref,
        )  # fmt: skip
    await house.system.advance(days=7 * 366)
    query = "SELECT c.erased_at IS NOT NULL FROM notice_content c JOIN notice USING (notice_id) WHERE source_ref = $1"
    await house.system.until(query, True, "q-bounced", seconds=60)


def commands(house: House) -> None:
    """What officers list and look at; none of it asks for words, answers, bodies or secrets."""
    notice, dead = "q-served", "dead-letters"
    for arguments in (
        ("notices", "list"), ("notices", "list", "--json"), ("notices", "verify", "--all"), ("holds", "list"),
        ("evidence", "list"), ("evidence", "list", "--json"), (dead, "list"), ("sanctions", "list"),
        ("webhooks", "list"),
        ("retention", "list"), ("subject", "show", "B-q-served"), ("doctor",), ("sending", "show"),
        ("retention", "erase", notice, "--dry-run"), ("notices", "show", "no-such-notice"),
    ):  # fmt: skip
        house.command(*arguments)


UNASKED = ("value", "answer", "filename", "mailbody", "callbackbody", "body", "undecodable", "factbody", "headersecret",
           "header", "poison", "edit", "note", "urltoken", "password", "databasepassword", "smtppassword", "surplus",
           "wrongkey")  # fmt: skip
"""What no list or verdict of a command shows: words, answers, bodies, secrets. Names, addresses and replies of the mail
system are what some of them are asked for."""


async def judge(house: House) -> None:
    """Every process ends in good order; then everything that any of them said is read."""
    metrics: dict[str, str] = {}
    async with httpx2.AsyncClient(timeout=20) as client:
        for process in house.system.processes:
            if process.popen.poll() is None and (port := process.port()):
                for path in ("/metrics", "/readyz", "/healthz"):
                    metrics[f"{process.worker} {path}"] = (await client.get(f"http://127.0.0.1:{port}{path}")).text
    assert {name.split()[0] for name in metrics} >= {"relay", "inbox", "console", "intake", "callbacks", "webhooks"}
    house.system.stop()
    logs = {process.log.name: process.log.read_text() for process in house.system.processes}
    assert all(logs.values())
    found = [f"{where}: {line}" for where, text in {**logs, **metrics}.items() for line in sung(house, text)]
    assert found == []
    words = re.compile("|".join(planted(kind) for kind in UNASKED))
    secrets = house.secrets.values()
    said = [line for text in house.said for line in text.splitlines()]
    assert [line for line in said if words.search(line) or any(secret in line for secret in secrets)] == []


def sung(house: House, text: str) -> list[str]:
    """The lines with a canary or a secret in them."""
    lines = text.splitlines()
    heard = [line for line in lines if MARK in line.lower()]
    return heard + [f"{name}: {line}" for name, secret in house.secrets.items() for line in lines if secret in line]
