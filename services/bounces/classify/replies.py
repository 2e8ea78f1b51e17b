"""Automatic replies (RFC 3834), challenges and read receipts: they prove nothing about delivery.

A third of real reports carry `Auto-Submitted: auto-replied`, so this is asked only after reports were looked for.
"""

from __future__ import annotations

import re

from services.bounces.classify.mime import Part
from services.bounces.classify.phrases import AUTO_REPLY_SUBJECT, CHALLENGE_WORDS
from services.bounces.classify.text import fold, header_text

_REPLY_HEADERS = frozenset(
    {"x-autoreply", "x-autorespond", "x-autoresponse", "x-auto-reply-from", "x-mail-autoreply", "x-autoresponder"}
)
_REFUSAL = re.compile(r"\b(?:was|has been|is)\s+(?:automatically\s+)?(?:rejected|refused)", re.IGNORECASE)
_REPLY_PRECEDENCE = re.compile(r"auto.?reply", re.IGNORECASE)
_CONVERSATION = re.compile(
    r"^\s*(?:(?:re|fwd?|aw|wg|sv|vs|tr|rv|enc|antw|res|rif|r|i|vb|doorst|ответ|回复|转发)(?:\[\d+\])?\s*[::])",
    re.IGNORECASE,
)


def is_auto_reply(mail: Part) -> bool:
    """Whether a responder answered in the recipient's place: a vacation notice, an acknowledgement."""
    return is_marked_reply(mail) or has_reply_subject(mail)


def has_reply_subject(mail: Part) -> bool:
    """Whether the subject is one that responders write."""
    return bool(AUTO_REPLY_SUBJECT.search(fold(header_text(mail.header("subject"))).strip()))


def is_marked_reply(mail: Part) -> bool:
    """Whether the headers say that it is a responder's answer."""
    if mail.header("auto-submitted").lower().startswith("auto-replied"):
        return True
    names = {name for name, _ in mail.headers}
    return bool(names & _REPLY_HEADERS) or bool(_REPLY_PRECEDENCE.search(mail.header("precedence")))


def is_challenge(folded_text: str) -> bool:
    """Whether the words ask the sender to prove something before the message goes on: a person decides."""
    return bool(CHALLENGE_WORDS.search(folded_text))


def is_receipt(mail: Part) -> bool:
    """Whether it is a disposition notification (RFC 8098), which comes from the recipient's own reader."""
    if "disposition-notification" in mail.header("content-type").lower():
        return True
    return any(leaf.content_type == "message/disposition-notification" for leaf in mail.leaves())


def is_refusal(text: str) -> bool:
    """Whether a disposition notification tells of a refusal: mail filters may refuse in that form (RFC 5429)."""
    return bool(_REFUSAL.search(text))


def is_conversation(mail: Part) -> bool:
    """Whether the subject says that a person answers or forwards."""
    return bool(_CONVERSATION.match(header_text(mail.header("subject"))))
