"""Signatures of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, one for each key.

Standards: Standard Webhooks 1.0.0 (symmetric, `v1`), RFC 2104.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

_PLAIN = ":/_-~@+="


def message_id(event_id: str) -> str:
    """The event's id as a header can carry it: what is not plain ASCII, and the full stop, is percent-encoded."""
    return quote(event_id, safe=_PLAIN).replace(".", "%2E")


def signed(keys: Sequence[bytes], event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that vouch for a body, one signature a key: the receiver changes to a new one in its own time."""
    named, seconds = message_id(event_id), str(int(at.timestamp()))
    content = b".".join((named.encode(), seconds.encode(), body))
    signatures = (b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)
    return {
        "webhook-id": named,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
