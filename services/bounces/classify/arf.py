"""Complaints: feedback reports (RFC 5965, RFC 6591) and the older kinds that have no format. Never failures."""

from __future__ import annotations

import re

from services.bounces.classify.addresses import addresses_in, clean
from services.bounces.classify.mime import Part, decode

_SENDERS = re.compile(
    r"staff@hotmail\.com|scomp@aol\.net|feedback@arf\.|fbl[-@.]|feedback.?loop|complaints?@|junkmail", re.IGNORECASE
)
_SUBJECTS = re.compile(
    r"complaint about message from|^(?:e-?mail )?feedback report|abuse report|\bfbl\b|feedback loop"
    r"|spam (?:report|complaint)",
    re.IGNORECASE,
)
_RECIPIENT = re.compile(r"(?im)^(?:original-rcpt-to|removal-recipient|x-hmxmroriginalrecipient)[ \t]*:[ \t]*(.+)$")


def is_complaint(mail: Part) -> bool:
    """Whether a recipient or its provider complains about a message that was delivered."""
    if "feedback-report" in mail.header("content-type").lower():
        return True
    if any(leaf.content_type == "message/feedback-report" for leaf in mail.leaves()):
        return True
    return bool(_SENDERS.search(mail.header("from")) and _SUBJECTS.search(mail.header("subject")))


def complained_recipients(mail: Part) -> tuple[str, ...]:
    """The recipients that a complaint names, lower case; often redacted by the provider."""
    text = "\n".join(decode(leaf.decoded()[:4096], "utf-8") for leaf in mail.leaves())
    return tuple(
        dict.fromkeys(a for value in _RECIPIENT.findall(text) for a in (*addresses_in(value), clean(value)) if a)
    )
