"""Outages of the secure inbox: a deadline that runs out while nobody could read or answer is no deadline.

The inbox notes when it was up. What lies between two times of being up is an outage, if it lasted longer than the
configured time; whoever's deadline ran out within it has until the end of the first working day after the day on which
the inbox came back. While it is away nobody's deadline is decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.kernel.domain.calendars import WorkingDays

SILENCE = timedelta(seconds=60)
"""How long after its last word the inbox still counts as up; it speaks several times in that time."""
INBOX_WAS_DOWN = "the secure inbox was down when the deadline ran out"
"""Why a deadline was extended without a person's word."""
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Up:
    """The inbox was up from one UTC instant until another, both in legal time, as far as it said."""

    from_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class Outage:
    """The inbox was down between two UTC instants; `until_at` None: it is down still."""

    from_at: datetime
    until_at: datetime | None

    def longer_than(self, least: timedelta) -> bool:
        """Whether it is over, and lasted longer."""
        return self.until_at is not None and self.until_at - self.from_at > least


def outage_at(instant: datetime, ups: Sequence[Up], now: datetime, tolerance: timedelta) -> Outage | None:
    """The outage in which an instant lies, or None: the inbox was up then, or there was none yet.

    `ups` are in order. `tolerance` is how long after its last word the inbox still counts as up.
    """
    before = [up for up in ups if up.from_at <= instant]
    if not before or instant <= before[-1].until_at + tolerance:
        return None
    after = next((up for up in ups if up.from_at > instant), None)
    if after is None and now <= before[-1].until_at + tolerance:
        return None
    return Outage(before[-1].until_at, after.from_at if after else None)


def last_day_after(outage_until: datetime, calendar: WorkingDays) -> date:
    """The local date on which a deadline ends that ran out within an outage.

    Raises:
        CalendarExhausted: there is none within the calendar.
    """
    back_on = outage_until.astimezone(ZoneInfo(calendar.zone)).date()
    return calendar.next_working_day(back_on + _ONE_DAY)
