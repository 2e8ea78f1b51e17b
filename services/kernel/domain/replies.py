"""Judging SMTP replies: about this recipient, about us, or undecided? Then when to try again, and when to stop sending.

Sources: RFC 5321 (replies), RFC 3463 and the IANA registry of enhanced status codes, RFC 7372 (5.7.x authentication),
RFC 7505 (null MX), RFC 7293 (5.7.17, 5.7.18), RFC 7504 (556). Only a refusal that is about the recipient is final.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

_FIRST_DELAY = timedelta(minutes=1)
_LONGEST_DELAY = timedelta(hours=2)
_DOUBLINGS = 7  # 128 minutes: past the longest delay
_SUCCESS, _TRANSIENT, _PERMANENT = 2, 4, 5


class Phase(StrEnum):
    """Where in the SMTP dialogue an attempt ended."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    AFTER_DATA = "after_data"
    DONE = "done"


class SendVerdict(StrEnum):
    """What the last reply means for the attempt."""

    ACCEPTED = "accepted"
    RECIPIENT_REFUSED = "recipient_refused"
    TRY_LATER = "try_later"
    OURS = "ours"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and why.

    `about_recipient`: the mail system had the recipient before it and spoke of it. Retries that end without such a
    reply say nothing about the recipient: the fault may be ours or our relay's.
    """

    verdict: SendVerdict
    reason: str
    about_recipient: bool = False


_WITH_RECIPIENT = frozenset({Phase.RCPT, Phase.DATA, Phase.AFTER_DATA})
_SENDERS_SUBJECT = ".7."
_BARE_AT_RCPT = frozenset({550, 551, 552, 553, 554, 556})

_STATUS = re.compile(r"^[245]\.(\d{1,3})\.(\d{1,3})$")

_OURS_BY_STATUS = {
    "1.7": "the sender's address has bad syntax",
    "1.8": "the sender's system is bad",
    "2.3": "the message is longer than the recipient's limit: the content is ours",
    "7.27": "the sender's address has a null MX",
}
_RECIPIENT_BY_STATUS = {
    "7.17": "the mailbox has changed its owner",
    "7.18": "the domain has changed its owner",
}
_RECIPIENT_BY_SUBJECT = {
    "1": "the recipient's address is refused",
    "2": "the recipient's mailbox is refused",
    "4": "no route to the recipient",
}
_OURS_BY_SUBJECT = {
    "3": "the mail system refuses the message, not the recipient",
    "5": "a fault in the protocol",
    "6": "the content or its form is refused",
    "7": "security or policy: about the sender",
}
_SPEAKS_OF_SENDER = re.compile(
    r"\b(spf|dkim|dmarc|rbl|dnsbl|spam|spamhaus|reputation|black-?\s?list\w*|block-?\s?list\w*|blocked|relay\w*"
    r"|authenticat\w+|sender)\b",
    re.IGNORECASE,
)
_SPEAKS_OF_RECIPIENT = re.compile(
    r"no such (user|mailbox|recipient|address)|unknown (user|recipient|mailbox)|does(n't| not) exist"
    r"|(user|recipient|mailbox|address) (is )?(unknown|not found|unavailable|disabled|full)"
    r"|mailbox name not allowed|over ?quota|quota exceeded",
    re.IGNORECASE,
)


def judge_reply(phase: str, code: int | None, enhanced: str, text: str) -> Judgement:
    """Judge the last reply of one attempt.

    Args:
        phase: a value of `Phase`.
        code: the reply code, None if none came (time-out, disconnect).
        enhanced: the RFC 3463 status ("5.1.1"), or empty.
        text: the reply's text; it decides only where codes say nothing.

    Raises:
        ValueError: the phase is none.
    """
    where = Phase(phase)
    severity = None if code is None else code // 100
    if where is Phase.DONE or (where is Phase.AFTER_DATA and severity not in {_TRANSIENT, _PERMANENT}):
        return _at_the_end(severity)
    if code is not None and severity == _PERMANENT:
        return _refusal(where, code, enhanced, text)
    if severity == _TRANSIENT:
        about = where in _WITH_RECIPIENT and _SENDERS_SUBJECT not in enhanced and not _SPEAKS_OF_SENDER.search(text)
        return Judgement(SendVerdict.TRY_LATER, f"transient refusal {code} at {where}", about_recipient=about)
    return Judgement(SendVerdict.TRY_LATER, f"the dialogue ended at {where}, before the final dot: nothing was taken")


def _at_the_end(severity: int | None) -> Judgement:
    if severity == _SUCCESS:
        return Judgement(SendVerdict.ACCEPTED, "the mail system took the message", about_recipient=True)
    return Judgement(SendVerdict.UNKNOWN, "no usable reply after the final dot: it may have been taken")


def _refusal(where: Phase, code: int, enhanced: str, text: str) -> Judgement:
    """A 5xx: about the recipient only if it came with the recipient before the mail system, and by its code."""
    if where not in _WITH_RECIPIENT:
        return Judgement(SendVerdict.OURS, f"refused {code} at {where}, before any recipient: about us")
    status = _STATUS.match(enhanced)
    if status is None:
        return _bare(where, code, text)
    subject, detail = status.groups()
    if detail == "0":
        return _vague(where, code, subject, text)
    return _by_status(f"{subject}.{detail}", subject, f"{code} {enhanced} at {where}")


def _by_status(key: str, subject: str, said: str) -> Judgement:
    if key in _OURS_BY_STATUS:
        return Judgement(SendVerdict.OURS, f"{said}: {_OURS_BY_STATUS[key]}")
    about = _RECIPIENT_BY_STATUS.get(key) or _RECIPIENT_BY_SUBJECT.get(subject)
    if about is not None:
        return Judgement(SendVerdict.RECIPIENT_REFUSED, f"{said}: {about}", about_recipient=True)
    return Judgement(SendVerdict.OURS, f"{said}: {_OURS_BY_SUBJECT.get(subject, 'not about the recipient')}")


def _vague(where: Phase, code: int, subject: str, text: str) -> Judgement:
    """A status that ends in .0 names a subject only; the text may speak against it."""
    said = f"{code} 5.{subject}.0 at {where}"
    if subject in _RECIPIENT_BY_SUBJECT and not _SPEAKS_OF_SENDER.search(text):
        return Judgement(
            SendVerdict.RECIPIENT_REFUSED, f"{said}: {_RECIPIENT_BY_SUBJECT[subject]}", about_recipient=True
        )
    if subject in {"0", "5"}:
        return _bare(where, code, text)
    return Judgement(SendVerdict.OURS, f"{said}: {_OURS_BY_SUBJECT.get(subject, 'about the sender, by its text')}")


def _bare(where: Phase, code: int, text: str) -> Judgement:
    """Without a telling status: at RCPT the code tells (RFC 5321 4.2.3), later only words about the recipient do."""
    said = f"{code} at {where}, without a telling status"
    if _SPEAKS_OF_SENDER.search(text):
        return Judgement(SendVerdict.OURS, f"{said}: the text speaks of the sender")
    if where is Phase.RCPT and code in _BARE_AT_RCPT:
        return Judgement(SendVerdict.RECIPIENT_REFUSED, f"{said}: the recipient is refused", about_recipient=True)
    if where is not Phase.RCPT and code in _BARE_AT_RCPT and _SPEAKS_OF_RECIPIENT.search(text):
        return Judgement(SendVerdict.RECIPIENT_REFUSED, f"{said}: the text names the recipient", about_recipient=True)
    return Judgement(SendVerdict.OURS, f"{said}: nothing says that it is about the recipient")


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """How one attempt ended, and when (UTC, for pace only): `permanent` is any 5xx, whatever it was about."""

    at: datetime
    permanent: bool


@dataclass(frozen=True, slots=True)
class BrakeRule:
    """A burst is `least` refusals within `window` that are also more than `share` of the last `recent` outcomes."""

    window: timedelta = timedelta(minutes=10)
    least: int = 20
    share: float = 0.2
    recent: int = 100


def brake_trips(outcomes: Sequence[SendOutcome], now: datetime, rule: BrakeRule) -> str | None:
    """Why sending must stop before a fault of ours unserves thousands, or None. Outcomes come oldest first."""
    latest = outcomes[-rule.recent :]
    permanent = [outcome for outcome in latest if outcome.permanent]
    burst = sum(outcome.at > now - rule.window for outcome in permanent)
    if burst < rule.least or len(permanent) <= rule.share * len(latest):
        return None
    return (
        f"{burst} permanent refusals within {rule.window}, {len(permanent)} among the last {len(latest)} outcomes: "
        "sending stops until a person looks"
    )


def next_try(first_at: datetime, tries: int, now: datetime, give_up_after: timedelta, jitter: float) -> datetime | None:
    """When to try again after `tries` attempts, the last of them now; None when the time is up.

    The delay doubles from one minute to two hours and is spread by `jitter` in [0, 1) between half and all of itself.
    The last attempt is made when `give_up_after`, counted from `first_at`, is over.
    """
    ends_at = first_at + give_up_after
    if now >= ends_at:
        return None
    delay = min(_LONGEST_DELAY, _FIRST_DELAY * (1 << min(max(tries, 1) - 1, _DOUBLINGS)))
    return min(ends_at, now + delay * (0.5 + jitter / 2))
