"""Broken mail never raises, and cutting or breaking a mail that is no failure never makes it one."""
# ruff: noqa: E501 - mails stand as they are sent

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.bounces.classify import classify

FAILED = (
    b"Return-Path: <>\nFrom: Mail System <MAILER-DAEMON@mx.example.net>\nSubject: =?utf-8?q?Undelivered?= Mail\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\nContent-Type: text/html; charset=gb18030\n'
    b"Content-Transfer-Encoding: quoted-printable\n\n<p>could not be delivered</p> &lt;jane@firm.example&gt;=\n\n--b\n"
    b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
    b"RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGphbmVAZmlybS5leGFtcGxlCkFjdGlvbjogZmFpbGVkCg==\n\n"
    b"--b\nContent-Type: message/rfc822\n\nMessage-ID: <n1@duly.example>\nTo: jane@firm.example\n\nhello\n--b--\n"
)
DELAYED = (
    b"From: Mail Delivery System <mailer-daemon@mx.example.net>\nSubject: Warning: message 1a delayed 24 hours\n"
    b"Content-Type: text/plain; charset=utf-8\n\nA message that you sent has not yet been delivered to\n\n  jane@firm.example\n\n"
    b"Delivery attempts will continue for some time.\n"
)
VERDICTS = {"final", "delayed", "auto-reply", "complaint", "delivered", "unclear", "other"}


@given(st.binary(max_size=2000))
def test_any_bytes_are_classified(raw: bytes) -> None:
    assert classify(raw).verdict in VERDICTS


@settings(max_examples=150)
@given(
    st.sampled_from([FAILED, DELAYED]),
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 40), st.binary(max_size=8)), max_size=6),
)
def test_a_mutated_report_is_classified_without_failing(mail: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for start, length, put in edits:
        mail = mail[:start] + put + mail[start + length :]
    found = classify(mail)
    assert found.verdict in VERDICTS
    assert not any(reason.startswith("cannot be read") for reason in found.reasons), found.reasons


@settings(max_examples=100)
@given(st.integers(0, len(DELAYED)))
def test_a_truncated_delay_is_never_final(length: int) -> None:
    assert classify(DELAYED[:length]).verdict != "final"


@given(st.integers(0, len(FAILED)))
def test_a_truncated_failure_never_names_another_recipient(length: int) -> None:
    assert all("jane@firm.example".startswith(a) for a in classify(FAILED[:length]).recipients)
