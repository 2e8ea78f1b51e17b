"""Who may call: what proves a sender, and what does not."""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bounces.callbacks import read_event
from services.callbacks.providers import generic, mailgun, postmark, sendgrid, ses
from services.callbacks.providers.call import Call, Provider, Refused, Verified
from services.callbacks.providers.certificates import Certificates
from services.callbacks.reading import elements, texts_of
from services.callbacks.settings import CallbacksSettings
from services.kernel.runtime.fault import Exit
from services.kernel.runtime.settings import SettingsFault, read
from tests.rig import callbacks as rig

SNS, SENDGRID = rig.Sns(), rig.Sendgrid()
TOLERANCE = 300.0
CHECKOUT = Path(__file__).parents[2]
SES = ses.Ses({rig.TOPIC}, Certificates(SNS.fetch), SNS.fetch, TOLERANCE)
MAILGUN = mailgun.Mailgun([b"the-key-of-last-year", rig.MAILGUN_KEY.encode()], TOLERANCE)
SENDGRIDS = sendgrid.Sendgrid([rig.Sendgrid().key.public_key(), SENDGRID.key.public_key()], TOLERANCE)
POSTMARK = postmark.Postmark([b"postmark:the-password-of-last-year", rig.POSTMARK.encode()])
GENERIC = generic.Generic({"relay": [b"l" * 16, rig.GENERIC_KEY], "other": [b"k" * 32]}, TOLERANCE)
EVENT = {"id": "1", "kind": "permanent"}


async def verified(provider: Provider, signed: rig.Signed, name: str = "") -> Verified:
    body, headers = signed
    return await provider.verify(Call(body, headers, time.time(), name))


async def refused(provider: Provider, signed: rig.Signed, name: str = "") -> tuple[int, str]:
    with pytest.raises(Refused) as fault:
        await verified(provider, signed, name)
    return fault.value.status, fault.value.outcome


def forged(signed: rig.Signed) -> rig.Signed:
    return signed[0].replace(b"permanent", b"delivered"), signed[1]


@pytest.mark.parametrize("version", ["1", "2"])
async def test_both_versions_of_sns_signatures_hold(version: str) -> None:
    got = await verified(SES, SNS.call({"eventType": "Send"}, version=version))
    assert got.proof["scheme"].endswith(version)
    assert got.events[0].told == {"eventType": "Send"}


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_message_of_sns_that_was_changed_is_forged(version: str) -> None:
    assert await refused(SES, forged(SNS.call(EVENT, version=version))) == (403, "forged")


async def test_a_subject_is_part_of_what_sns_signs() -> None:
    body, headers = SNS.call(EVENT, Subject="Amazon SES Email Event Notification")
    assert (await verified(SES, (body, headers))).events
    assert await refused(SES, (body.replace(b"Amazon SES", b"Amazon SNS"), headers)) == (403, "forged")


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0.pem",
        "https://evil.s3.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.evil.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem#x",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.txt",
        "https://sns.eu-west-1.amazonaws.com\\@evil.example/x.pem",
        "https://[sns.eu-west-1.amazonaws.com/x.pem",
        "file:///etc/passwd.pem",
        "",
    ],
)
async def test_a_certificate_from_elsewhere_is_not_even_fetched(url: str) -> None:
    sns = rig.Sns(SNS.key)
    provider = ses.Ses({rig.TOPIC}, Certificates(sns.fetch), sns.fetch, TOLERANCE)
    assert await refused(provider, sns.call(EVENT, SigningCertURL=url)) == (403, "forged")
    assert sns.fetched == []


async def test_a_certificate_is_fetched_once_and_must_be_valid() -> None:
    sns = rig.Sns(SNS.key)
    provider = ses.Ses({rig.TOPIC}, Certificates(sns.fetch), sns.fetch, TOLERANCE)
    assert (await verified(provider, sns.call(EVENT))).events
    assert (await verified(provider, sns.call(EVENT))).events
    assert sns.fetched == [rig.CERTIFICATE]
    old = rig.Sns(SNS.key, valid_days=-1)
    expired = ses.Ses({rig.TOPIC}, Certificates(old.fetch), old.fetch, TOLERANCE)
    assert await refused(expired, old.call(EVENT)) == (403, "forged")


