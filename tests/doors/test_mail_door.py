"""The mail door over real sockets and a real database: what is taken, how the rest is refused, what is kept."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
import structlog
from asyncpg import Record

from services.callbacks.mail import Cutting, Listener, MailDoor
from services.callbacks.mail_dialogue import MOST_RECIPIENTS, Dialogue, LmtpDialogue
from services.kernel.adapters.broker import open_broker
from services.kernel.adapters.broker.catalogue import topology_of_catalogue
from services.kernel.adapters.ids import SystemIds
from services.kernel.adapters.postgres.ledger import PostgresLedger
from services.kernel.domain import verp
from services.kernel.domain.verp import Keyring
from services.kernel.runtime.door import EvidenceDoor
from services.kernel.runtime.logging import configure
from tests.rig.postgres import PrivatePostgres

pytestmark = pytest.mark.asyncio(loop_scope="module")
IDS = SystemIds()
KEYS = Keyring({"k1": b"0123456789abcdef"}, "k1")
DOMAIN = "bounces.example.org"
MOST_BYTES = 300_000
REPORT = b"From: MAILER-DAEMON@mx.example.net\r\nSubject: Undelivered\r\n\r\nno such user\r\n"
NOWHERE = "postgresql://duly@127.0.0.1:1/duly"


SAME = verp.envelope_sender(verp.token(UUID(int=7), KEYS), DOMAIN)
"""For the names of tests, which must not change from one process to another."""


def token() -> str:
    return verp.envelope_sender(verp.token(uuid4(), KEYS), DOMAIN)


class Client:
    """A mail system that says exactly what it is told to say."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> str:
        """One reply, its lines joined; empty when the connection was closed."""
        lines: list[str] = []
        async with asyncio.timeout(20):
            while (line := (await self.reader.readline()).decode()) and line[3:4] == "-":
                lines.append(line.strip())
        return "\n".join([*lines, line.strip()])

    async def say(self, line: str | bytes) -> str:
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return await self.reply()

    async def begin(self, *recipients: str) -> list[str]:
        """Up to the recipients' replies."""
        await self.say("MAIL FROM:<>")
        return [await self.say(f"RCPT TO:<{each}>") for each in recipients]

    async def send(self, raw: bytes, *recipients: str, replies: int = 1) -> list[str]:
        """A whole mail; the last replies."""
        await self.begin(*recipients)
        assert (await self.say("DATA")).startswith("354")
        stuffed = b"\r\n".join(b"." + line if line[:1] == b"." else line for line in raw.split(b"\r\n"))
        self.writer.write(stuffed + (b"" if raw.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return [await self.reply() for _ in range(replies)]


class House:
    """An open door, its database, and clients that come to it."""

    def __init__(self, ledger: PostgresLedger, ports: dict[str, int], stopping: asyncio.Event) -> None:
        self.ledger, self.ports, self.stopping = ledger, ports, stopping
        self.since = IDS.uuid7()
        self._clients: list[Client] = []

    async def client(self, kind: str = "smtp") -> Client:
        client = await self.caller(kind)
        assert (await client.reply()).startswith("220")
        assert (await client.say("LHLO mx.example.net" if kind == "lmtp" else "EHLO mx.example.net")).startswith("250")
        return client

    async def caller(self, kind: str = "smtp") -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.ports[kind]))
        self._clients.append(client)
        return client

    async def stored(self) -> list[bytes]:
        return [row["body"] for row in await self.rows()]

    async def rows(self) -> list[Record]:
        query = "SELECT * FROM raw_evidence WHERE evidence_id > $1 ORDER BY evidence_id"
        found: list[Record] = await self.ledger.pool.fetch(query, self.since)
        return found

    def close(self) -> None:
        self.stopping.set()
        for client in self._clients:
            client.writer.close()


