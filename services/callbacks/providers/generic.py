"""Any other provider: our own JSON form, HMAC-SHA-256 over time and raw body. `services/callbacks/README.md` has it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.callbacks.providers.call import (
    LONGEST_EVENT_ID,
    Call,
    Event,
    Freshness,
    Verified,
    event,
    forged,
    malformed,
    stranger,
    unsigned,
)
from services.callbacks.reading import elements, parsed

SIGNATURE = "duly-signature"
TIMESTAMP = "duly-timestamp"
_ALGORITHM = "sha256="
_MOST_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class Generic:
    """Verifies with any of the keys of the provider that the path names, and with no one else's."""

    keys: Mapping[str, Sequence[bytes]]
    tolerance: float

    async def verify(self, call: Call) -> Verified:
        """The events of the call: one object, or an array of them.

        Raises:
            Refused: as `Provider` says, or the form is not ours.
        """
        signature, at = call.headers.get(SIGNATURE), call.headers.get(TIMESTAMP)
        if not signature or not at:
            raise unsigned("signature")
        key = self._key(call.name, signature, f"{at}.".encode(errors="replace") + call.body)
        Freshness(self.tolerance).check_unix(at, call)
        events, batch = _cut(call.body)
        proof = {"scheme": "hmac-sha256", "key": str(key), "timestamp": at, "signature": signature}
        return Verified(f"generic/{call.name}", proof, events, batch)

    def _key(self, name: str, signature: str, signed: bytes) -> int:
        """The number of the provider's key that made it, the first being 1."""
        if name not in self.keys:
            raise stranger("no provider of this name is known here")
        given = signature.encode(errors="replace")
        for number, key in enumerate(self.keys[name], 1):
            expected = _ALGORITHM + hmac.digest(key, signed, "sha256").hex()
            if hmac.compare_digest(expected.encode(), given):
                return number
        raise forged("no key of this provider made this signature")


def _cut(body: bytes) -> tuple[tuple[Event, ...], bool]:
    one = parsed(body)
    pieces = [(body, one)] if isinstance(one, dict) else elements(body)
    if not pieces:
        raise malformed("the body is neither a JSON object nor an array of them, in UTF-8")
    if len(pieces) > _MOST_EVENTS:
        raise malformed(f"{len(pieces)} events; {_MOST_EVENTS} at most")
    return tuple(_event(number, *piece) for number, piece in enumerate(pieces)), not isinstance(one, dict)


def _event(number: int, written: bytes, told: object) -> Event:
    event_id = told.get("id") if isinstance(told, dict) else None
    made = event(event_id, written, told)
    if made.event_id != event_id:
        raise malformed(f"event {number}: `id` should be 1 to {LONGEST_EVENT_ID} printable ASCII characters, no spaces")
    return made