async def test_anothers_topic_is_a_strangers_though_sns_signed_it() -> None:
    other = SNS.call(EVENT, TopicArn=rig.TOPIC.replace("123456789012", "210987654321"))
    assert await refused(SES, other) == (403, "stranger")


async def test_a_subscription_to_our_topic_is_confirmed_and_brings_no_event() -> None:
    sns = rig.Sns(SNS.key)
    provider = ses.Ses({rig.TOPIC}, Certificates(sns.fetch), sns.fetch, TOLERANCE)
    assert (await verified(provider, sns.confirmation())).events == ()
    assert sns.fetched == [rig.CERTIFICATE, rig.SUBSCRIBE]


@pytest.mark.parametrize(
    "fields",
    [
        {"SubscribeURL": "https://evil.example/?Action=ConfirmSubscription"},
        {"SubscribeURL": "http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"},
        {"TopicArn": "arn:aws:sns:eu-west-1:210987654321:theirs"},
    ],
)
async def test_no_other_subscription_is_confirmed(fields: dict[str, str]) -> None:
    sns = rig.Sns(SNS.key)
    provider = ses.Ses({rig.TOPIC}, Certificates(sns.fetch), sns.fetch, TOLERANCE)
    assert (await refused(provider, sns.confirmation(**fields)))[0] == 403
    assert set(sns.fetched) <= {rig.CERTIFICATE}


async def test_the_end_of_a_subscription_is_noted_and_nothing_is_fetched() -> None:
    sns = rig.Sns(SNS.key)
    provider = ses.Ses({rig.TOPIC}, Certificates(sns.fetch), sns.fetch, TOLERANCE)
    assert (await verified(provider, sns.confirmation(Type="UnsubscribeConfirmation"))).events == ()
    assert sns.fetched == [rig.CERTIFICATE]


async def test_an_event_of_ses_without_the_envelope_of_sns_proves_nothing() -> None:
    assert await refused(SES, (b'{"notificationType": "Bounce"}', {})) == (401, "unsigned")


async def test_a_token_of_mailgun_is_the_event_whatever_comes_with_it() -> None:
    first = await verified(MAILGUN, rig.mailgun({"event": "delivered"}, token="t1"))
    again = await verified(MAILGUN, rig.mailgun({"event": "failed"}, token="t1"))
    assert first.events[0].event_id == again.events[0].event_id == "t1"


async def test_mailgun_signs_for_a_subaccount_with_the_parents_key_too() -> None:
    body, headers = rig.mailgun(EVENT, key="the-key-of-a-subaccount")
    told = json.loads(body)
    own = json.loads(rig.mailgun(EVENT)[0])["signature"]
    told["signature"] = {**own, "parent-signature": own["signature"], "signature": told["signature"]["signature"]}
    assert (await verified(MAILGUN, (json.dumps(told).encode(), headers))).events


@pytest.mark.parametrize(
    ("provider", "signed"),
    [
        (MAILGUN, lambda: rig.mailgun(EVENT, key="not-our-key")),
        (SENDGRIDS, lambda: forged(SENDGRID.call(EVENT))),
        (SENDGRIDS, lambda: rig.Sendgrid().call(EVENT)),
        (SENDGRIDS, lambda: (b"[]", {sendgrid.SIGNATURE: "!", sendgrid.TIMESTAMP: "1"})),
        (POSTMARK, lambda: rig.postmark(EVENT, "postmark:not-the-password")),
        (POSTMARK, lambda: (b"{}", {"authorization": "Basic ?"})),
        (GENERIC, lambda: forged(rig.generic(EVENT))),
        (GENERIC, lambda: rig.generic(EVENT, key=b"k" * 32)),
    ],
)
async def test_what_our_keys_did_not_sign_is_forged(provider: Provider, signed: Callable[[], rig.Signed]) -> None:
    assert await refused(provider, signed(), "relay") == (403, "forged")


