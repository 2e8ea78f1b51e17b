"""Retention: whether the content of a notice may be erased, as one pure function that tells every reason why not.

Content is words: request, subject, bodies, answers, files, mails, callbacks. Evidence stays for ever: the chain, all
hashes, outcomes, attempts with their replies. Periods are counted on local dates in the regime's zone from the day on
which the notice ended, or the last one in its matter; that day is not counted.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.kernel.domain.deadline import end_of_day
from services.kernel.domain.gate import Reason
from services.kernel.domain.notice import TERMINAL, Notice, State

LOOK_AGAIN = timedelta(days=1)
"""After this a notice is looked at again that is kept for reasons which only a fact can end."""


@dataclass(frozen=True, slots=True)
class Span:
    """A period of calendar years or days."""

    years: int = 0
    days: int = 0

    def __post_init__(self) -> None:
        if self.years < 0 or self.days < 0 or (self.years > 0) == (self.days > 0):
            raise ValueError("a period is some years, or some days")

    def last_day(self, after: date) -> date:
        """The last day of the period that follows this day: the corresponding date, else the last of that month."""
        if self.days:
            return after + timedelta(days=self.days)
        year = after.year + self.years
        return date(year, after.month, min(after.day, monthrange(year, after.month)[1]))

    def __str__(self) -> str:
        """In words."""
        number, unit = (self.years, "year") if self.years else (self.days, "day")
        return f"{number} {unit}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Policy:
    """How long content is kept under a regime: after the end, and after a sanction or what was last said about it.

    `least`: a named person may have content erased after so long, before `content` is over; None: never earlier.
    `citation` is where the periods come from.
    """

    content: Span
    appeal: Span
    citation: str
    least: Span | None = None

    @property
    def rule(self) -> str:
        """The policy in words, as evidence keeps it."""
        return f"{self.content} after the end, {self.appeal} after a sanction ({self.citation})"


@dataclass(frozen=True, slots=True)
class RetentionFacts:
    """All that decides whether one notice's content may be erased; instants are UTC, `now` is legal time.

    `ended_at` is None while the notice is not over. `matter_ended_at` is the latest end in its matter, `matter_running`
    names the notices of the matter that are not over. `sanction_stands_since` is when the sanction that stands fired,
    or was upheld. `waiting` has one text for each thing undone that concerns the notice, by its reason's code.
    `asked`: a named person asks to erase before the period is over.
    """

    now: datetime
    zone: str
    state: State
    ended_at: datetime | None
    matter_ended_at: datetime | None = None
    matter_running: tuple[str, ...] = ()
    sanction_stands_since: datetime | None = None
    last_evidence_at: datetime | None = None
    waiting: tuple[Reason, ...] = ()
    legal_holds: tuple[str, ...] = ()
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Erase:
    """Nothing stands against it. Its period counted from `ended_on`; `kept_until` was its last local day."""

    ended_on: date
    kept_until: date


@dataclass(frozen=True, slots=True)
class Keep:
    """Not now, and every reason why. `kept_until` is None as long as the notice is not over."""

    reasons: tuple[Reason, ...]
    look_again_at: datetime
    kept_until: date | None = None


_Until = Iterator[tuple[Reason, datetime]]


def ended_at(notice: Notice) -> datetime | None:
    """When the notice ended; None if it has not. One that asks for nothing has ended with its service."""
    if notice.state in TERMINAL:
        last = (notice.withdrawn_at, notice.unserved_at, notice.sanctioned_at, notice.closed_at, notice.satisfied_at)
        return next(instant for instant in last if instant is not None)
    return notice.served_at if notice.state is State.SERVED and notice.deadline_at is None else None


def may_erase(facts: RetentionFacts, policy: Policy | None) -> Erase | Keep:
    """Decide whether content may be erased now, with every reason why not."""
    if policy is None:
        return Keep((Reason("no_policy", "the regime says nothing of erasing"),), facts.now + LOOK_AGAIN)
    standing, times = tuple(_standing(facts)), tuple(_times(facts, policy))
    kept_until = _kept_until(facts, policy)
    if kept_until is None or standing or times:
        soonest = facts.now + (LOOK_AGAIN if standing else timedelta())
        free_at = max((soonest, *(until for _, until in times)))
        return Keep((*standing, *(reason for reason, _ in times)), free_at, kept_until)
    return Erase(_local(_ended(facts), facts.zone), kept_until)


def _standing(facts: RetentionFacts) -> Iterator[Reason]:
    """What no time ends: only a fact does."""
    if facts.ended_at is None:
        yield Reason("not_ended", f"the notice is {facts.state} and not over")
    for other in facts.matter_running:
        yield Reason("matter_running", f"another notice in its matter is not over: {other}")
    yield from facts.waiting
    for hold in facts.legal_holds:
        yield Reason("legal_hold", f"a legal hold is open: {hold}")


def _times(facts: RetentionFacts, policy: Policy) -> _Until:
    """What time ends."""
    if (last := _kept_until(facts, policy)) is not None and facts.now < (over := end_of_day(last, facts.zone)):
        yield Reason("period_running", f"it is kept until {last}: {policy.rule}"), over
    for code, since, what in (
        ("appeal_open", facts.sanction_stands_since, "a sanction stands, and it may be appealed until"),
        ("late_evidence", facts.last_evidence_at, "the last evidence about it is kept until"),
    ):
        if since is not None:
            last = policy.appeal.last_day(_local(since, facts.zone))
            if facts.now < (over := end_of_day(last, facts.zone)):
                yield Reason(code, f"{what} {last}"), over


def _kept_until(facts: RetentionFacts, policy: Policy) -> date | None:
    if facts.ended_at is None:
        return None
    span = policy.least if facts.asked and policy.least is not None else policy.content
    return span.last_day(_local(_ended(facts), facts.zone))


def _ended(facts: RetentionFacts) -> datetime:
    return max(instant for instant in (facts.ended_at, facts.matter_ended_at) if instant is not None)


def _local(instant: datetime, zone: str) -> date:
    return instant.astimezone(ZoneInfo(zone)).date()
