"""Genuine calls of every provider, and what chance makes of them."""

from __future__ import annotations

import hmac
import json
import time

from tests.doors.fuzz_chance import (
    CANARY,
    SENDGRID,
    SNS,
    Case,
    Chance,
    Json,
    mutated,
    spiced,
)
from tests.doors.fuzz_http import METHODS, Known, client_of, framed, path_of, sender_of
from tests.rig import callbacks as rig


def callback(chance: Chance, known: Known) -> Case:
    """A provider's call: signed over what it says, or over what it said before something went wrong, or not at all."""
    if known.sent and chance.one_in(15):
        return chance.choice(known.sent)
    provider, told = chance.choice(_TOLD)(chance)
    body, headers = _signed(provider, spiced(told, chance), chance)
    if chance.one_in(3):
        body = mutated(body, chance)
    if chance.one_in(8):
        headers = {}
    path = path_of(chance, *(f"/callbacks/{provider}",) * 12, "/callbacks/mailgun", "/callbacks/nobody", "/callbacks/")
    raw, whole = framed(chance.choice(METHODS), path, headers, body, chance)
    case = Case("callbacks", raw, body, client_of(chance), whole)
    if whole and len(known.sent) < 500:
        known.sent.append(case)
    return case


def _signed(provider: str, told: Json, chance: Chance) -> rig.Signed:
    """By the provider's own key, over bytes that may be wrong already."""
    body = mutated(json.dumps(told).encode(), chance) if chance.one_in(2) else json.dumps(told).encode()
    match provider:
        case "ses":
            version = chance.choice(("1", "2"))
            return (
                SNS.confirmation() if chance.one_in(20) else SNS.call(body.decode("utf-8", "replace"), version=version)
            )
        case "sendgrid":
            return SENDGRID.sign(body)
        case "postmark":
            return body, rig.postmark({})[1]
        case "mailgun":
            return rig.mailgun(told if isinstance(told, dict) else {})
        case _:
            at = str(int(time.time()))
            made = hmac.digest(rig.GENERIC_KEY, f"{at}.".encode() + body, "sha256").hex()
            return body, {"duly-timestamp": at, "duly-signature": f"sha256={made}"}


def _ses(chance: Chance) -> tuple[str, Json]:
    bounce = {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": f"{CANARY}@business.example"}]}
    return "ses", {"eventType": "Bounce", "bounce": bounce, "mail": {"source": sender_of(chance)}}


def _mailgun(chance: Chance) -> tuple[str, Json]:
    return "mailgun", {
        "event": "failed", "severity": "permanent", "recipient": f"{CANARY}@business.example",
        "user-variables": {"duly": sender_of(chance)}, "delivery-status": {"code": 550, "message": CANARY},
    }  # fmt: skip


def _sendgrid(chance: Chance) -> tuple[str, Json]:
    event = {"event": "bounce", "email": f"{CANARY}@business.example", "duly": sender_of(chance)}
    return "sendgrid", [{**event, "sg_event_id": chance.uuid().hex} for _ in range(chance.randrange(4))]


def _postmark(chance: Chance) -> tuple[str, Json]:
    event = {"RecordType": "Bounce", "ID": chance.getrandbits(40), "Type": "HardBounce", "Email": f"{CANARY}@b.example"}
    return "postmark", {**event, "Metadata": {"duly": sender_of(chance)}}


def _generic(chance: Chance) -> tuple[str, Json]:
    events = [
        {"id": chance.uuid().hex, "kind": "permanent", "recipient": f"{CANARY}@b.example", "token": sender_of(chance)}
        for _ in range(chance.choice((1, 1, 3)))
    ]
    return "generic/relay", events if len(events) > 1 or chance.one_in(2) else events[0]


_TOLD = (_ses, _mailgun, _sendgrid, _postmark, _generic)