@pytest.mark.parametrize("provider", [SES, MAILGUN, SENDGRIDS, POSTMARK, GENERIC])
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"signature": {"token": 1}}'])
async def test_what_is_not_signed_at_all_proves_nothing(provider: Provider, body: bytes) -> None:
    assert await refused(provider, (body, {}), "relay") == (401, "unsigned")


@pytest.mark.parametrize(
    ("provider", "signed"),
    [
        (SES, lambda: SNS.call(EVENT, ago=ses.RETRIED_FOR + 400)),
        (SES, lambda: SNS.call(EVENT, ago=-400)),
        (SES, lambda: SNS.call(EVENT, Timestamp="2026-01-01T00:00:00")),
        (MAILGUN, lambda: rig.mailgun(EVENT, ago=mailgun.RETRIED_FOR + 400)),
        (MAILGUN, lambda: rig.mailgun(EVENT, ago=-400)),
        (SENDGRIDS, lambda: SENDGRID.call(EVENT, ago=sendgrid.RETRIED_FOR + 400)),
        (SENDGRIDS, lambda: SENDGRID.call(EVENT, ago=-400)),
        (GENERIC, lambda: rig.generic(EVENT, ago=400)),
        (GENERIC, lambda: rig.generic(EVENT, ago=-400)),
    ],
)
async def test_what_was_signed_too_far_from_now_is_stale(provider: Provider, signed: Callable[[], rig.Signed]) -> None:
    assert await refused(provider, signed(), "relay") == (403, "stale")


async def test_what_a_provider_sends_again_with_its_first_signature_still_counts() -> None:
    assert (await verified(SES, SNS.call(EVENT, ago=3_500))).events
    assert (await verified(MAILGUN, rig.mailgun(EVENT, ago=7 * 3600))).events
    assert (await verified(SENDGRIDS, SENDGRID.call(EVENT, ago=23 * 3600))).events


async def test_each_event_of_a_batch_is_cut_as_it_was_written() -> None:
    body = b'[ {"sg_event_id": "a", "n": 1.50},\n{"sg_event_id":"b"} , {"other": "\\u0000"}, 7 ]'
    got = await verified(SENDGRIDS, SENDGRID.sign(body))
    assert [event.body for event in got.events] == [
        b'{"sg_event_id": "a", "n": 1.50}',
        b'{"sg_event_id":"b"}',
        b'{"other": "\\u0000"}',
        b"7",
    ]
    assert [event.event_id for event in got.events][:2] == ["a", "b"]
    assert got.batch
    assert len({event.event_id for event in got.events}) == 4


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b'[{"a": 1}', b"\xff\xfe", b"[" * 50_000])
async def test_a_genuine_batch_that_nobody_can_cut_is_kept_whole(body: bytes) -> None:
    (event,) = (await verified(SENDGRIDS, SENDGRID.sign(body))).events
    assert event.body == body


async def test_one_event_of_our_own_form_or_many() -> None:
    one = await verified(GENERIC, rig.generic(EVENT), "relay")
    assert (one.source, one.events[0].event_id, one.batch) == ("generic/relay", "1", False)
    many = await verified(GENERIC, rig.generic([EVENT, {"id": "2"}]), "relay")
    assert ([event.event_id for event in many.events], many.batch) == (["1", "2"], True)


@pytest.mark.parametrize(
    "told", [[], "text", 1, {}, {"id": ""}, {"id": 1}, {"id": "a b"}, {"id": "x" * 201}, [EVENT, 1], [{"id": "é"}]]
)
async def test_what_is_not_our_own_form_is_told_so(told: object) -> None:
    assert await refused(GENERIC, rig.generic(told), "relay") == (400, "malformed")


async def test_one_providers_key_does_not_speak_for_another() -> None:
    assert await refused(GENERIC, rig.generic(EVENT), "other") == (403, "forged")
    assert await refused(GENERIC, rig.generic(EVENT), "nobody") == (403, "stranger")
    assert await refused(GENERIC, rig.generic(EVENT)) == (403, "stranger")


