from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.domain.calendars import CalendarExhausted, WorkingDays
from services.kernel.domain.deadline import (
    Deadline,
    ExtensionRefused,
    FixedDateRefused,
    Period,
    ShorterPeriodRefused,
    count_deadline,
    end_of_day,
    extend,
    fix_deadline,
    shorten,
)

HOLIDAYS = frozenset({date(2026, 4, 3), date(2026, 4, 6), date(2026, 12, 25), date(2026, 12, 28), date(2027, 1, 1)})
TWENTY_ONE = Period(21)


def calendar(zone: str = "Europe/London") -> WorkingDays:
    return WorkingDays("test 1", zone, HOLIDAYS, date(2000, 1, 1), date(2060, 12, 31))


def count(deemed_on: date, period: Period = TWENTY_ONE, zone: str = "Europe/London") -> Deadline:
    return count_deadline(1, deemed_on, period, calendar(zone), rule="same_day")


CASES = [
    # clocks forward on 29 March 2026: 21 x 24 h would end an hour late
    ("Europe/London", date(2026, 3, 20), date(2026, 4, 10), datetime(2026, 4, 10, 23, tzinfo=UTC)),
    # clocks back on 25 October 2026: 21 x 24 h would fire an hour early
    ("Europe/London", date(2026, 10, 10), date(2026, 10, 31), datetime(2026, 11, 1, 0, tzinfo=UTC)),
    # the last day is itself the day of the change
    ("Europe/London", date(2026, 3, 8), date(2026, 3, 29), datetime(2026, 3, 29, 23, tzinfo=UTC)),
    ("Europe/London", date(2026, 10, 4), date(2026, 10, 25), datetime(2026, 10, 26, 0, tzinfo=UTC)),
    # 29 February, with and without
    ("Europe/London", date(2028, 2, 8), date(2028, 2, 29), datetime(2028, 3, 1, 0, tzinfo=UTC)),
    ("Europe/London", date(2027, 2, 8), date(2027, 3, 1), datetime(2027, 3, 2, 0, tzinfo=UTC)),
    # the year's end
    ("Europe/London", date(2026, 12, 10), date(2026, 12, 31), datetime(2027, 1, 1, 0, tzinfo=UTC)),
    # midnights that do not exist: the day is over at the change
    ("America/Sao_Paulo", date(2018, 10, 13), date(2018, 11, 3), datetime(2018, 11, 4, 3, tzinfo=UTC)),
    ("Africa/Cairo", date(2026, 4, 2), date(2026, 4, 23), datetime(2026, 4, 23, 22, tzinfo=UTC)),
    # a day that does not exist at all (Samoa crossed the date line)
    ("Pacific/Apia", date(2011, 12, 8), date(2011, 12, 29), datetime(2011, 12, 30, 10, tzinfo=UTC)),
    # a midnight that comes twice: Havana's day begins at the first, St John's ends at the last
    ("America/Havana", date(2026, 10, 10), date(2026, 10, 31), datetime(2026, 11, 1, 4, tzinfo=UTC)),
    ("America/St_Johns", date(2010, 10, 16), date(2010, 11, 6), datetime(2010, 11, 7, 3, 30, tzinfo=UTC)),
]


@pytest.mark.parametrize(("zone", "deemed_on", "due_on", "due_at"), CASES)
def test_the_deadline_is_the_end_of_the_last_local_day(
    zone: str, deemed_on: date, due_on: date, due_at: datetime
) -> None:
    deadline = count(deemed_on, zone=zone)
    assert (deadline.due_on, deadline.due_at) == (due_on, due_at)
    assert deadline.due_at.utcoffset() == timedelta(0)


def test_a_midnight_inside_a_clock_change_ends_the_day_at_the_change() -> None:
    toronto_springs_from_2330_to_0030 = datetime(1919, 3, 31, 4, 30, tzinfo=UTC)
    assert end_of_day(date(1919, 3, 30), "America/Toronto") == toronto_springs_from_2330_to_0030


def test_the_deemed_date_is_not_counted() -> None:
    assert count(date(2026, 6, 1), Period(1)).due_on == date(2026, 6, 2)


def test_a_deadline_keeps_what_it_was_counted_with() -> None:
    counted = count(date(2026, 6, 1), Period(21, roll_to_working_day=True))
    assert (counted.version, counted.period_days, counted.zone) == (1, 21, "Europe/London")
    assert (counted.calendar_version, counted.rule) == ("test 1", "same_day; 21 calendar days, rolled to a working day")


@pytest.mark.parametrize(
    ("period", "deemed_on", "due_on"),
    [
        (Period(21), date(2026, 3, 13), date(2026, 4, 3)),  # Good Friday stays without a roll
        (Period(21, roll_to_working_day=True), date(2026, 3, 13), date(2026, 4, 7)),  # past Easter
        (Period(21, roll_to_working_day=True), date(2026, 12, 4), date(2026, 12, 29)),  # past Christmas
        (Period(21, roll_to_working_day=True), date(2026, 12, 11), date(2027, 1, 4)),  # past the year's end
        (Period(5, "working"), date(2026, 4, 1), date(2026, 4, 10)),
    ],
)
def test_the_last_day_rolls_to_a_working_day_where_the_period_says_so(
    period: Period, deemed_on: date, due_on: date
) -> None:
    assert count(deemed_on, period).due_on == due_on


def test_a_calendar_that_ends_too_early_is_never_guessed_past() -> None:
    with pytest.raises(CalendarExhausted):
        count(date(2060, 12, 20), Period(21, roll_to_working_day=True))


