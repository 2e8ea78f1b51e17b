"""Postmark: no signature; it signs in with HTTP Basic (RFC 7617), as its documentation advises (Webhooks: Protecting).

There is no signed time: TLS in front of this door is what keeps the password, and each event counts once.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from services.callbacks.providers.call import Call, Verified, event, forged, malformed, unsigned
from services.callbacks.reading import parsed


@dataclass(frozen=True, slots=True)
class Postmark:
    """Verifies with any of the credentials, each `user:password`."""

    credentials: Sequence[bytes]

    async def verify(self, call: Call) -> Verified:
        """The one event of the call.

        Raises:
            Refused: as `Provider` says.
        """
        scheme, _, given = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise unsigned("credentials")
        number, told = self._number(_bytes(given)), parsed(call.body)
        if not isinstance(told, dict):
            raise malformed("the body is no JSON object: it is not whole, or not Postmark's")
        proof = {"scheme": "postmark basic", "key": str(number)}
        return Verified("postmark", proof, (event(_event_id(told), call.body, told),))

    def _number(self, given: bytes) -> int:
        """The number of the credentials that these are, the first being 1; as long for each as for none."""
        right = [hmac.compare_digest(each, given) for each in self.credentials]
        if True not in right:
            raise forged("these credentials are not ours")
        return right.index(True) + 1


def _bytes(given: str) -> bytes:
    try:
        return base64.b64decode(given.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise forged("the credentials are not base64") from None


def _event_id(told: dict[str, object]) -> str | None:
    """A bounce's or complaint's own number; others have none, and are the same if they say the same."""
    kind, number = told.get("RecordType"), told.get("ID")
    return f"{kind}:{number}" if isinstance(kind, str) and type(number) is int and number else None
