"""Postmark (Postmark: Webhooks, Bounce API: types of bounces).

Postmark has ceased to try when it calls a message a soft bounce or undeliverable ("How to fix soft bounces"). What it
counts as automatic replies has reports of non-delivery among it, and what is delayed may yet arrive: unclear.
"""

from __future__ import annotations

from services.bounces.callbacks.shapes import Told, code, judged, lasting, text, unknown, value
from services.bounces.classify import Classification
from services.kernel.domain.evidence import Verdict

_TYPES = {
    1: "HardBounce",
    2: "Transient",
    16: "Unsubscribe",
    32: "Subscribe",
    64: "AutoResponder",
    128: "AddressChange",
    256: "DnsError",
    512: "SpamNotification",
    1024: "OpenRelayTest",
    2048: "Unknown",
    4096: "SoftBounce",
    8192: "VirusNotification",
    16384: "ChallengeVerification",
    100000: "BadEmailAddress",
    100001: "SpamComplaint",
    100002: "ManuallyDeactivated",
    100003: "Unconfirmed",
    100006: "Blocked",
    100007: "SMTPApiError",
    100008: "InboundError",
    100009: "DMARCPolicy",
    100010: "TemplateRenderingFailed",
}
_FINAL = {
    "HardBounce": "permanent",
    "SoftBounce": "transient",
    "BadEmailAddress": "permanent",
    "ManuallyDeactivated": "permanent",
    "Unconfirmed": "permanent",
    "Blocked": "permanent",
    "SMTPApiError": "permanent",
    "DMARCPolicy": "permanent",
    "TemplateRenderingFailed": "permanent",
}
"""What each final type is where no status says it."""
_OTHER = {"Unsubscribe", "Subscribe", "OpenRelayTest", "InboundError"}
_SIMPLE = {
    "Delivery": Verdict.DELIVERED,
    "SpamComplaint": Verdict.COMPLAINT,
    "Open": Verdict.OTHER,
    "Click": Verdict.OTHER,
    "Inbound": Verdict.OTHER,
}


def read(told: Told) -> Classification:
    """What the event proves."""
    record = text(told, "RecordType")
    recipients = [text(told, "Email") or text(told, "Recipient")]
    if record == "Bounce":
        return _bounce(told, recipients)
    if record == "SubscriptionChange":
        return _suppressed(told, recipients)
    if record in _SIMPLE:
        return judged(_SIMPLE[record], f"postmark {record}", recipients)
    return unknown(told, record, recipients)


def _bounce(told: Told, recipients: list[str]) -> Classification:
    number = value(told, "TypeCode")
    kind = text(told, "Type") or (_TYPES.get(number, "") if isinstance(number, int) else "")
    named, details = f"postmark {code(kind)}", text(told, "Details")
    if kind in _FINAL:
        lasts = lasting(details, "4.0.0" if _FINAL[kind] == "transient" else "")
        return judged(Verdict.FINAL, f"{lasts}: {named}", recipients)
    if kind == "Transient" and "undeliverable" in text(told, "Name").lower():
        return judged(Verdict.FINAL, f"transient: {named}, given up", recipients)
    if kind == "SpamComplaint":
        return judged(Verdict.COMPLAINT, named, recipients)
    if kind in _OTHER:
        return judged(Verdict.OTHER, named, recipients)
    return judged(Verdict.UNCLEAR, named, recipients)


def _suppressed(told: Told, recipients: list[str]) -> Classification:
    """The address is suppressed because of this message, or for another reason, or no longer."""
    reason = text(told, "SuppressionReason")
    if value(told, "SuppressSending") is not True:
        return judged(Verdict.OTHER, "postmark resubscribed", recipients)
    if reason == "HardBounce":
        return judged(Verdict.FINAL, "permanent: postmark suppressed after HardBounce", recipients)
    verdict = Verdict.COMPLAINT if reason == "SpamComplaint" else Verdict.OTHER
    return judged(verdict, f"postmark suppressed: {code(reason)}", recipients)