ZONES = st.sampled_from(
    [
        "Africa/Cairo",
        "America/Asuncion",
        "America/Havana",
        "America/Sao_Paulo",
        "America/St_Johns",
        "Asia/Gaza",
        "Asia/Kathmandu",
        "Asia/Tehran",
        "Australia/Lord_Howe",
        "Europe/London",
        "Pacific/Apia",
        "Pacific/Kiritimati",
        "UTC",
    ],
)
DAYS = st.dates(date(2000, 1, 1), date(2040, 12, 31))
PERIODS = st.builds(Period, st.integers(1, 120), st.sampled_from(["calendar", "working"]), st.booleans())


@given(DAYS, PERIODS, ZONES)
def test_the_instant_is_the_boundary_after_the_last_local_day(deemed_on: date, period: Period, zone: str) -> None:
    deadline = count(deemed_on, period, zone)
    place, tick = ZoneInfo(zone), timedelta(microseconds=1)
    assert (deadline.due_at - tick).astimezone(place).date() <= deadline.due_on
    assert deadline.due_at.astimezone(place).date() > deadline.due_on


@given(DAYS, PERIODS, ZONES)
def test_a_deadline_is_never_early(deemed_on: date, period: Period, zone: str) -> None:
    deadline = count(deemed_on, period, zone)
    assert deadline.due_on >= deemed_on + timedelta(days=period.days)
    for late in (time(0), time(12), time(23, 59, 59)):
        for fold in (0, 1):
            moment = datetime.combine(deadline.due_on, late, tzinfo=ZoneInfo(zone)).replace(fold=fold)
            if moment.astimezone(UTC).astimezone(ZoneInfo(zone)).date() == deadline.due_on:
                assert moment.astimezone(UTC) < deadline.due_at


@given(DAYS, PERIODS, ZONES, st.integers(0, 30), st.integers(0, 30))
def test_later_service_or_a_longer_period_never_ends_earlier(
    deemed_on: date, period: Period, zone: str, later: int, longer: int
) -> None:
    counted = count(deemed_on, period, zone)
    other = count(deemed_on + timedelta(days=later), replace(period, days=period.days + longer), zone)
    assert other.due_at >= counted.due_at


def names_heads(approver: str) -> bool:
    return approver.startswith("head:")


def test_a_shorter_period_needs_a_reason_and_an_approver_whom_the_source_may_name() -> None:
    shorter = shorten(TWENTY_ONE, 7, reason="flight risk", approver="head:ann", may_name=names_heads)
    assert shorter == Period(7)


@pytest.mark.parametrize(
    ("reason", "approver", "says"),
    [
        (None, "head:ann", "a reason is needed"),
        ("  ", "head:ann", "a reason is needed"),
        ("flight risk", None, "an approver is needed"),
        ("flight risk", " ", "an approver is needed"),
        ("flight risk", "clerk:bob", "may not name 'clerk:bob'"),
    ],
)
def test_a_shorter_period_without_them_is_refused(reason: str | None, approver: str | None, says: str) -> None:
    with pytest.raises(ShorterPeriodRefused, match=says):
        shorten(TWENTY_ONE, 20, reason=reason, approver=approver, may_name=names_heads)


@pytest.mark.parametrize("days", [21, 28])
def test_a_period_that_is_not_shorter_needs_nobody(days: int) -> None:
    assert shorten(TWENTY_ONE, days, reason=None, approver=None, may_name=names_heads).days == days


@pytest.mark.parametrize("days", [0, -3])
def test_a_period_has_at_least_a_day(days: int) -> None:
    with pytest.raises(ValueError, match="at least one day"):
        shorten(TWENTY_ONE, days, reason="r", approver="head:ann", may_name=names_heads)


@pytest.mark.parametrize(("fixed", "allowed"), [(date(2026, 6, 21), False), (date(2026, 6, 22), True)])
def test_a_fixed_date_must_leave_the_approved_period(fixed: date, allowed: bool) -> None:
    deemed_on = date(2026, 6, 1)
    if allowed:
        deadline = fix_deadline(1, deemed_on, fixed, TWENTY_ONE, calendar(), rule="same_day")
        assert (deadline.due_on, deadline.due_at) == (fixed, datetime(2026, 6, 22, 23, tzinfo=UTC))
    else:
        with pytest.raises(FixedDateRefused, match="earliest date is 2026-06-22"):
            fix_deadline(1, deemed_on, fixed, TWENTY_ONE, calendar(), rule="same_day")


def test_an_extension_is_a_new_version_by_name() -> None:
    first = count(date(2026, 10, 1))
    second = extend(first, date(2026, 10, 30), "Ann", "time to pay", calendar())
    assert (second.version, second.due_on, second.approver) == (2, date(2026, 10, 30), "Ann")
    assert second.due_at == datetime(2026, 10, 31, 0, tzinfo=UTC)
    assert second.reason == "time to pay"
    assert first.version == 1


@pytest.mark.parametrize("days", [0, -1])
def test_a_deadline_is_never_shortened(days: int) -> None:
    first = count(date(2026, 10, 1))
    with pytest.raises(ExtensionRefused, match="never shortened"):
        extend(first, first.due_on + timedelta(days=days), "Ann", "a reason", calendar())


@pytest.mark.parametrize(("by", "reason"), [("", "a reason"), ("Ann", " ")])
def test_an_extension_without_name_or_reason_is_refused(by: str, reason: str) -> None:
    first = count(date(2026, 10, 1))
    with pytest.raises(ExtensionRefused, match="name of who extends"):
        extend(first, first.due_on + timedelta(days=1), by, reason, calendar())