async def test_a_bounce_of_postmark_is_known_by_its_number_and_others_by_what_they_say() -> None:
    bounce = {"RecordType": "Bounce", "ID": 42}
    assert (await verified(POSTMARK, rig.postmark(bounce))).events[0].event_id == "Bounce:42"
    one = await verified(POSTMARK, rig.postmark({"RecordType": "Delivery", "MessageID": "a"}))
    other = await verified(POSTMARK, rig.postmark({"RecordType": "Delivery", "MessageID": "b"}))
    assert one.events[0].event_id != other.events[0].event_id


async def test_the_proof_that_is_kept_has_no_secret() -> None:
    for provider, signed in (
        (MAILGUN, rig.mailgun(EVENT)),
        (POSTMARK, rig.postmark(EVENT)),
        (GENERIC, rig.generic(EVENT)),
    ):
        kept = json.dumps(dict((await verified(provider, signed, "relay")).proof))
        for secret in (rig.MAILGUN_KEY, rig.POSTMARK, rig.POSTMARK.partition(":")[2], rig.GENERIC_KEY.hex()):
            assert secret not in kept
            assert base64.b64encode(secret.encode()).decode() not in kept


headers = st.dictionaries(
    st.sampled_from(["authorization", sendgrid.SIGNATURE, sendgrid.TIMESTAMP, generic.SIGNATURE, generic.TIMESTAMP]),
    st.text(max_size=40) | st.sampled_from(["Basic é", "Basic YQ==", "1", "99999999999", "sha256=", "²"]),
)


@given(st.sampled_from([SES, MAILGUN, SENDGRIDS, POSTMARK, GENERIC]), st.binary(max_size=100), headers)
async def test_a_sender_without_our_keys_is_always_refused(
    provider: Provider, body: bytes, given_headers: Mapping[str, str]
) -> None:
    assert (await refused(provider, (body, dict(given_headers)), "relay"))[0] in {401, 403}


values = st.recursive(
    st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(values, max_size=5))
def test_elements_are_what_the_array_has(told: list[object]) -> None:
    cut = elements(json.dumps(told).encode())
    assert [said for _, said in cut] == told
    assert [json.loads(written) for written, _ in cut] == told


@pytest.mark.parametrize("more", ["[2]", "]", ",", "{}", "\n\n[3]"])
def test_an_array_with_more_behind_it_is_none_so_that_nothing_is_passed_over(more: str) -> None:
    assert [said for _, said in elements(b"[1]\r\n ")] == [1]
    assert elements(f"[1]{more}".encode()) == []


async def test_two_arrays_in_one_call_are_refused_or_kept_whole() -> None:
    two = b'[{"id": "1", "kind": "delivered"}]\n[{"id": "2", "kind": "permanent"}]'
    at = str(int(time.time()))
    proof = hmac.digest(rig.GENERIC_KEY, f"{at}.".encode() + two, "sha256").hex()
    signed = two, {generic.TIMESTAMP: at, generic.SIGNATURE: f"sha256={proof}"}
    assert await refused(GENERIC, signed, "relay") == (400, "malformed")
    (whole,) = (await verified(SENDGRIDS, SENDGRID.sign(two))).events
    assert whole.body == two
    assert read_event("sendgrid", whole.body).verdict.value == "unclear"


def test_every_text_is_found_in_order_and_depth_costs_nothing() -> None:
    assert texts_of({"a": ["b", {"c": "d"}], "e": 1, "f": "g"}) == ["a", "b", "c", "d", "e", "f", "g"]
    deep: object = "end"
    for _ in range(50_000):
        deep = [deep]
    assert texts_of(deep) == ["end"]


def _set(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"DULY_{name}", value)


