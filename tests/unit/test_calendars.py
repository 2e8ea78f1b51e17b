from datetime import date

import pytest

from services.kernel.domain.calendars import CalendarExhausted, WorkingDays

CALENDAR = WorkingDays(
    version="GB-ENG 2026",
    zone="Europe/London",
    holidays=frozenset({date(2026, 4, 3), date(2026, 4, 6), date(2026, 12, 25), date(2026, 12, 28)}),
    first=date(2026, 1, 1),
    last=date(2026, 12, 31),
)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 4, 2), True),
        (date(2026, 4, 3), False),  # Good Friday
        (date(2026, 4, 4), False),  # Saturday
        (date(2026, 4, 5), False),  # Sunday
        (date(2026, 4, 6), False),  # Easter Monday
        (date(2026, 4, 7), True),
    ],
)
def test_weekends_and_holidays_are_not_working_days(day: date, works: bool) -> None:
    assert CALENDAR.is_working_day(day) is works


def test_next_working_day_is_the_day_itself_or_the_first_after() -> None:
    assert CALENDAR.next_working_day(date(2026, 4, 2)) == date(2026, 4, 2)
    assert CALENDAR.next_working_day(date(2026, 4, 3)) == date(2026, 4, 7)


@pytest.mark.parametrize(("n", "expected"), [(0, date(2026, 4, 2)), (1, date(2026, 4, 7)), (4, date(2026, 4, 10))])
def test_working_days_are_counted_after_the_day(n: int, expected: date) -> None:
    assert CALENDAR.plus_working_days(date(2026, 4, 2), n) == expected


def test_a_day_beyond_the_calendar_is_never_guessed() -> None:
    assert CALENDAR.is_working_day(CALENDAR.last)
    with pytest.raises(CalendarExhausted, match=r"GB-ENG 2026 covers 2026-01-01 to 2026-12-31.*2027-01-01"):
        CALENDAR.plus_working_days(date(2026, 12, 31), 1)
    with pytest.raises(CalendarExhausted):
        CALENDAR.is_working_day(date(2025, 12, 31))


def test_working_days_are_not_counted_backwards() -> None:
    with pytest.raises(ValueError, match="forward"):
        CALENDAR.plus_working_days(date(2026, 4, 2), -1)
