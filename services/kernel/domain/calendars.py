"""Working days of one place, as a pinned list: a deadline counted with it can be counted again years later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

_SATURDAY = 5
_ONE_DAY = timedelta(days=1)


class CalendarExhausted(Exception):
    """A day was asked for that the calendar does not cover: load a longer one, never guess."""

    def __init__(self, day: date, calendar: WorkingDays) -> None:
        super().__init__(
            f"calendar {calendar.version} covers {calendar.first} to {calendar.last} and was asked about {day}",
        )
        self.day = day


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """The working days of one place from `first` to `last`, both included; Saturday and Sunday never are.

    `version` names the list so that it can be stored with what was counted; `zone` is the IANA zone of its local dates.
    """

    version: str
    zone: str
    holidays: frozenset[date]
    first: date
    last: date

    def is_working_day(self, day: date) -> bool:
        """Whether the local date is neither weekend nor holiday.

        Raises:
            CalendarExhausted: the day is outside the calendar.
        """
        if not self.first <= day <= self.last:
            raise CalendarExhausted(day, self)
        return day.weekday() < _SATURDAY and day not in self.holidays

    def next_working_day(self, day: date) -> date:
        """The first working day on or after the local date.

        Raises:
            CalendarExhausted: there is none within the calendar.
        """
        while not self.is_working_day(day):
            day += _ONE_DAY
        return day

    def plus_working_days(self, day: date, n: int) -> date:
        """The n-th working day after the local date, which is not counted; with n = 0 the date itself.

        Raises:
            CalendarExhausted: the count leaves the calendar.
            ValueError: n is negative.
        """
        if n < 0:
            raise ValueError(f"working days are counted forward, not {n}")
        for _ in range(n):
            day = self.next_working_day(day + _ONE_DAY)
        return day
