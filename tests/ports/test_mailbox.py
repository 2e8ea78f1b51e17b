"""The built-in mailbox: keeps what it took over restarts, and sends back what its rules or a person say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import pytest

from services.kernel.adapters.mail.mailbox import Mailbox
from services.kernel.adapters.mail.rules import Treatment
from services.kernel.adapters.mail.smtp import SmtpMailer, SmtpSettings
from services.kernel.ports import Mail, Phase, SmtpReply

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SENDER = "n-token@bounces.example"


class Receiver:
    """Takes reports, after refusing the first few."""

    def __init__(self) -> None:
        self.refusals = 0
        self.reports: asyncio.Queue[tuple[EmailMessage, str]] = asyncio.Queue()

    async def __call__(self, raw: bytes, recipient: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("the receiver is away")
        message = message_from_bytes(raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        await self.reports.put((message, recipient))

    async def next(self) -> tuple[EmailMessage, str]:
        async with asyncio.timeout(5):
            return await self.reports.get()


Open = Callable[..., Awaitable[Mailbox]]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def opened(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Open]:
    made: list[Mailbox] = []

    async def open_(rules: Mapping[str, str] | Path | None = None) -> Mailbox:
        made.append(Mailbox("127.0.0.1", 0, tmp_path / "mail", rules or {}, on_report=receiver, now=lambda: NOON))
        await made[-1].start()
        return made[-1]

    yield open_
    for mailbox in made:
        await mailbox.stop()


async def send(mailbox: Mailbox, recipient: str = "a@trader.example", sender: str = SENDER) -> SmtpReply:
    mailer = SmtpMailer(SmtpSettings.from_url(f"smtp://127.0.0.1:{mailbox.port}"))
    content = b"Message-ID: <n1.a1@duly.example>\r\nSubject: A message\r\n is waiting\r\n\r\nbody\r\n"
    try:
        return await mailer.send(Mail(uuid4(), sender, recipient, content))
    finally:
        await mailer.close()


def delivery_status(message: EmailMessage) -> dict[str, str]:
    part = next(part for part in message.walk() if part.get_content_type() == "message/delivery-status")
    return dict(part.get_payload()[1].items())


async def test_what_was_taken_is_shown_and_survives_a_restart(opened: Open) -> None:
    first = await opened()
    await send(first, "a@trader.example")
    await first.stop()
    second = await opened()
    await send(second, "b@trader.example")
    mails = second.list()
    assert [(mail.recipient, mail.subject, mail.message_id) for mail in mails] == [
        ("a@trader.example", "A message is waiting", "<n1.a1@duly.example>"),
        ("b@trader.example", "A message is waiting", "<n1.a1@duly.example>"),
    ]
    assert second.read(mails[0].mail_id) == mails[0]
    assert mails[0].envelope_sender == SENDER


@pytest.mark.parametrize("unknown", ["0000000099", "../../etc/passwd", ""])
async def test_a_mail_that_is_not_there_is_a_key_error(opened: Open, unknown: str) -> None:
    mailbox = await opened()
    with pytest.raises(KeyError, match="no mail"):
        mailbox.read(unknown)


async def test_a_bounce_rule_accepts_and_then_reports_failure_to_the_envelope_sender(
    opened: Open, receiver: Receiver
) -> None:
    mailbox = await opened({"trader.example": "bounce 550 5.2.2 mailbox full"})
    assert (await send(mailbox)).phase is Phase.DONE
    message, recipient = await receiver.next()
    status = delivery_status(message)
    assert recipient == SENDER
    assert message["To"].addresses[0].addr_spec == SENDER
    assert message["Date"].datetime == NOON
    assert (status["Action"], status["Status"]) == ("failed", "5.2.2")
    assert status["Final-Recipient"] == "rfc822;a@trader.example"
    assert status["Diagnostic-Code"] == "smtp; 550 5.2.2 mailbox full"
    assert "<n1.a1@duly.example>" in message.as_string()


async def test_reports_come_on_demand_too(opened: Open, receiver: Receiver) -> None:
    mailbox = await opened()
    await send(mailbox)
    mail_id = mailbox.list()[0].mail_id
    mailbox.delay(mail_id)
    assert delivery_status((await receiver.next())[0])["Action"] == "delayed"
    mailbox.bounce(mail_id, "550 5.1.10 no such domain")
    assert delivery_status((await receiver.next())[0])["Status"] == "5.1.10"
    mailbox.auto_reply(mail_id, "away until Monday")
    message, recipient = await receiver.next()
    assert (message["Auto-Submitted"], recipient) == ("auto-replied", SENDER)
    assert message.get_content().strip() == "away until Monday"


async def test_refusals_and_deferrals_follow_the_rules(opened: Open) -> None:
    mailbox = await opened({"nobody@*": "refuse", "busy@*": "tempfail", "grey@*": "defer_then_accept"})
    assert (await send(mailbox, "Nobody@trader.example")).code == 550
    assert (await send(mailbox, "busy@trader.example")).code == 451
    assert (await send(mailbox, "busy@trader.example")).code == 451
    assert (await send(mailbox, "grey@trader.example")).code == 451
    assert (await send(mailbox, "grey@trader.example")).code == 250
    assert [mail.recipient for mail in mailbox.list()] == ["grey@trader.example"]


async def test_a_rules_file_may_change_while_the_mailbox_runs(opened: Open, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    mailbox = await opened(file)
    assert (await send(mailbox)).code == 250
    file.write_text(json.dumps({"trader.example": "refuse"}))
    assert (await send(mailbox)).code == 550
    file.write_text('{"half')
    assert (await send(mailbox)).code == 550
    file.unlink()
    assert (await send(mailbox)).code == 250


async def test_a_report_is_handed_over_again_until_it_is_taken(
    opened: Open, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kernel.adapters.mail.mailbox._RETRY", 0.01)
    receiver.refusals = 2
    mailbox = await opened({"*": "bounce"})
    await send(mailbox)
    assert delivery_status((await receiver.next())[0])["Action"] == "failed"
    assert receiver.reports.empty()


async def test_a_report_not_yet_taken_survives_a_restart(opened: Open, receiver: Receiver) -> None:
    receiver.refusals = 1
    first = await opened({"*": "bounce"})
    await send(first)
    await first.stop()
    receiver.refusals = 0
    await opened()
    assert (await receiver.next())[1] == SENDER
    assert receiver.reports.empty()


async def test_nothing_is_sent_back_for_a_report(opened: Open, receiver: Receiver) -> None:
    mailbox = await opened()
    reader, writer = await asyncio.open_connection("127.0.0.1", mailbox.port)
    for line in ("HELO x", "MAIL FROM:<>", "RCPT TO:<a@trader.example>", "DATA", "Subject: report\r\n\r\n.", "QUIT"):
        writer.write(line.encode() + b"\r\n")
        await reader.readline()
    await reader.read()
    writer.close()
    await writer.wait_closed()
    mailbox.bounce(mailbox.list()[0].mail_id)
    await send(mailbox)
    mailbox.auto_reply(mailbox.list()[1].mail_id)
    assert (await receiver.next())[0]["Auto-Submitted"] == "auto-replied"
    assert receiver.reports.empty()


def test_a_mailbox_open_to_the_world_is_refused(tmp_path: Path, receiver: Receiver) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        Mailbox("0.0.0.0", 0, tmp_path, {}, on_report=receiver)


def test_an_unknown_behaviour_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"explode.*accept, refuse"):
        Treatment.parse("explode")
