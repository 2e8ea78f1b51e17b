"""From evidence of delivery to its effect (the law of "Unserved"): only final evidence for this message decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.kernel.domain.holds import HoldKind
from services.kernel.domain.notice import TABLE, Event, Refusal, State


class Verdict(StrEnum):
    """What a report about a mail says."""

    FINAL = "final"
    DELAYED = "delayed"
    AUTO_REPLY = "auto-reply"
    COMPLAINT = "complaint"
    DELIVERED = "delivered"
    UNCLEAR = "unclear"
    OTHER = "other"


class MatchedBy(StrEnum):
    """How a report was tied to its notice."""

    TOKEN = "token"  # noqa: S105 -- the signed token in the envelope sender
    MESSAGE_ID = "message_id"
    CALLBACK = "callback"
    SMTP = "smtp"
    ADDRESS = "address"
    PERSON = "person"


class AttemptKind(StrEnum):
    """What the mail was for: the alert serves, a reminder does not."""

    ALERT = "alert"
    REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class BounceFacts:
    """What is known of one report about one notice, read after the notice is locked.

    `failed` are the recipients that the report calls finally failed and `address` ours, both lower case. `verified`:
    the token's or the callback's signature held, or it was a reply in our own SMTP session, or the report quotes our
    Message-ID. `opened`: the recipient has opened this message. `state` is None while the notice is not known here.
    """

    verdict: Verdict
    failed: frozenset[str]
    address: str
    matched_by: MatchedBy
    attempt_kind: AttemptKind
    opened: bool
    verified: bool
    state: State | None


@dataclass(frozen=True, slots=True)
class Unserve:
    """The notice is unserved from the start; its deadline is void."""

    reason: str


@dataclass(frozen=True, slots=True)
class PlaceHold:
    """A person decides."""

    kind: HoldKind
    reason: str


@dataclass(frozen=True, slots=True)
class DemandReversal:
    """A sanction stands that should not: exactly one reversal is demanded, and a person rescinds."""

    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """Kept until the notice is known, or far enough, and then looked at again."""

    reason: str


@dataclass(frozen=True, slots=True)
class RecordOnly:
    """Recorded in the notice's evidence; nothing else follows."""

    reason: str


Effect = Unserve | PlaceHold | DemandReversal | Park | RecordOnly

_NOT_EVIDENCE = {
    Verdict.DELAYED: "a delay is not a failure: the mail system still tries",
    Verdict.AUTO_REPLY: "an auto-reply proves nothing about delivery",
    Verdict.COMPLAINT: "a complaint is not a failure to deliver",
    Verdict.DELIVERED: "a delivery confirmation is not evidence of non-delivery",
    Verdict.OTHER: "not a report about delivery",
}


def effect_of_bounce(facts: BounceFacts) -> Effect:
    """Decide what one report does to its notice. Safe to ask again: a repeated report is recorded only."""
    if facts.state is None:
        return Park("the notice is not known yet")
    if facts.verdict in _NOT_EVIDENCE:
        return RecordOnly(_NOT_EVIDENCE[facts.verdict])
    if facts.state is State.ACCEPTED:
        return Park("the report came before our own record of a mail")
    found = TABLE[facts.state, Event.FAIL]
    if isinstance(found, Refusal) and facts.state is not State.SANCTIONED:
        return RecordOnly(found.reason)
    return _decided(facts, facts.state)


def _decided(facts: BounceFacts, state: State) -> PlaceHold | DemandReversal | Unserve:
    """The effect on a notice that a failure can still touch. After a sanction a doubt holds nothing, but is seen."""
    doubt = _doubt(facts)
    if doubt is not None:
        return PlaceHold(HoldKind.DELIVERY_DOUBT, doubt)
    if state is State.SANCTIONED:
        return DemandReversal("final evidence of non-delivery came after the sanction")
    return Unserve(f"final evidence of non-delivery for {facts.address}, matched by {facts.matched_by}")


def _doubt(facts: BounceFacts) -> str | None:
    """Why this report cannot decide by itself, or None if it can."""
    if facts.verdict is Verdict.UNCLEAR:
        return "the report is unclear"
    if facts.attempt_kind is AttemptKind.REMINDER:
        return "the mail that failed was a reminder: the alert itself may have arrived"
    if facts.opened:
        return "the recipient has opened the message"
    if facts.address not in facts.failed:
        return "the address that failed is not ours"
    if not facts.verified:
        return f"matched by {facts.matched_by}, unverified: it may be about another message"
    return None
