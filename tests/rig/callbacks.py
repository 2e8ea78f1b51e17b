"""Providers as they call: bodies and headers signed with keys that are made here."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from services.callbacks.providers.call import Refused

TOPIC = "arn:aws:sns:eu-west-1:123456789012:duly"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
SUBSCRIBE = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=0123"
MAILGUN_KEY = "mailgun-signing-key-of-the-tests"
POSTMARK = "postmark:a-password-of-the-tests"
GENERIC_KEY = bytes(range(32))

Signed = tuple[bytes, dict[str, str]]
"""A body and the headers that go with it."""


@dataclass
class Sns:
    """SNS with a key of its own: it signs, and answers for its certificate and subscriptions."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    fetched: list[str] = field(default_factory=list)
    valid_days: int = 30

    async def fetch(self, url: str) -> bytes:
        """What is at this address."""
        self.fetched.append(url)
        if url == CERTIFICATE:
            return self.certificate()
        if url == SUBSCRIBE:
            return b"<ConfirmSubscriptionResponse/>"
        raise Refused(403, "forged", "there is nothing")

    def certificate(self) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=self.valid_days))
            .sign(self.key, SHA256())
        )
        return made.public_bytes(Encoding.PEM)

    def call(self, told: dict[str, Any] | str, *, ago: float = 0, version: str = "2", **fields: str) -> Signed:
        """A message; `fields` replace its own before it is signed."""
        at = datetime.fromtimestamp(time.time() - ago, UTC).isoformat(timespec="milliseconds")
        message = {
            "Type": "Notification",
            "MessageId": secrets.token_hex(16),
            "TopicArn": TOPIC,
            "Message": told if isinstance(told, str) else json.dumps(told),
            "Timestamp": at.replace("+00:00", "Z"),
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE,
            **fields,
        }
        names = sorted(name for name in message if name not in {"SignatureVersion", "SigningCertURL"})
        signed = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
        digest = SHA1() if version == "1" else SHA256()
        message["Signature"] = base64.b64encode(self.key.sign(signed, PKCS1v15(), digest)).decode()
        return json.dumps(message).encode(), {"content-type": "text/plain; charset=UTF-8"}

    def confirmation(self, **fields: str) -> Signed:
        """What SNS sends when somebody has subscribed us."""
        more = {"Type": "SubscriptionConfirmation", "SubscribeURL": SUBSCRIBE, "Token": "0123", **fields}
        return self.call("You have chosen to subscribe to the topic.", **more)


@dataclass
class Sendgrid:
    """SendGrid with a key of its own."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def shown(self) -> str:
        """The public key, as the settings take it."""
        return base64.b64encode(
            self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode()

    def call(self, *events: dict[str, Any], ago: float = 0) -> Signed:
        """A batch of events."""
        return self.sign(json.dumps(events).encode(), ago=ago)

    def sign(self, body: bytes, *, ago: float = 0) -> Signed:
        """Any body."""
        at = str(int(time.time() - ago))
        signature = base64.b64encode(self.key.sign(at.encode() + body, ec.ECDSA(SHA256()))).decode()
        return body, {
            "x-twilio-email-event-webhook-signature": signature,
            "x-twilio-email-event-webhook-timestamp": at,
        }


def mailgun(event: dict[str, Any], *, ago: float = 0, key: str = MAILGUN_KEY, token: str = "") -> Signed:
    """A call of Mailgun's."""
    at, token = str(int(time.time() - ago)), token or secrets.token_hex(25)
    signature = hmac.digest(key.encode(), (at + token).encode(), "sha256").hex()
    signed = {"signature": {"timestamp": at, "token": token, "signature": signature}, "event-data": event}
    return json.dumps(signed).encode(), {}


def postmark(event: dict[str, Any], credentials: str = POSTMARK) -> Signed:
    """A call of Postmark's."""
    given = base64.b64encode(credentials.encode()).decode()
    return json.dumps(event).encode(), {"authorization": f"Basic {given}"}


def generic(told: object, *, ago: float = 0, key: bytes = GENERIC_KEY) -> Signed:
    """A call in our own form."""
    body, at = json.dumps(told).encode(), str(int(time.time() - ago))
    signature = hmac.digest(key, f"{at}.".encode() + body, "sha256").hex()
    return body, {"duly-timestamp": at, "duly-signature": f"sha256={signature}"}
