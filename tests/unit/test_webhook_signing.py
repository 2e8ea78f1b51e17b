"""Webhooks without a network: signatures by the book, keys that are never shown, and the circuit of a lane."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import services.webhooks
from schemas.catalogue import CATALOGUE
from services.kernel.ledger import WebhookClaim
from services.kernel.runtime.settings import SettingsFault, read
from services.webhooks.lanes import FAILURES_MOST, Lane, Lanes
from services.webhooks.posting import headers_of
from services.webhooks.settings import WebhookSettings
from services.webhooks.signing import message_id, signed

AT = datetime(2026, 11, 22, 9, 0, 0, 999_999, UTC)
KEYS = (bytes(range(24)), bytes(range(64)))


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("trace", [None, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"])
def test_the_headers_bear_the_events_own_trace_if_it_has_one(trace: str | None) -> None:
    body = json.dumps({"id": "n:1", **({"traceparent": trace} if trace else {})}).encode()
    claim = WebhookClaim(1, None, "fees", "https://receiver.example/", body, AT, trial=False)
    headers = headers_of(claim, KEYS)
    assert headers.get("traceparent") == trace
    assert headers["webhook-id"] == "n:1"


def test_every_key_signs_the_same_id_second_and_raw_body() -> None:
    headers = signed(KEYS, "n:1", AT, b"\xff raw\r\n")
    assert headers["webhook-timestamp"] == str(int(AT.timestamp()))
    content = f"n:1.{headers['webhook-timestamp']}.".encode() + b"\xff raw\r\n"
    wanted = [base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in KEYS]
    assert headers["webhook-signature"] == f"v1,{wanted[0]} v1,{wanted[1]}"


@pytest.mark.parametrize(
    ("event_id", "told"),
    [
        ("0199-aa:3", "0199-aa:3"), ("urn:x/y@z=1", "urn:x/y@z=1"), ("a.b", "a%2Eb"), ("a%2Eb", "a%252Eb"),
        ("a\r\nx: y", "a%0D%0Ax:%20y"), ("é", "%C3%A9"),
    ],
)  # fmt: skip
def test_an_id_is_always_a_sound_header_and_no_two_become_one(event_id: str, told: str) -> None:
    assert message_id(event_id) == told


# --- keys -------------------------------------------------------------------------------------------------------------


def keys(text: str, monkeypatch: pytest.MonkeyPatch) -> WebhookSettings:
    monkeypatch.setenv("DULY_WEBHOOK_KEYS", text)
    return read(WebhookSettings)


def test_a_source_may_have_several_keys_and_none_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (key.hex() for key in KEYS)
    settings = keys(f"fees:{first}, urn:cases:{second},fees:{second},", monkeypatch)
    assert settings.keyring() == {"fees": KEYS, "urn:cases": (KEYS[1],)}
    for shown in (repr(settings), str(settings), repr(settings.keys)):
        assert first not in shown
        assert second not in shown
        assert repr(KEYS[0]) not in shown


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("secretsecretsecret", "source:hex"), (":" + "00" * 32, "source:hex"), ("fees:secret", "hexadecimal"),
        ("fees:" + "5ec2e7" * 7, "24 to 64 bytes"), ("fees:" + "5e" * 65, "24 to 64 bytes"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_used_is_told_without_its_value(
    text: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsFault) as fault:
        keys(text, monkeypatch)
    assert wrong in str(fault.value)
    assert "secret" not in str(fault.value)
    assert "5e" not in str(fault.value)


def test_nobody_has_a_key_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DULY_WEBHOOK_KEYS", raising=False)
    assert read(WebhookSettings).keyring() == {}


# --- the circuit ------------------------------------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lane(clock: Clock) -> Lane:
    return Lanes(1, clock).of("https://receiver.example/")


def fail(lane: Lane, times: int) -> None:
    for _ in range(times):
        assert lane.may_try()
        lane.answered(taken=False)


def test_the_circuit_opens_after_failures_in_a_row_and_not_before(lane: Lane) -> None:
    fail(lane, FAILURES_MOST - 1)
    lane.answered(taken=True)
    fail(lane, FAILURES_MOST)
    assert not lane.may_try()


def test_one_post_tries_whether_it_is_back_and_its_success_closes_the_circuit(lane: Lane, clock: Clock) -> None:
    fail(lane, FAILURES_MOST)
    clock.now += 10
    assert lane.may_try()
    assert not lane.may_try(), "one at a time"
    lane.answered(taken=True)
    assert lane.may_try()
    assert lane.may_try()


def test_the_pauses_grow_and_end_at_five_minutes(lane: Lane, clock: Clock) -> None:
    fail(lane, FAILURES_MOST)
    pauses = []
    for _ in range(8):
        began = clock.now
        while not lane.may_try():
            clock.now += 1
        pauses.append(clock.now - began)
        lane.answered(taken=False)
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]


def test_a_lane_is_one_scheme_host_and_port_whatever_the_path() -> None:
    lanes = Lanes(2)
    assert lanes.of("https://A.example/x") is lanes.of("https://a.example/y?z")
    assert lanes.of("https://a.example/") is not lanes.of("https://a.example:8443/")


# --- what receivers are told ------------------------------------------------------------------------------------------


def test_the_readmes_verification_takes_what_is_ours_and_nothing_else() -> None:
    readme = (Path(services.webhooks.__file__).parent / "README.md").read_text(encoding="utf-8")
    code = readme.partition("```python\n")[2].partition("```")[0]
    named: dict[str, Any] = {}
    exec(code, named)
    verified, body = named["verified"], b'{"id": "n:1"}'
    headers = signed(KEYS, "n:1", datetime.now(UTC), body)
    assert all(verified(key, headers, body) for key in KEYS)
    assert not verified(b"another key, that nobody has", headers, body)
    assert not verified(KEYS[0], headers, body + b" ")
    assert not verified(KEYS[0], {**headers, "webhook-id": "n:2"}, body)
    assert not verified(KEYS[0], signed(KEYS, "n:1", datetime.now(UTC) - timedelta(minutes=6), body), body)


def test_the_readme_tells_the_schedule_that_is() -> None:
    readme = (Path(services.webhooks.__file__).parent / "README.md").read_text(encoding="utf-8")
    told = readme.partition("Attempts come after ")[2].partition(";")[0].replace("\n", " ").replace(" and ", ", ")
    seconds = {"s": 1, "min": 60, "h": 3600}
    parts = [part.split(" ") for part in told.split(", ")]
    assert tuple(int(number) * seconds[unit] for number, unit in parts) == CATALOGUE["delivery.queued.v1"].retries
