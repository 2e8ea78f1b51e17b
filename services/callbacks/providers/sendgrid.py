"""SendGrid: ECDSA on P-256 with SHA-256 over a time and the raw body (Twilio: Event Webhook Security Features).

SendGrid tries again for a day, and does not say that it signs anew. The signature covers every event, and each counts
once: an old call that comes again brings nothing, and one that comes for the first time is not lost.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from services.callbacks.providers.call import Call, Event, Freshness, Verified, event, forged, unsigned, whole
from services.callbacks.reading import elements

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
RETRIED_FOR = 24 * 3600.0
"""How long SendGrid tries again, in seconds (Twilio: Troubleshooting the Event Webhook)."""


@dataclass(frozen=True, slots=True)
class Sendgrid:
    """Verifies with any of the public keys."""

    keys: Sequence[EllipticCurvePublicKey]
    tolerance: float

    async def verify(self, call: Call) -> Verified:
        """The events of the call: an array.

        Raises:
            Refused: as `Provider` says.
        """
        signature, at = call.headers.get(SIGNATURE), call.headers.get(TIMESTAMP)
        if not signature or not at:
            raise unsigned("signature")
        key = self._key(_bytes(signature), at.encode(errors="replace") + call.body)
        Freshness(self.tolerance, RETRIED_FOR).check_unix(at, call)
        proof = {"scheme": "sendgrid ecdsa-p256-sha256", "key": str(key), "timestamp": at, "signature": signature}
        return Verified("sendgrid", proof, _cut(call.body), batch=True)

    def _key(self, signature: bytes, signed: bytes) -> int:
        """The number of the key that made it, the first being 1."""
        for number, key in enumerate(self.keys, 1):
            try:
                key.verify(signature, signed, ECDSA(SHA256()))
            except InvalidSignature:
                continue
            return number
        raise forged("no key of ours made this signature")


def _bytes(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise forged("the signature is not base64") from None


def _cut(body: bytes) -> tuple[Event, ...]:
    cut = tuple(
        event(told.get("sg_event_id") if isinstance(told, dict) else None, written, told)
        for written, told in elements(body)
    )
    return cut or (whole(body),)
