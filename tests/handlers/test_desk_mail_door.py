"""The door for mail that came back: what it stores of a mail, and that it never fails on one."""

from __future__ import annotations

import base64
import json
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.adapters.ids import SystemIds
from services.kernel.domain import verp
from services.kernel.domain.changes import EvidenceStored
from services.kernel.domain.verp import Keyring
from services.kernel.runtime.mail_door import MOST_ADDRESSES, evidence_of_mail

KEYS = Keyring({"k1": b"0123456789abcdef"}, "k1")
DOMAIN = "bounces.example.org"
ATTEMPT = uuid4()
TOKEN = verp.envelope_sender(verp.token(ATTEMPT, KEYS), DOMAIN)
REPORT = f"""Return-Path: <>
To: {TOKEN}
From: MAILER-DAEMON@mx.example.net
Subject: Undelivered

cc other@elsewhere.example
Final-Recipient: rfc822; Owner@Business.Example
Action: failed
From: notices@authority.example
"""


def stored(raw: bytes, recipient: str | None = None) -> EvidenceStored:
    return evidence_of_mail(
        raw,
        recipient,
        door="cli",
        keyring=KEYS,
        bounce_domain=DOMAIN,
        ids=SystemIds(),
        own_domains=["authority.example"],
    )


def test_report_names_its_attempt_and_the_failed_recipient_first() -> None:
    row = stored(REPORT.encode())
    assert (row.attempt_id, row.state, row.door) == (ATTEMPT, "waiting", "cli")
    assert row.addresses == ("owner@business.example", "mailer-daemon@mx.example.net", "other@elsewhere.example")
    assert row.body == REPORT.encode()


def test_our_own_addresses_are_not_among_them() -> None:
    assert not any(address.endswith((DOMAIN, "authority.example")) for address in stored(REPORT.encode()).addresses)


def test_envelope_recipient_names_the_attempt_where_the_mail_does_not() -> None:
    row = stored(b"Subject: failed\n\nsorry", TOKEN)
    assert row.attempt_id == ATTEMPT
    assert json.loads(row.headers) == {"recipient": TOKEN}


def test_forged_token_names_nothing() -> None:
    assert stored(REPORT.replace("n-", "n-aa").encode()).attempt_id is None


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_addresses_and_tokens_in_encoded_text_are_found(encoding: str) -> None:
    text = f"could not reach owner@business.example\n{TOKEN}\n".encode()
    body = base64.encodebytes(text) if encoding == "base64" else text.replace(b"@", b"=40")
    row = stored(b"Subject: x\nContent-Transfer-Encoding: " + encoding.encode() + b"\n\n" + body)
    assert (row.attempt_id, row.addresses) == (ATTEMPT, ("owner@business.example",))


def test_fifty_addresses_at_most_and_the_failed_one_among_them() -> None:
    many = "\n".join(f"someone{number}@list.example" for number in range(200))
    row = stored(f"Subject: x\n\n{many}\nFinal-Recipient: rfc822;owner@business.example\n".encode())
    assert len(row.addresses) == MOST_ADDRESSES
    assert row.addresses[0] == "owner@business.example"


@given(st.binary(max_size=3000))
def test_no_mail_makes_the_door_fail(raw: bytes) -> None:
    assert stored(raw).body == raw
