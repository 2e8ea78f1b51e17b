"""Amazon SES, from an SNS message or by itself (Amazon SES Developer Guide: SNS notification and event contents).

SES gives up before it reports a bounce, so a transient one whose subtype says what happened is as final as a permanent
one. `General` is not: SES reports automatic replies so. A complaint may tell of a mail that SES never sent, as an older
complaint suppresses the address. Both `notificationType` and `eventType` are read.
"""

from __future__ import annotations

from services.bounces.callbacks.shapes import Told, code, items, judged, lasting, nested, text, unknown, value
from services.bounces.classify import Classification
from services.kernel.domain.evidence import Verdict

_GAVE_UP = {"MailboxFull", "MessageTooLarge", "ContentRejected", "AttachmentRejected", "CustomTimeoutExceeded"}
_NEVER_SENT = {"Reject", "Rendering Failure"}
_SUPPRESSED = "OnAccountSuppressionList"
_SIMPLE = {
    "Delivery": Verdict.DELIVERED,
    "Send": Verdict.DELIVERED,
    "DeliveryDelay": Verdict.DELAYED,
    "Complaint": Verdict.COMPLAINT,
    "Open": Verdict.OTHER,
    "Click": Verdict.OTHER,
    "Subscription": Verdict.OTHER,
    "AmazonSnsSubscriptionSucceeded": Verdict.OTHER,
}


def read(told: Told) -> Classification:
    """What the event proves."""
    if "Message" in told and "Type" in told:
        told = nested(told["Message"])
    kind = text(told, "notificationType") or text(told, "eventType")
    sent_to, message_id = items(told, "mail", "destination"), text(told, "mail", "commonHeaders", "messageId")
    if kind == "Bounce":
        return _bounce(told, message_id)
    if kind in _NEVER_SENT:
        return judged(Verdict.FINAL, f"permanent: ses {kind}, never sent", sent_to, message_id)
    if kind == "Complaint" and text(told, "complaint", "complaintSubType") == _SUPPRESSED:
        complained = _addressed(told, "complaint", "complainedRecipients") or sent_to
        return judged(Verdict.FINAL, f"permanent: ses {kind} {_SUPPRESSED}, never sent", complained, message_id)
    if kind in _SIMPLE:
        return judged(_SIMPLE[kind], f"ses {kind}", sent_to, message_id)
    if not kind and not any(name in told for name in ("bounce", "reject", "failure", "deliveryDelay")):
        return judged(Verdict.OTHER, "ses message without an event", sent_to, message_id)
    return unknown({name: told[name] for name in told if name != "mail"}, kind, sent_to, message_id)


def _bounce(told: Told, message_id: str) -> Classification:
    kind, subtype = text(told, "bounce", "bounceType"), text(told, "bounce", "bounceSubType")
    bounced = [each for each in items(told, "bounce", "bouncedRecipients") if isinstance(each, dict)]
    recipients = _addressed(told, "bounce", "bouncedRecipients")
    named = f"ses {code(kind)} {code(subtype)}"
    if kind == "Permanent":
        return judged(Verdict.FINAL, f"permanent: {named}", recipients, message_id)
    if kind == "Transient" and subtype in _GAVE_UP:
        status = lasting(*(text(each, "status") for each in bounced), "4.0.0")
        return judged(Verdict.FINAL, f"{status}: {named}, given up", recipients, message_id)
    return judged(Verdict.UNCLEAR, named, recipients, message_id)


def _addressed(told: Told, *path: str) -> list[object]:
    """The addresses in a list of recipients."""
    return [value(each, "emailAddress") for each in items(told, *path) if isinstance(each, dict)]
