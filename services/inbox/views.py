"""What the inbox's pages show: plain values, ready to be written, in local time and in the reader's language.

Pages get nothing else: no row, no notice of the domain, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from markupsafe import Markup


class Stage(StrEnum):
    """Where a notice stands, as its reader needs to know it. `words/*.yaml` has the words of each."""

    FOR_INFORMATION = "for_information"
    """It asks for nothing."""
    OPEN = "open"
    """An answer is asked for, and its time runs."""
    ANSWERED = "answered"
    """What was asked for was received in time."""
    UNDER_REVIEW = "under_review"
    """Time runs or is over, and a person is looking at it: nothing follows until they have decided."""
    OVERDUE = "overdue"
    """The time is over without what was asked for."""
    CONSEQUENCE = "consequence"
    """What the notice warned of has happened."""
    REVERSAL = "reversal"
    """It has happened, and a person is to decide whether it must be undone."""
    UNDONE = "undone"
    """It had happened, and was taken back."""
    CLOSED = "closed"
    """The time is over, and nothing follows."""
    NOT_SERVED = "not_served"
    """It counts as never served: nothing follows from it."""
    WITHDRAWN = "withdrawn"
    """Taken back."""


@dataclass(frozen=True, slots=True)
class Business:
    """A business that the person may act for."""

    business_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at the page, for whom, in which language; `csrf` goes into every form."""

    name: str
    business: Business | None
    businesses: tuple[Business, ...]
    language: str
    csrf: str


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline: the last local day, the local instant at which it is over, whole days left, and what follows.

    `follows` is the name of the sanction ("registration.cancel"), None where nothing follows by itself. `extended`:
    more time was given, `for_outage`: because the inbox was down. A person's reason is for the file, not for the page.
    """

    on: date
    until: datetime
    days_left: int
    passed: bool
    follows: str | None
    extended: bool = False
    for_outage: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One notice in the list. `came_at` is local; `language` is the subject's, empty where it is not known.

    `erased_on`: the local day on which its words were erased, with its subject; `kept_until`: they are kept at least
    up to this day, once the notice is over.
    """

    notice_id: str
    subject: str
    reference: str
    came_at: datetime
    unread: bool
    stage: Stage
    due: Due | None
    language: str = ""
    erased_on: date | None = None
    kept_until: date | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """One page of the list, the newest first; `older` and `newer` are the queries of the neighbouring pages."""

    lines: tuple[Line, ...]
    unread: int
    older: str | None
    newer: str | None


@dataclass(frozen=True, slots=True)
class File:
    """A file that was received. `name` is our neutral one, `shown_name` what its sender called it."""

    name: str
    shown_name: str
    size: int
    digest: str
    href: str


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that was received: local instant (the first byte's), by whom, what, and whether it was in time.

    Of one that was erased there is the day, and `digest`, the SHA-256 of what it was.
    """

    evidence_id: str
    received_at: datetime
    kind: str
    by: str
    text: str
    files: tuple[File, ...]
    in_time: bool | None
    erased_on: date | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One notice, as it was served: `body` is the stored content, whose SHA-256 is `digest`.

    `asks` are the kinds of response that end it ("payment", "answer", "evidence", "confirmation"), in that order;
    `may_give` those that can be given here and now.
    """

    line: Line
    body: Markup
    language: str
    digest: str
    viewed_at: datetime | None
    viewed_by: str | None
    asks: tuple[str, ...]
    may_give: tuple[str, ...]
    given: tuple[Given, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """The answer form as it was sent, with its faults: keys of `words`, by field."""

    kind: str = ""
    text: str = ""
    faults: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class UploadRules:
    """What may be uploaded, for people to read before they try."""

    most_files: int
    most_megabytes: int
    types: tuple[str, ...]
