"""Every way an SMTP attempt can end, told by its phase; and how connections are kept, shared out and given up."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from services.kernel.adapters.mail.probe import MailUnavailable, probe
from services.kernel.adapters.mail.smtp import SmtpMailer, SmtpSettings
from services.kernel.ports import Mail, Phase, SmtpReply
from tests.rig.smtp_sink import SinkProcess, running_smtp_sink  # noqa: F401 -- the fixture smtp_sink

Mailers = Callable[..., SmtpMailer]
Sinks = Callable[..., SinkProcess]
SHORT = {"connect": 0.4, "command": 0.4, "data": 0.4}


def mail(recipient: str = "a@trader.example", size: int = 20) -> Mail:
    attempt = uuid4()
    content = b"Message-ID: <%b@duly.example>\r\n\r\n" % attempt.hex.encode() + b"x" * size + b"\r\n"
    return Mail(attempt, f"n-{attempt.hex}@bounces.example", recipient, content)


def url(sink: SinkProcess, scheme: str = "smtp", user: str = "", query: str = "") -> str:
    return f"{scheme}://{user}{'@' if user else ''}127.0.0.1:{sink.port}{query}"


@pytest.fixture
async def mailers() -> AsyncIterator[Mailers]:
    made: list[SmtpMailer] = []

    def make(address: str, **settings: float) -> SmtpMailer:
        made.append(SmtpMailer(SmtpSettings.from_url(address, **settings)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for mailer in made:
        await mailer.close()


@pytest.fixture
def sinks(tmp_path: Path) -> Iterator[Callable[..., SinkProcess]]:
    made: list[SinkProcess] = []

    def make(**options: str) -> SinkProcess:
        folder = tmp_path / f"sink{len(made)}"
        folder.mkdir()
        made.append(SinkProcess(folder, **options).start())  # type: ignore[arg-type]
        return made[-1]

    yield make
    for sink in made:
        sink.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- another process has no event to wait for
            await asyncio.sleep(0.01)


def outcome(reply: SmtpReply) -> tuple[Phase, int | None, str]:
    return reply.phase, reply.code, reply.enhanced


# --- refusals


@pytest.mark.parametrize("code", ["421 4.3.2 closing", "554 5.7.1 not welcome", "451 4.0.0 later"])
@pytest.mark.parametrize(
    ("at", "phase"),
    [
        ("connect", Phase.CONNECT),
        ("ehlo", Phase.EHLO),
        ("mail", Phase.MAIL),
        ("rcpt", Phase.RCPT),
        ("data", Phase.DATA),
        ("dot", Phase.AFTER_DATA),
    ],
)
async def test_a_refusal_names_the_phase_in_which_it_came(
    smtp_sink: SinkProcess, mailers: Mailers, at: str, phase: Phase, code: str
) -> None:
    mailer = mailers(url(smtp_sink))
    smtp_sink.misbehave(at, code, drop=code.startswith("421"))
    reply = await mailer.send(mail())
    assert outcome(reply) == (phase, int(code[:3]), code[4:9])
    assert reply.text == code[4:]
    assert smtp_sink.mails() == []

    smtp_sink.behave()
    assert (await mailer.send(mail())).phase is Phase.DONE


async def test_a_reply_of_several_lines_is_one_text(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    smtp_sink.misbehave("rcpt", "550-5.1.1 The address\r\n550-5.1.1 does not exist.\r\n550 5.1.1 Sorry")
    reply = await mailers(url(smtp_sink)).send(mail())
    assert outcome(reply) == (Phase.RCPT, 550, "5.1.1")
    assert reply.text == "5.1.1 The address does not exist. Sorry"


async def test_a_status_of_another_class_than_the_reply_is_not_believed(
    smtp_sink: SinkProcess, mailers: Mailers
) -> None:
    smtp_sink.misbehave("rcpt", "450 5.1.1 contradictory")
    assert outcome(await mailers(url(smtp_sink)).send(mail())) == (Phase.RCPT, 450, "")


async def test_what_a_server_says_is_cleaned_and_cut(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    smtp_sink.misbehave("rcpt", "550 5.1.1 a\x00b\x1b[31m\u202e" + "long " * 300)
    reply = await mailers(url(smtp_sink)).send(mail())
    assert reply.text.startswith("5.1.1 a b [31m")
    assert reply.text.isprintable()
    assert len(reply.text) <= 500


async def test_nonsense_for_a_reply_is_no_reply(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    smtp_sink.misbehave("dot", "999 what", times=1)
    mailer = mailers(url(smtp_sink))
    assert outcome(await mailer.send(mail())) == (Phase.AFTER_DATA, None, "")
    assert (await mailer.send(mail())).phase is Phase.DONE


async def test_a_reply_that_nobody_asked_for_is_never_taken_for_an_acceptance(
    smtp_sink: SinkProcess, mailers: Mailers
) -> None:
    smtp_sink.misbehave("rcpt", "250 2.1.5 ok\r\n354 go on\r\n250 2.0.0 taken", times=1)
    mailer = mailers(url(smtp_sink))
    reply = await mailer.send(mail())
    assert outcome(reply) == (Phase.DATA, None, "")
    assert smtp_sink.mails() == []
    assert (await mailer.send(mail())).phase is Phase.DONE
    assert len(smtp_sink.mails()) == 1


# --- silence


@pytest.mark.parametrize(
    ("at", "phase"),
    [
        ("connect", Phase.CONNECT),
        ("ehlo", Phase.EHLO),
        ("mail", Phase.MAIL),
        ("rcpt", Phase.RCPT),
        ("data", Phase.DATA),
        ("dot", Phase.AFTER_DATA),
    ],
)
@pytest.mark.parametrize("drop", [False, True], ids=["silent", "dropped"])
async def test_silence_and_disconnects_have_a_phase_and_no_code(
    smtp_sink: SinkProcess, mailers: Mailers, at: str, phase: Phase, drop: bool
) -> None:
    mailer = mailers(url(smtp_sink), **SHORT)
    smtp_sink.misbehave(at, "", drop=drop)
    reply = await mailer.send(mail())
    assert outcome(reply) == (phase, None, "")
    assert reply.text

    smtp_sink.behave()
    assert (await mailer.send(mail())).phase is Phase.DONE


async def test_a_drop_after_the_dot_is_unknown_whether_or_not_the_mail_was_taken(
    smtp_sink: SinkProcess, mailers: Mailers
) -> None:
    mailer = mailers(url(smtp_sink))
    smtp_sink.misbehave("dot", "", drop=True, accept=True, match="taken@*")
    smtp_sink.misbehave("dot", "", drop=True, match="lost@*")
    for name in ("taken@trader.example", "lost@trader.example"):
        assert outcome(await mailer.send(mail(name))) == (Phase.AFTER_DATA, None, "")
    assert [entry["recipient"] for entry in smtp_sink.mails()] == ["taken@trader.example"]
    assert [entry["outcome"] for entry in smtp_sink.entries()] == ["accepted", "dropped"]


async def test_a_late_acceptance_within_the_time_is_an_acceptance(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    smtp_sink.misbehave("dot", "250 2.0.0 at last", after=0.3)
    reply = await mailers(url(smtp_sink), data=5).send(mail())
    assert outcome(reply) == (Phase.DONE, 250, "2.0.0")


async def test_nobody_listening_is_a_failure_to_connect(mailers: Mailers) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        reply = await mailers(f"smtp://127.0.0.1:{bound.getsockname()[1]}").send(mail())
    assert outcome(reply) == (Phase.CONNECT, None, "")


async def test_a_server_killed_in_the_middle_leaves_no_mail_without_an_answer(
    smtp_sink: SinkProcess, mailers: Mailers
) -> None:
    mailer = mailers(url(smtp_sink))
    smtp_sink.misbehave("dot", "250 2.0.0 never said", after=30)
    sending = [asyncio.create_task(mailer.send(mail(f"a@d{number}.example"))) for number in range(10)]
    await until(lambda: len(smtp_sink.mails()) == 10)
    smtp_sink.stop(signal.SIGKILL)
    replies = await asyncio.gather(*sending)
    assert {outcome(reply) for reply in replies} == {(Phase.AFTER_DATA, None, "")}
    smtp_sink.start()
    assert (await mailer.send(mail())).phase is Phase.DONE
    assert len(smtp_sink.mails()) == 11


async def test_a_cancelled_mail_leaves_no_connection_out_of_step(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    mailer = mailers(url(smtp_sink), connections=1)
    smtp_sink.misbehave("rcpt", "250 2.1.5 ok", after=0.2, times=1)
    sending = asyncio.create_task(mailer.send(mail()))
    await until(lambda: smtp_sink.stats()["connections"] == 1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    second = mail("b@trader.example")
    assert (await mailer.send(second)).phase is Phase.DONE
    assert [entry["sender"] for entry in smtp_sink.mails()] == [second.envelope_sender]


# --- protection and identity


@pytest.mark.parametrize(("scheme", "mode"), [("smtp+starttls", "starttls"), ("smtps", "implicit")])
async def test_mail_goes_over_tls_with_a_verified_certificate_and_authentication(
    sinks: Sinks, mailers: Mailers, scheme: str, mode: str
) -> None:
    sink = sinks(user="duly:p@ss/word", tls=mode)
    address = url(sink, scheme, "duly:p%40ss%2Fword", f"?ca={sink.certificate}")
    reply = await mailers(address).send(mail())
    finding = await probe(SmtpSettings.from_url(address))
    assert reply.phase is Phase.DONE
    assert len(sink.mails()) == 1
    assert "certificate verified; authenticated" in finding
    assert "p@ss" not in finding


@pytest.mark.parametrize(
    ("scheme", "mode", "phase"),
    [("smtp+starttls", "starttls", Phase.STARTTLS), ("smtps", "implicit", Phase.CONNECT)],
)
async def test_a_certificate_that_nobody_vouches_for_stops_the_mail(
    sinks: Sinks, mailers: Mailers, scheme: str, mode: str, phase: Phase
) -> None:
    sink = sinks(tls=mode)
    reply = await mailers(url(sink, scheme)).send(mail())
    with pytest.raises(MailUnavailable, match=r"certificate.*\?ca=FILE"):
        await probe(SmtpSettings.from_url(url(sink, scheme)))
    assert outcome(reply) == (phase, None, "")
    assert "certificate" in reply.text
    assert sink.entries() == []


async def test_a_certificate_for_another_name_stops_the_mail(sinks: Sinks, mailers: Mailers) -> None:
    sink = sinks(tls="implicit")
    reply = await mailers(f"smtps://localhost:{sink.port}?ca={sink.certificate}").send(mail())
    assert outcome(reply) == (Phase.CONNECT, None, "")
    assert "certificate" in reply.text


async def test_starttls_that_is_not_offered_or_refused_stops_the_mail(
    smtp_sink: SinkProcess, mailers: Mailers, sinks: Sinks
) -> None:
    reply = await mailers(url(smtp_sink, "smtp+starttls")).send(mail())
    assert outcome(reply) == (Phase.STARTTLS, None, "")
    sink = sinks(tls="starttls")
    sink.misbehave("starttls", "454 4.7.0 not now")
    refused = await mailers(url(sink, "smtp+starttls", query=f"?ca={sink.certificate}")).send(mail())
    assert outcome(refused) == (Phase.STARTTLS, 454, "4.7.0")
    assert smtp_sink.entries() + sink.entries() == []


async def test_a_wrong_password_is_a_failure_of_ours_and_is_not_repeated_anywhere(
    sinks: Sinks, mailers: Mailers
) -> None:
    sink = sinks(user="duly:right")
    settings = SmtpSettings.from_url(url(sink, user="duly:secret-wrong"))
    reply = await mailers(url(sink, user="duly:secret-wrong")).send(mail())
    with pytest.raises(MailUnavailable, match=r"535.*check user and password") as told:
        await probe(settings)
    assert outcome(reply) == (Phase.AUTH, 535, "5.7.8")
    assert "secret" not in f"{reply}{settings!r}{settings}{told.value}"


# --- keeping connections


async def test_mails_one_after_another_share_a_connection_without_rset(
    smtp_sink: SinkProcess, mailers: Mailers
) -> None:
    mailer = mailers(url(smtp_sink))
    for _ in range(20):
        assert (await mailer.send(mail())).phase is Phase.DONE
    stats = smtp_sink.stats()
    assert (stats["connections"], stats["rset"]) == (1, 0)


async def test_a_refused_mail_costs_one_rset_and_no_connection(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    mailer = mailers(url(smtp_sink))
    smtp_sink.misbehave("rcpt", "550 5.1.1 unknown", times=1)
    phases = [(await mailer.send(mail())).phase for _ in range(3)]
    stats = smtp_sink.stats()
    assert phases == [Phase.RCPT, Phase.DONE, Phase.DONE]
    assert (stats["connections"], stats["rset"]) == (1, 1)


async def test_a_connection_retires_after_its_share_of_mails(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    mailer = mailers(url(smtp_sink), mails_per_connection=4)
    for _ in range(12):
        assert (await mailer.send(mail())).phase is Phase.DONE
    assert smtp_sink.stats()["connections"] == 3
    assert smtp_sink.stats()["quit"] == 3


async def test_an_idle_connection_is_closed_with_quit(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    mailer = mailers(url(smtp_sink), idle=0.1)
    await mailer.send(mail())
    await until(lambda: smtp_sink.stats()["open"] == 0)
    assert smtp_sink.stats()["quit"] == 1
    assert (await mailer.send(mail())).phase is Phase.DONE


async def test_connections_dropped_while_idle_cost_no_mail(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    mailer = mailers(url(smtp_sink), connections=4)
    await asyncio.gather(*(mailer.send(mail(f"a@d{number}.example")) for number in range(8)))
    smtp_sink.control(do="disconnect")
    replies = await asyncio.gather(*(mailer.send(mail(f"a@d{number}.example")) for number in range(8)))
    assert {reply.phase for reply in replies} == {Phase.DONE}
    assert len(smtp_sink.mails()) == 16


async def test_a_server_that_says_421_to_the_next_mail_gets_it_on_a_new_connection(
    smtp_sink: SinkProcess, mailers: Mailers
) -> None:
    mailer = mailers(url(smtp_sink))
    await mailer.send(mail())
    smtp_sink.misbehave("mail", "421 4.7.0 too many messages in this session", drop=True, times=1)
    assert (await mailer.send(mail())).phase is Phase.DONE
    assert smtp_sink.stats()["connections"] == 2


async def test_no_more_connections_than_allowed(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    smtp_sink.misbehave("dot", "250 2.0.0 ok", after=0.02)
    mailer = mailers(url(smtp_sink), connections=3)
    replies = await asyncio.gather(*(mailer.send(mail(f"a@d{number}.example")) for number in range(12)))
    assert {reply.phase for reply in replies} == {Phase.DONE}
    assert smtp_sink.stats()["connections"] == 3


async def test_one_destination_gets_no_more_at_once_than_its_share(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    smtp_sink.misbehave("dot", "250 2.0.0 ok", after=0.02)
    mailer = mailers(url(smtp_sink), connections=10, per_destination=2)
    names = ["a@Slow.example", "b@slow.example", "c@SLOW.example", "d@other.example"] * 5
    replies = await asyncio.gather(*(mailer.send(mail(name)) for name in names))
    assert {reply.phase for reply in replies} == {Phase.DONE}
    assert smtp_sink.stats()["most_at_once"] == {"slow.example": 2, "other.example": 2}
    assert len(mailer._admission) == 0


async def test_a_wait_for_a_turn_has_an_end(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    smtp_sink.misbehave("dot", "250 2.0.0 ok", after=1.0)
    mailer = mailers(url(smtp_sink), per_destination=1, wait=0.1)
    first, second = await asyncio.gather(mailer.send(mail()), mailer.send(mail()))
    assert outcome(first) == (Phase.DONE, 250, "2.0.0")
    assert outcome(second) == (Phase.CONNECT, None, "")
    assert "no connection became free" in second.text


async def test_a_content_larger_than_the_socket_buffers_arrives(smtp_sink: SinkProcess, mailers: Mailers) -> None:
    sent = Mail(uuid4(), "n@bounces.example", "a@trader.example", b"A: b\r\n\r\n" + b"y" * 70 * 50000 + b"\r\n")
    assert (await mailers(url(smtp_sink)).send(sent)).phase is Phase.DONE
    assert smtp_sink.mails()[0]["size"] == len(sent.content)


# --- settings


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("http://mail.example", "must begin with"),
        ("smtp://", "names no host"),
        ("smtp://mail.example:port", "cannot be read"),
        ("smtp://user:secret@mail.example", "in clear"),
        ("smtps://user:secret@mail.example?verify=no", "unknown options verify"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(address: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        SmtpSettings.from_url(address)
    assert "secret" not in str(refused.value)


def test_ports_follow_from_the_scheme_and_the_password_stays_hidden() -> None:
    settings = SmtpSettings.from_url("smtp+starttls://user:secret@mail.example?helo=us.example")
    assert (settings.port, settings.user, settings.password, settings.helo) == (587, "user", "secret", "us.example")
    assert SmtpSettings.from_url("smtp://mail.example").port == 25
    assert SmtpSettings.from_url("smtps://mail.example").port == 465
    assert "secret" not in f"{settings!r}{settings}"


def test_a_ca_file_that_is_missing_is_told_at_the_start() -> None:
    with pytest.raises(ValueError, match="no certificates can be read"):
        SmtpMailer(SmtpSettings.from_url("smtps://mail.example?ca=/nowhere.pem"))


async def test_the_longest_time_bounds_an_attempt_against_a_silent_server(
    smtp_sink: SinkProcess, mailers: Mailers
) -> None:
    settings = SmtpSettings.from_url(url(smtp_sink), wait=0.1, **SHORT)  # type: ignore[arg-type]
    smtp_sink.misbehave("dot", "")
    begun = asyncio.get_running_loop().time()
    await mailers(url(smtp_sink), wait=0.1, **SHORT).send(mail())
    assert asyncio.get_running_loop().time() - begun < settings.longest() == pytest.approx(0.1 + 7 * 0.4)


async def test_the_probe_says_what_to_do_when_nobody_answers() -> None:
    with pytest.raises(MailUnavailable, match=r"connect failed.*check host, port and firewall"):
        await probe(SmtpSettings.from_url("smtp://127.0.0.1:1"))
