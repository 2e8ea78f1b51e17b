"""What every mailer must do, against two real SMTP servers: the sink and the built-in mailbox."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.kernel.adapters.mail.mailbox import Mailbox
from services.kernel.adapters.mail.smtp import SmtpMailer, SmtpSettings
from services.kernel.ports import Mail, Mailer, Phase
from tests.rig.smtp_sink import SinkProcess

HEAD = b"From: notices@duly.example\r\nTo: a@trader.example\r\nMessage-ID: <%b@duly.example>\r\nSubject: One\r\n\r\n"


class SinkWorld:
    """The sink as a mail system."""

    def __init__(self, folder: Path) -> None:
        self.sink = SinkProcess(folder, keep=True).start()
        self.port = self.sink.port
        self.sink.misbehave("rcpt", "550 5.1.1 no such user", match="nobody@*")
        self.sink.misbehave("rcpt", "451 4.3.0 later", match="busy@*")

    def taken(self) -> list[tuple[str, str, bytes]]:
        return [(m["sender"], m["recipient"], base64.b64decode(m["content"])) for m in self.sink.mails()]

    async def stop(self) -> None:
        self.sink.stop()


class MailboxWorld:
    """The built-in mailbox as a mail system."""

    def __init__(self, folder: Path) -> None:
        rules = {"nobody@*": "refuse", "busy@*": "tempfail"}
        self.mailbox = Mailbox("127.0.0.1", 0, folder, rules, on_report=self.refuse_reports)

    async def refuse_reports(self, raw: bytes, recipient: str) -> None:
        raise AssertionError(f"no report was due, but {recipient} got {raw!r}")

    async def start(self) -> None:
        await self.mailbox.start()
        self.port = self.mailbox.port

    def taken(self) -> list[tuple[str, str, bytes]]:
        return [(m.envelope_sender, m.recipient, m.content) for m in self.mailbox.list()]

    async def stop(self) -> None:
        await self.mailbox.stop()


@dataclass
class World:
    system: SinkWorld | MailboxWorld
    mailer: Mailer


@pytest.fixture(params=["sink", "mailbox"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    system: SinkWorld | MailboxWorld
    if request.param == "sink":
        system = SinkWorld(tmp_path)
    else:
        system = MailboxWorld(tmp_path)
        await system.start()
    mailer = SmtpMailer(SmtpSettings.from_url(f"smtp://127.0.0.1:{system.port}", connections=10))
    yield World(system, mailer)
    await mailer.close()
    await system.stop()


def mail(
    recipient: str = "a@trader.example", body: bytes = b"Something waits.\r\n", number: UUID | None = None
) -> Mail:
    attempt = number or uuid4()
    return Mail(attempt, f"n-{attempt.hex}@bounces.example", recipient, HEAD % attempt.hex.encode() + body)


async def test_an_accepted_mail_arrives_whole_with_its_envelope(world: World) -> None:
    sent = mail()
    reply = await world.mailer.send(sent)
    assert (reply.phase, reply.code, reply.enhanced[:1]) == (Phase.DONE, 250, "2")
    assert world.system.taken() == [(sent.envelope_sender, "a@trader.example", sent.content)]


@pytest.mark.parametrize(("recipient", "code", "enhanced"), [("nobody", 550, "5.1.1"), ("busy", 451, "4.3.0")])
async def test_a_refusal_at_rcpt_is_told_with_code_and_status(
    world: World, recipient: str, code: int, enhanced: str
) -> None:
    reply = await world.mailer.send(mail(f"{recipient}@trader.example"))
    assert (reply.phase, reply.code, reply.enhanced) == (Phase.RCPT, code, enhanced)
    assert world.system.taken() == []


async def test_after_a_refusal_the_next_mail_goes_out(world: World) -> None:
    refused = await world.mailer.send(mail("nobody@trader.example"))
    taken = await world.mailer.send(mail())
    assert (refused.phase, taken.phase) == (Phase.RCPT, Phase.DONE)
    assert len(world.system.taken()) == 1


@pytest.mark.parametrize(
    "body",
    [
        b".\r\n",
        b"..\r\n.\r\n.leading\r\n",
        b"text\r\n.\r\nQUIT\r\n",
        b"\r\n\r\n.\r\n\r\n",
        b"a line\r\n" * 5000,
        b"x" * 900 + b"\r\n",
    ],
)
async def test_dots_and_long_contents_arrive_as_they_were(world: World, body: bytes) -> None:
    sent = mail(body=body)
    reply = await world.mailer.send(sent)
    assert reply.phase is Phase.DONE
    assert [content for _, _, content in world.system.taken()] == [sent.content]


async def test_two_hundred_mails_at_once_are_each_taken_once(world: World) -> None:
    mails = [mail(f"u{number}@d{number % 20}.example") for number in range(200)]
    replies = await asyncio.gather(*map(world.mailer.send, mails))
    assert {reply.phase for reply in replies} == {Phase.DONE}
    assert sorted(sender for sender, _, _ in world.system.taken()) == sorted(sent.envelope_sender for sent in mails)


@pytest.mark.parametrize(
    "unfit",
    [
        Mail(uuid4(), "a@b.example", "c@d.example>\r\nRCPT TO:<e@f.example", b"x\r\n"),
        Mail(uuid4(), "a b@b.example", "c@d.example", b"x\r\n"),
        Mail(uuid4(), "a@b.example", "ü@d.example", b"x\r\n"),
        Mail(uuid4(), "a@b.example", "c@d.example", "ü\r\n".encode()),
        Mail(uuid4(), "a@b.example", "c@d.example", b"x\n.\nMAIL FROM:<evil@x.example>\r\n"),
        Mail(uuid4(), "a@b.example", "c@d.example", b"x\r.\r\r\n"),
    ],
)
async def test_what_could_smuggle_a_command_never_reaches_the_wire(world: World, unfit: Mail) -> None:
    with pytest.raises(ValueError, match="must"):
        await world.mailer.send(unfit)
    assert (await world.mailer.send(mail())).phase is Phase.DONE
    assert len(world.system.taken()) == 1
