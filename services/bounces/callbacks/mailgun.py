"""Mailgun, events as of 2018 and the older form (Mailgun: Events, Webhooks).

`failed` says itself whether it is permanent; after the last temporary failure Mailgun sends a permanent one.
`rejected` and the older `dropped` were never handed over.
"""

from __future__ import annotations

from services.bounces.callbacks.shapes import Told, code, judged, lasting, text, unknown
from services.bounces.classify import Classification
from services.kernel.domain.evidence import Verdict

_SIMPLE = {
    "accepted": Verdict.DELIVERED,
    "delivered": Verdict.DELIVERED,
    "complained": Verdict.COMPLAINT,
    "opened": Verdict.OTHER,
    "clicked": Verdict.OTHER,
    "unsubscribed": Verdict.OTHER,
    "stored": Verdict.OTHER,
}
_FINAL = {"rejected", "bounced", "dropped"}


def read(told: Told) -> Classification:
    """What the event proves."""
    inner = told.get("event-data")
    event: Told = inner if isinstance(inner, dict) else told
    kind, severity = text(event, "event"), text(event, "severity")
    recipients = [text(event, "recipient") or text(event, "message", "headers", "to")]
    message_id = text(event, "message", "headers", "message-id") or text(event, "Message-Id")
    status = lasting(text(event, "delivery-status", "enhanced-code"), text(event, "code"), text(event, "error"))
    named = f"mailgun {code(kind)} {code(text(event, 'reason')) if text(event, 'reason') else ''}".strip()
    if kind in _FINAL or (kind == "failed" and severity == "permanent"):
        return judged(Verdict.FINAL, f"{status}: {named}", recipients, message_id)
    if kind == "failed" and severity == "temporary":
        return judged(Verdict.DELAYED, named, recipients, message_id)
    if kind == "failed":
        return judged(Verdict.UNCLEAR, f"{named}, severity {code(severity)}", recipients, message_id)
    if kind in _SIMPLE:
        return judged(_SIMPLE[kind], named, recipients, message_id)
    return unknown({name: event[name] for name in event if name != "message"}, kind, recipients, message_id)
