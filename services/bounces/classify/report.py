"""Delivery status notifications (RFC 3464, RFC 6522, RFC 6533), also where they lie outside their MIME part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.bounces.classify.addresses import clean
from services.bounces.classify.mime import Part, decode

LONGEST_STATUS = 16 * 1024
"""As much of a part that is not declared to be one is searched for a report's fields."""
_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_FIELD = re.compile(
    r"^[ \t>]{0,4}(?P<name>(?:x-)?(?:original|final|actual|failed)-recipient|action|status|diagnostic-code"
    r"|original-envelope-id|reporting-mta)[ \t]*:[ \t]*(?P<value>.*)$",
    re.IGNORECASE,
)
_LOOKS_LIKE_FIELDS = re.compile(r"^[ \t>]{0,4}(?:final|original)-recipient[ \t]*:", re.IGNORECASE | re.MULTILINE)
_ACTION_LINE = re.compile(r"^[ \t>]{0,4}action[ \t]*:[ \t]*\w", re.IGNORECASE | re.MULTILINE)
_STARTS_A_RECIPIENT = frozenset({"final-recipient", "original-recipient", "action"})
_FOLD = re.compile(r"\n[ \t]+(?![\w-]+[ \t]*:[ \t])")
# RFC 3464, section 2.3.3, and the spellings that occur in its place
_ACTIONS = (
    ("failed", re.compile(r"fail|expired|undeliver|bounce|reject|permanent|error")),
    ("delayed", re.compile(r"delay|defer|transient|warn|retr|queued")),
    ("delivered", re.compile(r"deliver|relay|expand|success")),
)
_STATUS = re.compile(r"\b([245])\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """The fields of one recipient: addresses in lower case (empty if absent), action and status as they stand."""

    original: str = ""
    final: str = ""
    action: str = ""
    status: str = ""
    diagnostic: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """The recipient as the sender wrote it, if the report tells; else as the reporting system knew it."""
        return self.original or self.final

    @property
    def outcome(self) -> str:
        """`failed`, `delayed`, `delivered`, or empty. `Action` decides; the status class only where it is missing.

        A class 4 without action is empty: it may be tried again or be given up (RFC 3463, section 3.1).
        """
        if self.action:
            return next((name for name, spelling in _ACTIONS if spelling.search(self.action)), "")
        found = _STATUS.search(self.status)
        return {"5": "failed", "2": "delivered"}.get(found.group(1), "") if found else ""


def status_parts(mail: Part) -> str:
    """The text of the mail's delivery-status parts, outside any returned message; empty if it has none."""
    parts = [leaf for leaf in mail.leaves() if leaf.content_type in _STATUS_TYPES]
    if mail.content_type in _STATUS_TYPES:
        parts = [mail]
    return "\n\n".join(decode(part.decoded(), part.charset) for part in parts)


def receipt_fields(mail: Part) -> str:
    """The text of the mail's disposition notifications (RFC 8098), which name the recipient as reports do."""
    parts = [leaf for leaf in mail.leaves() if leaf.content_type == "message/disposition-notification"]
    return "\n\n".join(decode(part.decoded(), part.charset) for part in parts)


def undeclared(mail: Part) -> Iterator[str]:
    """The parts that are neither the reporter's words nor the returned message: its fields may lie in them."""
    leaves = [leaf for leaf in mail.leaves() if not leaf.is_returned_message and leaf.content_type != "text/html"]
    return (decode(leaf.decoded()[:LONGEST_STATUS], leaf.charset) for leaf in leaves[1:])


def fields_in_text(text: str) -> bool:
    """Whether a text carries the fields of a report, as mail does that lost its MIME structure on the way."""
    return bool(_LOOKS_LIKE_FIELDS.search(text) and _ACTION_LINE.search(text))


def recipient_reports(text: str) -> tuple[RecipientReport, ...]:
    """Reads the recipients' fields. A repeated field begins the next recipient; blank lines may be lost or too many."""
    reports: list[dict[str, str]] = [{}]
    blank = False
    for line in _FOLD.sub(" ", text.replace("\r\n", "\n")).split("\n"):
        found = _FIELD.match(line)
        if not found:
            blank = blank or not line.strip()
            continue
        name = found["name"].lower()
        if name in reports[-1] or (blank and name in _STARTS_A_RECIPIENT and _is_complete(reports[-1])):
            reports.append({})
        reports[-1].setdefault(name, found["value"].strip())
        blank = False
    return tuple(_report(fields) for fields in reports if _STARTS_A_RECIPIENT & fields.keys())


def _is_complete(fields: dict[str, str]) -> bool:
    return "action" in fields and bool({"final-recipient", "original-recipient"} & fields.keys())


def _report(fields: dict[str, str]) -> RecipientReport:
    final = _address(fields.get("final-recipient", "")) or _address(fields.get("x-actual-recipient", ""))
    return RecipientReport(
        original=_address(fields.get("original-recipient", "")),
        final=final,
        action=fields.get("action", "").lower(),
        status=fields.get("status", ""),
        diagnostic=fields.get("diagnostic-code", ""),
    )


def _address(value: str) -> str:
    """`rfc822; <Jane@Example.org> (comment)` gives `jane@example.org`; `unknown` and X.400 names give nothing."""
    bare = value.partition(";")[2] if ";" in value else value
    found = re.search(r"<([^<>\s]+@[^<>\s]+)>", bare)
    first = found.group(1) if found else bare.strip().split(" ", 1)[0]
    return clean(first)
