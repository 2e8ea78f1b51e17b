"""Mailgun: HMAC-SHA-256 of a time and a token, both in the body (Mailgun: Securing Webhooks).

The signature does not cover the event. So a token counts once: it is the event's id, and whatever else comes with it is
ignored. Mailgun tries again for eight hours with the same signature.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from services.callbacks.providers.call import Call, Freshness, Verified, event, forged, unsigned
from services.callbacks.reading import parsed

RETRIED_FOR = 8 * 3600.0
"""How long Mailgun tries again, in seconds (Mailgun: Webhook Retries)."""
_PARTS = ("timestamp", "token", "signature")


@dataclass(frozen=True, slots=True)
class Mailgun:
    """Verifies with any of the signing keys. A subaccount's events are signed with the parent's, too."""

    keys: Sequence[bytes]
    tolerance: float

    async def verify(self, call: Call) -> Verified:
        """The one event of the call.

        Raises:
            Refused: as `Provider` says.
        """
        told = parsed(call.body)
        signature = told.get("signature") if isinstance(told, dict) else None
        if not isinstance(signature, dict) or not all(isinstance(signature.get(part), str) for part in _PARTS):
            raise unsigned("signature")
        at, token = signature["timestamp"], signature["token"]
        made = [signature["signature"], signature.get("parent-signature")]
        key = self._key((at + token).encode(errors="replace"), [each for each in made if isinstance(each, str)])
        Freshness(self.tolerance, RETRIED_FOR).check_unix(at, call)
        proof = {"scheme": "mailgun hmac-sha256", "key": str(key), "timestamp": at}
        return Verified("mailgun", proof, (event(token, call.body, told),))

    def _key(self, signed: bytes, signatures: Sequence[str]) -> int:
        """The number of the key that made one of these, the first being 1."""
        for number, key in enumerate(self.keys, 1):
            expected = hmac.digest(key, signed, "sha256").hex().encode()
            if any(hmac.compare_digest(expected, each.lower().encode(errors="replace")) for each in signatures):
                return number
        raise forged("no signing key of ours made this signature")
