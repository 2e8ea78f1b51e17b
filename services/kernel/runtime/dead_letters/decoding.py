"""Making a message readable: the CloudEvent in it, or its text, and why its worker cannot read it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from schemas.cloudevents import EnvelopeRefused, read
from services.kernel.ports import Delivery
from services.kernel.runtime.dead_letters.records import Decoded
from services.kernel.runtime.items import Item, items_of

SHOWN_MOST = 256 * 1024
"""Characters of a body that are shown as text."""


def decode(body: bytes, content_type: str, headers: Mapping[str, str], routing_key: str, worker: str) -> Decoded:
    """The message as a person can read it."""
    items = as_items(body, content_type, headers, routing_key, worker)
    fault = "; ".join(fault for item in items for fault in item.faults) or None
    text = body.decode("utf-8", "replace")[:SHOWN_MOST]
    try:
        envelope = read(body, content_type, headers)
    except EnvelopeRefused:
        return Decoded(None, None, text, fault)
    attributes = envelope.model_dump(mode="json", exclude={"data"}, exclude_none=True)
    shown = {name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()}
    data = json.dumps(envelope.data, ensure_ascii=False, indent=2)
    return Decoded(shown, data[:SHOWN_MOST], text, fault)


def as_items(body: bytes, content_type: str, headers: Mapping[str, str], routing_key: str, worker: str) -> list[Item]:
    """The items that its worker will find in it."""
    return items_of(Delivery(0, body, content_type, dict(headers), routing_key, False, None, None), worker)
