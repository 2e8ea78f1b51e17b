"""Amazon SES through SNS: RSA signatures over the message's fields, version 1 (SHA-1) and 2 (SHA-256).

The certificate comes only from SNS itself, and only topics of the settings are heard: anybody may have a topic, and SNS
signs for all. A subscription to such a topic is confirmed. SNS tries again for an hour with the time of the first try.
Raw message delivery must be off: without its envelope a message has no signature.
Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from services.callbacks.providers.call import Call, Freshness, Verified, event, forged, stranger, unsigned
from services.callbacks.providers.certificates import Certificates, Fetch
from services.callbacks.reading import parsed
from services.kernel.runtime.logging import logger

RETRIED_FOR = 3600.0
"""How long SNS tries again at most, in seconds (Amazon SNS message delivery retries)."""
_DIGESTS = {"1": SHA1(), "2": SHA256()}  # noqa: S303 -- version 1 is what topics sign with until told otherwise
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_NEEDED = ("Message", "MessageId", "Timestamp", "TopicArn", "Type", "Signature", "SignatureVersion", "SigningCertURL")
_HOST = re.compile(r"sns\.[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}\.amazonaws\.com(?:\.cn)?")
_CERTIFICATE = re.compile(r"/[A-Za-z0-9_-][A-Za-z0-9_./-]*\.pem")


@dataclass(frozen=True, slots=True)
class Ses:
    """Verifies what SNS sends for these topics."""

    topics: Collection[str]
    certificates: Certificates
    fetch: Fetch
    tolerance: float

    async def verify(self, call: Call) -> Verified:
        """The one event of the call; none if it is about the subscription itself.

        Raises:
            Refused, Unreachable: as `Provider` says.
        """
        message = _message(call.body)
        if message["TopicArn"] not in self.topics:
            raise stranger("this topic is not ours")
        Freshness(self.tolerance, RETRIED_FOR).check(_instant(message["Timestamp"]), call)
        await self._check_signature(message, call)
        proof = {
            "scheme": f"sns signature version {message['SignatureVersion']}",
            "certificate": message["SigningCertURL"],
            "topic": message["TopicArn"],
            "timestamp": message["Timestamp"],
        }
        if message["Type"] == "Notification":
            return Verified("ses", proof, (event(message["MessageId"], call.body, _told(message)),))
        await self._subscription(message)
        return Verified("ses", proof)

    async def _check_signature(self, message: dict[str, str], call: Call) -> None:
        url = message["SigningCertURL"]
        if not _of_sns(url) or not _CERTIFICATE.fullmatch(urlsplit(url).path) or urlsplit(url).query:
            raise forged("the certificate is not at SNS")
        digest = _DIGESTS.get(message["SignatureVersion"])
        if digest is None:
            raise forged("the signature's version is not known")
        key = await self.certificates.key(url, call.at)
        try:
            key.verify(base64.b64decode(message["Signature"], validate=True), _signed(message), PKCS1v15(), digest)
        except (InvalidSignature, binascii.Error, ValueError):
            raise forged("SNS did not sign this") from None

    async def _subscription(self, message: dict[str, str]) -> None:
        """Confirm a subscription that somebody made for us; note one that somebody ended."""
        if message["Type"] == "UnsubscribeConfirmation":
            logger().error("subscription.ended", source="ses")
            return
        if not _of_sns(message["SubscribeURL"]):
            raise forged("the subscription is not at SNS")
        await self.fetch(message["SubscribeURL"])
        logger().info("subscription.confirmed", source="ses")


def _message(body: bytes) -> dict[str, str]:
    """The message's fields, all that its signature needs among them."""
    told = parsed(body)
    fields = {name: value for name, value in told.items() if isinstance(value, str)} if isinstance(told, dict) else {}
    needed = [*_NEEDED, *(("SubscribeURL", "Token") if fields.get("Type") != "Notification" else ())]
    if not all(name in fields for name in needed) or fields["Type"] not in _SIGNED:
        raise unsigned("SNS signature (raw message delivery must be off)")
    return fields


def _signed(message: dict[str, str]) -> bytes:
    """What SNS signs: names and values in byte order of the names, a line each."""
    fields = (name for name in _SIGNED[message["Type"]] if name in message)
    return "".join(f"{name}\n{message[name]}\n" for name in fields).encode(errors="replace")


def _instant(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
        return at.timestamp() if at.tzinfo else float("-inf")
    except (ValueError, OverflowError):
        raise forged("the signed time is not an instant") from None


def _of_sns(url: str) -> bool:
    """Whether it leads to SNS, over TLS, at its own port and to nobody's account."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url and not parts.fragment
    return plain and parts.scheme == "https" and _HOST.fullmatch(parts.netloc) is not None


def _told(message: dict[str, str]) -> object:
    """The message with what it carries opened, so that its texts are seen."""
    inner = parsed(message["Message"].encode(errors="replace"))
    return inner if inner is not None else message