Open = Callable[..., Awaitable[House]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_house(postgres_server: PrivatePostgres, migrated_template: str) -> AsyncIterator[Open]:
    """Opens doors on one database; ends them all."""
    database = postgres_server.new_database("mail_door", template=migrated_template)
    ends: list[tuple[House, asyncio.Task[None], PostgresLedger]] = []

    async def opened(dsn: str = database, **settings: int) -> House:
        ledger = await PostgresLedger.open(dsn, IDS, name="test", most=2)
        broker = open_broker("memory://", topology_of_catalogue(), "test")
        ports: dict[str, int] = {}
        both = asyncio.Event()

        def listening(name: str, port: int) -> None:
            ports[name] = port
            if len(ports) > 1:
                both.set()

        door = MailDoor(
            [Listener("lmtp", 0, "L", LmtpDialogue), Listener("smtp", 0, "S", Dialogue)],
            ledger,
            EvidenceDoor(ledger, broker, IDS, "bounce.received.v1"),
            Cutting(IDS, KEYS, DOMAIN),
            host="127.0.0.1",
            listening=listening,
            **{"most_bytes": MOST_BYTES, **settings},
        )
        house = House(ledger, ports, asyncio.Event())
        ends.append((house, asyncio.create_task(door.run(house.stopping)), ledger))
        async with asyncio.timeout(20):
            await both.wait()
        return house

    yield opened
    for house, running, ledger in ends:
        house.close()
        async with asyncio.timeout(20):
            await running
        await ledger.close()
    postgres_server.drop_database("mail_door")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house(open_house: Open) -> House:
    return await open_house()


@pytest.fixture
def house(one_house: House) -> House:
    """The one that stays open, as if nothing had been stored yet."""
    one_house.since = IDS.uuid7()
    return one_house


@pytest.mark.parametrize("kind", ["smtp", "lmtp"])
async def test_report_is_stored_as_it_came_with_its_recipient_and_announced_before_the_answer(
    house: House, kind: str
) -> None:
    attempt = uuid4()
    recipient = verp.envelope_sender(verp.token(attempt, KEYS), DOMAIN)
    client = await house.client(kind)
    assert await client.send(REPORT, recipient) == ["250 2.6.0 stored"]
    (row,) = await house.rows()
    assert (row["door"], row["type"], row["attempt_id"], row["state"]) == ("mail", "mail.received", attempt, "waiting")
    assert (row["body"], json.loads(row["headers"])) == (REPORT, {"recipient": recipient})
    told = await house.ledger.pool.fetchval("SELECT body FROM outbox ORDER BY outbox_id DESC LIMIT 1")
    assert json.loads(told)["data"]["evidence"] == [str(row["evidence_id"])]


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [
        (SAME, "250 2.1.5"),
        (SAME.upper(), "250 2.1.5"),
        ("n-" + "a" * 50 + f"@{DOMAIN}", "250 2.1.5"),
        (f"postmaster@{DOMAIN}", "250 2.1.5"),
        ("Postmaster", "250 2.1.5"),
        (f"nobody@{DOMAIN}", "550 5.1.1"),
        (f"n-short@{DOMAIN}", "550 5.1.1"),
        (f"x{SAME}", "550 5.1.1"),
        (f"ärger@{DOMAIN}", "550 5.1.1"),
        ("someone@elsewhere.example", "550 5.7.1"),
        (SAME.replace(DOMAIN, "bounces.example.org.elsewhere.example"), "550 5.7.1"),
        (f"someone%elsewhere.example@{DOMAIN}", "550 5.1.1"),
        ("someone", "550 5.7.1"),
    ],
)
async def test_only_what_may_be_a_token_of_ours_and_the_postmaster_are_recipients(
    house: House, recipient: str, reply: str
) -> None:
    client = await house.client()
    (answered,) = await client.begin(recipient)
    assert answered.startswith(reply)


@pytest.mark.parametrize(
    "raw",
    [
        b"no header\r\n",
        b".one\r\n..two\r\n...\r\n.\tthree\r\n",
        b"bare\rreturn and bare\nline\n.\nend\r\n\n.\r\r\n",
        b"\x00\xff\xfe\r\n\x80\x81 \r\n",
        b"x" * 200_000 + b"\r\nlong line\r\n",
        b"." + b"y" * 70_000 + b"\r\n",
        b"z" * 65_535 + b"\r\n" + b"z" * 65_536 + b"\r\n.\x00" + b"z" * 65_533 + b"\r\n",
        b"\r\n\r\n",
    ],
)
async def test_any_bytes_are_stored_exactly_as_they_came(house: House, raw: bytes) -> None:
    client = await house.client()
    assert await client.send(raw, token()) == ["250 2.6.0 stored"]
    assert await house.stored() == [raw]


async def test_an_empty_mail_is_taken_too(house: House) -> None:
    client = await house.client()
    await client.begin(token())
    await client.say("DATA")
    assert await client.say(".") == "250 2.6.0 stored"
    assert await house.stored() == [b""]


async def test_lmtp_answers_once_for_each_recipient_that_was_taken(house: House) -> None:
    client = await house.client("lmtp")
    recipients = [token(), "other@elsewhere.example", token()]
    assert await client.send(REPORT, *recipients, replies=2) == ["250 2.6.0 stored"] * 2
    assert await client.say("NOOP") == "250 2.0.0 OK"
    assert await house.stored() == [REPORT, REPORT]


@pytest.mark.parametrize(("kind", "replies"), [("smtp", 1), ("lmtp", 2)])
async def test_too_large_a_mail_is_refused_and_the_dialogue_goes_on(house: House, kind: str, replies: int) -> None:
    client = await house.client(kind)
    assert (await client.say(f"MAIL FROM:<> SIZE={MOST_BYTES + 1}")).startswith("552 5.3.4")
    large = b"a" * (MOST_BYTES - 1) + b"\r\n"
    for answered in await client.send(large, token(), token(), replies=replies):
        assert answered.startswith("552 5.3.4")
    assert await house.stored() == []
    assert await client.send(large[1:], token()) == ["250 2.6.0 stored"]


async def test_the_offer_names_size_and_extensions_but_no_sign_in(house: House) -> None:
    client = await house.caller()
    assert (await client.reply()).startswith(f"220 {DOMAIN}")
    offered = await client.say("EHLO mx.example.net")
    assert f"250-SIZE {MOST_BYTES}" in offered
    assert {"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"} <= {each[4:] for each in offered.split("\n")}
    assert "AUTH" not in offered
    assert "STARTTLS" not in offered
    assert (await client.say("AUTH PLAIN AGEAYg==")).startswith("502 5.5.1")


