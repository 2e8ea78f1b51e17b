"""Deadlines: periods counted on local dates, and the instant at which the last day ends there.

Adding 21 x 24 hours would be wrong: across a clock change it ends an hour early or late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from services.kernel.domain.calendars import WorkingDays

_TICK = timedelta(microseconds=1)
_ONE_DAY = timedelta(days=1)


class ShorterPeriodRefused(Exception):
    """A period shorter than the approved one lacks its reason, or an approver whom the source may name."""


class FixedDateRefused(Exception):
    """A fixed date leaves less than the approved period."""


class ExtensionRefused(Exception):
    """An extension that would not extend, or without a name or a reason."""


@dataclass(frozen=True, slots=True)
class Period:
    """A response period in days after the deemed date, which is not counted.

    With `roll_to_working_day` a last day that is no working day moves to the next one.
    """

    days: int
    unit: Literal["calendar", "working"] = "calendar"
    roll_to_working_day: bool = False

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError(f"a period has at least one day, not {self.days}")

    @property
    def rule(self) -> str:
        """The period in words, as it is stored with a deadline."""
        roll = ", rolled to a working day" if self.roll_to_working_day else ""
        return f"{self.days} {self.unit} days{roll}"

    def last_day(self, deemed_on: date, calendar: WorkingDays) -> date:
        """The last local date of the period.

        Raises:
            CalendarExhausted: working days are needed beyond the calendar.
        """
        if self.unit == "working":
            return calendar.plus_working_days(deemed_on, self.days)
        day = deemed_on + timedelta(days=self.days)
        return calendar.next_working_day(day) if self.roll_to_working_day else day


@dataclass(frozen=True, slots=True)
class Deadline:
    """One version of a deadline, with all it was counted with.

    `due_on` is the last local date, in `zone`, on which a response is in time; `due_at` is the UTC instant when that
    date is over there: what was received *before* it is in time. `rule` says how `due_on` was found. `reason` and
    `approver` are those of a shorter period or of an extension.
    """

    version: int
    deemed_on: date
    period_days: int
    due_on: date
    due_at: datetime
    zone: str
    rule: str
    calendar_version: str
    reason: str | None = None
    approver: str | None = None


@lru_cache(maxsize=4096)
def end_of_day(day: date, zone: str) -> datetime:
    """The UTC instant at which a local date is over in an IANA zone: the next local midnight, where there is one.

    Where midnight is skipped by a clock change it is the instant of the change; where the clock goes back over it,
    the last one: never early.
    """
    place = ZoneInfo(zone)
    midnight = datetime.combine(day + _ONE_DAY, time(), tzinfo=place)
    candidates = sorted({midnight.astimezone(UTC), midnight.replace(fold=1).astimezone(UTC)})
    for instant in reversed(candidates):
        if (instant - _TICK).astimezone(place).date() <= day < instant.astimezone(place).date():
            return instant
    return _first_after(day, place, candidates[0], candidates[-1])


def _first_after(day: date, place: ZoneInfo, early: datetime, late: datetime) -> datetime:
    """Halve down to a clock change that began before midnight and ended after it (Toronto, 30 March 1919)."""
    while late - early > _TICK:
        middle = early + (late - early) / 2
        if middle.astimezone(place).date() > day:
            late = middle
        else:
            early = middle
    return late


def count_deadline(
    version: int,
    deemed_on: date,
    period: Period,
    calendar: WorkingDays,
    *,
    rule: str,
    reason: str | None = None,
    approver: str | None = None,
) -> Deadline:
    """Count a deadline from the deemed date, in the calendar's zone.

    `rule` names the service rule of the deemed date; `reason` and `approver` belong to a period that `shorten` allowed.

    Raises:
        CalendarExhausted: working days are needed beyond the calendar.
    """
    due_on = period.last_day(deemed_on, calendar)
    return Deadline(
        version=version,
        deemed_on=deemed_on,
        period_days=period.days,
        due_on=due_on,
        due_at=end_of_day(due_on, calendar.zone),
        zone=calendar.zone,
        rule=f"{rule}; {period.rule}",
        calendar_version=calendar.version,
        reason=reason,
        approver=approver,
    )


def shorten(
    approved: Period,
    days: int,
    *,
    reason: str | None,
    approver: str | None,
    may_name: Callable[[str], bool],
) -> Period:
    """The approved period with another number of days; `may_name` is the authenticated source's.

    A period as long as the approved one or longer needs neither reason nor approver.

    Raises:
        ShorterPeriodRefused: it is shorter, and the reason or a nameable approver is missing; says which.
        ValueError: `days` is below one.
    """
    asked = replace(approved, days=days)
    if days >= approved.days:
        return asked
    shorter = f"{days} days are fewer than the approved {approved.days}"
    if reason is None or not reason.strip():
        raise ShorterPeriodRefused(f"{shorter}: a reason is needed")
    if approver is None or not approver.strip():
        raise ShorterPeriodRefused(f"{shorter}: an approver is needed")
    if not may_name(approver):
        raise ShorterPeriodRefused(f"{shorter}: this source may not name {approver!r} as approver")
    return asked


def fix_deadline(
    version: int, deemed_on: date, fixed: date, period: Period, calendar: WorkingDays, *, rule: str
) -> Deadline:
    """A deadline on a fixed last day, if it leaves the approved period.

    Raises:
        CalendarExhausted: working days are needed beyond the calendar.
        FixedDateRefused: it leaves less; says the earliest date that would do.
    """
    earliest = period.last_day(deemed_on, calendar)
    if fixed < earliest:
        raise FixedDateRefused(
            f"{fixed} leaves less than {period.rule} after {deemed_on}: the earliest date is {earliest}",
        )
    counted = count_deadline(version, deemed_on, period, calendar, rule=rule)
    return replace(
        counted,
        period_days=(fixed - deemed_on).days,
        due_on=fixed,
        due_at=end_of_day(fixed, calendar.zone),
        rule=f"{rule}; fixed date, at least {period.rule}",
    )


def extend(deadline: Deadline, new_due_on: date, by: str, reason: str, calendar: WorkingDays) -> Deadline:
    """The next version of a deadline, later by a named person's word. `new_due_on` is taken as named, in the same zone.

    Raises:
        ExtensionRefused: the new date is not later, or the name or the reason is blank.
    """
    if new_due_on <= deadline.due_on:
        raise ExtensionRefused(f"{new_due_on} is not after {deadline.due_on}: a deadline is extended, never shortened")
    if not by.strip() or not reason.strip():
        raise ExtensionRefused("an extension needs the name of who extends, and a reason")
    return replace(
        deadline,
        version=deadline.version + 1,
        due_on=new_due_on,
        due_at=end_of_day(new_due_on, deadline.zone),
        rule=f"extended from version {deadline.version}",
        calendar_version=calendar.version,
        reason=reason,
        approver=by,
    )
