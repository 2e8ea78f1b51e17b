"""Posting over HTTP, over real sockets: what is bounded, what is refused, and what is made of an answer."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from services.kernel.runtime.fault import Fault
from services.kernel.runtime.settings import read
from services.webhooks.client import HttpPoster, permitted
from services.webhooks.poster import Answer, Reach, reach_of, url_fault
from services.webhooks.settings import WebhookSettings
from tests.rig.webhook_receiver import Receiver, answer, receiving, self_signed

NOT_PUBLIC = Answer(None, "its name leads to an address outside of public addresses")


@pytest.fixture
async def poster() -> AsyncIterator[HttpPoster]:
    opened = HttpPoster(connect=5, whole=10)
    yield opened
    await opened.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


async def told(poster: HttpPoster, url: str, reach: Reach = Reach.ANY) -> Answer:
    return await poster.post(url, {"content-type": "application/json"}, b"{}", reach)


async def test_no_redirect_is_followed(poster: HttpPoster, receiver: Receiver) -> None:
    receiver.answers = [answer(307, f"location: {receiver.url}/elsewhere")]
    got = await told(poster, receiver.url)
    assert (got.status, got.taken, got.reason) == (307, False, "the receiver answered 307")
    assert [each.target for each in receiver.got] == ["/events"]


async def test_a_certificate_that_nobody_vouches_for_is_refused(poster: HttpPoster, tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(self_signed(tmp_path))
    trusting = HttpPoster(connect=2, whole=2, authorities=tmp_path / "certificate")
    async with receiving(tls) as receiver:
        assert (await told(poster, receiver.url)).failure == "its certificate is not to be trusted"
        named_otherwise = receiver.url.replace("127.0.0.1", "localhost")
        assert (await told(trusting, named_otherwise)).failure == "its certificate is not to be trusted"
        assert receiver.got == []
        assert (await told(trusting, receiver.url)).taken
    await trusting.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{}/", "https://[::1]:{}/", "https://2130706433:{}/", "https://localhost:{}/",
        "https://[::ffff:127.0.0.1]:{}/", "http://127.0.0.1:{}/", "https://10.0.0.1/", "https://169.254.169.254/",
        "https://0.0.0.0:{}/", "https://[fe80::1]/", "https://[fd00::1]/", "https://224.0.0.1/",
    ],
)  # fmt: skip
async def test_addresses_that_are_not_public_are_not_posted_to(
    poster: HttpPoster, receiver: Receiver, url: str
) -> None:
    assert await told(poster, url.format(receiver.port), Reach.PUBLIC) == NOT_PUBLIC
    assert receiver.got == []


async def test_a_name_with_one_address_that_is_not_public_is_not_posted_to(
    poster: HttpPoster, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both(*_: object, **__: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, receiver.port)) for address in ("8.8.8.8", "10.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert await told(poster, "https://receiver.example/", Reach.PUBLIC) == NOT_PUBLIC


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True), ("172.16.0.1", False),
        ("100.64.0.1", False), ("192.168.1.1", False), ("64:ff9b::7f00:1", False), ("64:ff9b::5db8:d70e", True),
        ("2002:7f00:1::", False), ("fe80::1%eth0", False), ("::", False), ("255.255.255.255", False),
        ("64:ff9b:1::7f00:1", False), ("::10.0.0.1", False), ("::ffff:0:7f00:1", False), ("fec0::1", False),
    ],
)  # fmt: skip
def test_an_address_counts_for_what_it_stands_for(address: str, public: bool) -> None:
    assert permitted(Reach.PUBLIC, address) is public
    assert permitted(Reach.ANY, address)
    assert not permitted(Reach.LOOPBACK, address)


def test_a_trial_reaches_this_machine_alone_whatever_is_allowed() -> None:
    assert reach_of(trial=True, private=True) is Reach.LOOPBACK
    assert reach_of(trial=False, private=True) is Reach.ANY
    assert reach_of(trial=False, private=False) is Reach.PUBLIC
    assert permitted(Reach.LOOPBACK, "127.0.0.2")
    assert permitted(Reach.LOOPBACK, "::1")


async def test_a_receiver_that_says_nothing_is_given_up_in_time(receiver: Receiver) -> None:
    poster = HttpPoster(connect=5, whole=0.2)
    receiver.answers = [None]
    assert (await told(poster, receiver.url)).failure == "it did not answer in time"
    await poster.close()


async def test_a_receiver_that_hangs_up_is_a_failure(poster: HttpPoster, receiver: Receiver) -> None:
    receiver.answers = ["nonsense\r\n\r\n"]
    assert (await told(poster, receiver.url)).failure == "the connection broke"


@pytest.fixture
def port_without_receiver() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        yield taken.getsockname()[1]


async def test_a_receiver_that_is_not_there_is_a_failure(poster: HttpPoster, port_without_receiver: int) -> None:
    assert (await told(poster, f"http://127.0.0.1:{port_without_receiver}/")).failure == "it refused the connection"
    assert (await told(poster, "https://no.such.host.invalid/")).failure == "its name cannot be resolved"


@pytest.mark.parametrize("head", ["content-length: 9999999999", "transfer-encoding: chunked", "content-length: 100"])
async def test_an_answers_body_is_not_waited_for(
    receiver: Receiver, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.webhooks.client._SIP_SECONDS", 0.05)
    poster = HttpPoster(connect=2, whole=60)
    receiver.answers = [f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n"]
    assert await told(poster, receiver.url) == Answer(200)
    await poster.close()


async def test_a_connection_is_used_again_after_a_short_answer(poster: HttpPoster, receiver: Receiver) -> None:
    receiver.answers = [answer(200, body="thanks")]
    for _ in range(3):
        assert (await told(poster, receiver.url)).taken
    assert receiver.connections == 1


async def test_a_wait_may_be_asked_for_in_seconds_or_until_a_date(poster: HttpPoster, receiver: Receiver) -> None:
    now = datetime.now(UTC)
    dates = (f"date: {format_datetime(now)}", f"retry-after: {format_datetime(now + timedelta(seconds=90))}")
    receiver.answers = [answer(503, "retry-after: 120"), answer(503, *dates), answer(503, "retry-after: soon")]
    asked = [(await told(poster, receiver.url)).retry_after for _ in receiver.answers[:]]
    assert asked == [120.0, 90.0, None]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://upstream.example/events?x=1", None), ("http://127.0.0.1:8000/", None), ("http://localhost/", None),
        ("http://upstream.example/", "https"), ("ftp://upstream.example/", "https"), ("/events", "no host"),
        ("https://", "no host"), ("https://user:secret@upstream.example/", "no user"),
        ("https://upstream.example/#part", "fragment"), ("https://upstream.example:port/", "no URL"),
        ("https://[::1/", "no URL"), ("https://upstream.example/a b", "plain ASCII"), ("https://é.example/", "ASCII"),
        (f"https://upstream.example/{'a' * 2000}", "2000"),
    ],
)  # fmt: skip
async def test_a_url_is_judged_before_it_is_used(poster: HttpPoster, url: str, fault: str | None) -> None:
    found = url_fault(url)
    assert (found is None) == (fault is None)
    if fault is not None:
        assert fault in str(found)
        assert (await told(poster, url)).failure == f"its URL cannot be used: {found}"


def test_certificates_that_cannot_be_read_are_a_fault_that_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "none.pem"
    file.write_text("no certificate")
    for named in (file, tmp_path / "missing.pem"):
        monkeypatch.setenv("DULY_WEBHOOK_CA", str(named))
        with pytest.raises(Fault) as fault:
            HttpPoster.of(read(WebhookSettings))
        assert fault.value.where == "DULY_WEBHOOK_CA"