async def test_commands_may_be_pipelined_past_the_end_of_a_mail(house: House) -> None:
    client = await house.client("lmtp")
    lines = ["MAIL FROM:<> SMTPUTF8 BODY=8BITMIME", f"RCPT TO:<{token()}>", "DATA", "hello", ".", "QUIT"]
    said = [await client.say("\r\n".join(lines)), *[await client.reply() for _ in range(4)]]
    assert [each[:3] for each in said] == ["250", "250", "354", "250", "221"]
    assert await house.stored() == [b"hello\r\n"]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("DATA", "503 5.5."),
        ("RCPT TO:<a@b>", "503 5.5."),
        ("MAIL FROM", "501 5.5."),
        ("VRFY a@b", "252"),
        ("VRFY \udcff", "252"),
        ("\x00\x01", "500 5.5."),
        ("BDAT 5", "500 5.5."),
        (f"NOOP {'x' * 100_000}", "500 5.5."),
        ("MAIL FROM:<> BODY=BINARYMIME", "501 5.5."),
        ("MAIL FROM:<> SIZE=99999999999999999999", "250"),
        ("MAIL FROM:<ü@elsewhere.example> SMTPUTF8", "250"),
        ("STARTTLS", "454 4.5."),
        ("MAIL FROM:<", "553 5."),
        ("MAIL FROM:<a@", "553 5."),
        (f"MAIL FROM:<{'(' * 1_900}", "553 5."),
        ("VRFY <", "502 5.5."),
    ],
)
async def test_whatever_is_said_is_answered_with_an_enhanced_code_and_the_dialogue_goes_on(
    house: House, line: str, reply: str
) -> None:
    client = await house.client()
    answered = await client.say(line.encode("utf-8", "surrogateescape"))
    assert answered.startswith(reply)
    assert await client.say("RSET") == "250 2.0.0 OK"


async def test_recipients_are_limited(house: House) -> None:
    client = await house.client()
    answered = await client.begin(*(token() for _ in range(MOST_RECIPIENTS + 1)))
    assert answered[-1].startswith("452 4.5.3")
    assert all(each.startswith("250") for each in answered[:-1])


async def test_connections_are_limited_and_free_again_when_one_ends(open_house: Open) -> None:
    house = await open_house(most_connections=1)
    first = await house.client()
    assert (await (await house.caller()).reply()).startswith("421 4.3.2")
    await first.say("QUIT")
    assert await first.reply() == ""
    await house.client()


@pytest.mark.parametrize(("kind", "replies"), [("smtp", 1), ("lmtp", 2)])
async def test_without_its_database_a_mail_is_put_off_and_not_lost(open_house: Open, kind: str, replies: int) -> None:
    away, there = await open_house(NOWHERE), await open_house()
    client = await away.client(kind)
    recipients = [token(), token()]
    for answered in await client.send(REPORT, *recipients, replies=replies):
        assert answered.startswith("451 4.3.0")
    client = await there.client(kind)
    await client.send(REPORT, *recipients, replies=replies)
    assert await there.stored() == [REPORT, REPORT]


async def test_a_mail_that_is_cut_off_is_not_stored(house: House) -> None:
    client = await house.client()
    await client.begin(token())
    await client.say("DATA")
    client.writer.write(b"half a rep")
    client.writer.close()
    await client.writer.wait_closed()
    assert await (await house.client()).send(REPORT, token()) == ["250 2.6.0 stored"]
    assert await house.stored() == [REPORT]


async def test_a_door_that_closes_says_goodbye_but_ends_the_mail_in_hand(open_house: Open) -> None:
    house = await open_house()
    idle, busy = await house.client(), await house.client("lmtp")
    await busy.begin(token())
    await busy.say("DATA")
    busy.writer.write(b"first half\r\n")
    house.stopping.set()
    assert (await idle.reply()).startswith("421 4.3.2")
    assert await busy.say("second half\r\n.") == "250 2.6.0 stored"
    assert (await busy.reply()).startswith("421 4.3.2")
    assert await house.stored() == [b"first half\r\nsecond half\r\n"]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, also by libraries."""
    kept, level, before = logging.root.handlers[:], logging.root.level, structlog.get_config()
    stream = io.StringIO()
    configure("callbacks", "debug", stream)
    yield stream
    structlog.configure(**before)
    logging.root.handlers[:] = kept
    logging.root.setLevel(level)


async def test_nothing_of_the_mail_or_its_addresses_is_logged(house: House, log: io.StringIO) -> None:
    client = await house.client("lmtp")
    await client.say("CANARY secret words")
    await client.send(b"Subject: canary\r\n\r\ncanary\r\n", token(), "canary@elsewhere.example")
    await client.say("MAIL FROM:<canary@elsewhere.example> CANARY=1")
    told = log.getvalue()
    assert "mail.stored" in told
    assert "canary" not in told.lower()
    assert DOMAIN not in told