def test_settings_take_several_keys_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(
        monkeypatch,
        SES_TOPICS=f"{rig.TOPIC}, {rig.TOPIC}-two",
        MAILGUN_KEYS=rig.MAILGUN_KEY,
        SENDGRID_KEYS=f"{SENDGRID.shown},{rig.Sendgrid().shown}",
        POSTMARK_CREDENTIALS=rig.POSTMARK,
        CALLBACK_KEYS=f"relay:{rig.GENERIC_KEY.hex()},other:{bytes(32).hex()},relay:{bytes(16).hex()}",
        CALLBACK_PROXIES="10.0.0.0/8, 192.0.2.1",
    )
    settings = read(CallbacksSettings)
    assert settings.ses_topics == (rig.TOPIC, f"{rig.TOPIC}-two")
    assert settings.keys_by_name() == {"relay": [rig.GENERIC_KEY, bytes(16)], "other": [bytes(32)]}
    assert len(settings.sendgrid_keys) == 2
    assert settings.port is None
    shown = repr(settings)
    assert not any(secret in shown for secret in (rig.MAILGUN_KEY, rig.POSTMARK, rig.GENERIC_KEY.hex()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SES_TOPICS", "canary:sns"),
        ("MAILGUN_KEYS", "canary"),
        ("SENDGRID_KEYS", "canary"),
        ("SENDGRID_KEYS", base64.b64encode(b"canary").decode()),
        ("POSTMARK_CREDENTIALS", "canary:short"),
        ("POSTMARK_CREDENTIALS", "canary-without-a-password"),
        ("CALLBACK_KEYS", "canary:00"),
        ("CALLBACK_KEYS", f"CANARY/..:{bytes(16).hex()}"),
        ("CALLBACK_PROXIES", "canary"),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    _set(monkeypatch, **{name: value})
    with pytest.raises(SettingsFault) as fault:
        read(CallbacksSettings)
    assert list(fault.value.faults) == [f"DULY_{name}"]
    assert value not in str(fault.value)
    assert "canary" not in str(fault.value).lower()


def _examples(language: str) -> list[str]:
    readme = CHECKOUT / "services" / "callbacks" / "README.md"
    return re.findall(rf"```{language}\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)


async def test_the_example_of_the_form_and_of_signing_it_is_taken() -> None:
    (example,), (code,) = _examples("json"), _examples("python")
    names: dict[str, Any] = {}
    exec(code, names)
    headers = {name.lower(): value for name, value in names["signed"](rig.GENERIC_KEY, example.encode()).items()}
    got = await verified(GENERIC, (example.encode(), headers), "relay")
    assert got.events[0].event_id == "relay-7/000417"
    assert read_event(got.source, got.events[0].body).recipients == ("office@tanner-lowe.example",)


def run(*command: str, at: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, cwd=at, env=variables, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
async def test_the_example_in_shell_signs_alike(tmp_path: Path) -> None:
    (script,), (example,) = _examples("sh"), _examples("json")
    (tmp_path / "event.json").write_text(example)
    shown = script.partition("curl ")[0] + 'echo "$at sha256=$signature"'
    done = run("sh", "-c", shown, at=tmp_path, KEY=rig.GENERIC_KEY.hex())
    at, signature = done.stdout.split()
    headers = {generic.TIMESTAMP: at, generic.SIGNATURE: signature}
    assert (await verified(GENERIC, (example.encode(), headers), "relay")).events


MAIL = {
    "DULY_MAIL_FROM": "notices@authority.example",
    "DULY_BOUNCE_DOMAIN": "bounces.authority.example",
    "DULY_TOKEN_KEYS": f"k1:{bytes(16).hex()}",
    "DULY_DATABASE_URL": "postgresql://duly@127.0.0.1:1/duly",
    "DULY_BROKER_URL": "amqp://127.0.0.1:1/",
}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "DULY_CALLBACK_PORT, DULY_LMTP_PORT and DULY_BOUNCE_SMTP_PORT are unset"),
        ({"DULY_CALLBACK_PORT": "0"}, "nobody may come"),
    ],
)
def test_a_process_with_no_door_open_or_nobody_to_come_says_so(more: dict[str, str], told: str) -> None:
    done = run(sys.executable, "-m", "services.callbacks", at=CHECKOUT, **MAIL, **more)
    assert done.returncode == Exit.USAGE
    assert told in done.stderr
