"""SendGrid (Twilio: Event Webhook Reference).

A `bounce` is final for this message whether the address is bad (`bounce`) or the mail was refused this once
(`blocked`): SendGrid does not try again. A `dropped` mail was never handed over.
"""

from __future__ import annotations

from services.bounces.callbacks.shapes import Told, code, judged, lasting, text, unknown
from services.bounces.classify import Classification
from services.kernel.domain.evidence import Verdict

_SIMPLE = {
    "processed": Verdict.DELIVERED,
    "delivered": Verdict.DELIVERED,
    "deferred": Verdict.DELAYED,
    "spamreport": Verdict.COMPLAINT,
    "open": Verdict.OTHER,
    "click": Verdict.OTHER,
    "unsubscribe": Verdict.OTHER,
    "group_unsubscribe": Verdict.OTHER,
    "group_resubscribe": Verdict.OTHER,
}
_BOUNCES = {"": "permanent", "bounce": "permanent", "blocked": "transient", "expired": "transient"}
"""What each type of bounce is where no status says it."""


def read(told: Told) -> Classification:
    """What the event proves."""
    kind, bounce = text(told, "event"), text(told, "type")
    recipients, message_id = [text(told, "email")], text(told, "smtp-id")
    if kind == "bounce" and bounce in _BOUNCES:
        status = text(told, "status")
        lasts = lasting(status) if status else _BOUNCES[bounce]
        return judged(Verdict.FINAL, f"{lasts}: sendgrid bounce {bounce}".strip(), recipients, message_id)
    if kind == "dropped":
        reason = code(text(told, "reason"))
        return judged(Verdict.FINAL, f"permanent: sendgrid dropped {reason}, never sent", recipients, message_id)
    if kind in _SIMPLE:
        return judged(_SIMPLE[kind], f"sendgrid {kind}", recipients, message_id)
    return unknown(told, kind, recipients, message_id)
