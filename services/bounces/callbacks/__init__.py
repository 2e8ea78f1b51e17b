"""Reading providers' events: what one proves about the delivery of a mail. No database, no broker, no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from services.bounces.callbacks import generic, mailgun, postmark, sendgrid, ses
from services.bounces.callbacks.shapes import Told, unreadable
from services.bounces.classify import Classification

_READERS: Mapping[str, Callable[[Told], Classification]] = {
    "generic": generic.read,
    "mailgun": mailgun.read,
    "postmark": postmark.read,
    "sendgrid": sendgrid.read,
    "ses": ses.read,
}


def read_event(source: str | None, body: bytes) -> Classification:
    """What a provider's event proves. Never raises: what cannot be read is unclear, and a person looks at it.

    Args:
        source: The provider, and after a slash which of its kind.
        body: The event as it came.
    """
    reader = _READERS.get((source or "").partition("/")[0])
    try:
        told = json.loads(body.decode())
    except (ValueError, RecursionError):
        return unreadable("not JSON")
    if reader is None or not isinstance(told, dict):
        return unreadable("no event of a known form")
    try:
        return reader(told)
    except Exception as error:  # noqa: BLE001 -- an event that cannot be read is a person's matter, never a crash
        return unreadable(type(error).__name__)
