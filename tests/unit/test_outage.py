"""When an instant lies in an outage of the secure inbox, and how far a deadline moves for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.adapters.library import load_library
from services.kernel.adapters.parts import LIBRARY
from services.kernel.domain.outage import SILENCE, Outage, Up, last_day_after, outage_at

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
UPS = (Up(NOON - 10 * HOUR, NOON), Up(NOON + 2 * HOUR, NOON + 5 * HOUR))
DOWN = Outage(NOON, NOON + 2 * HOUR)
NOW = NOON + 5 * HOUR


@pytest.mark.parametrize(
    ("instant", "found"),
    [
        (NOON - 11 * HOUR, None),  # there was no inbox yet
        (NOON - HOUR, None),
        (NOON + SILENCE, None),  # it speaks at intervals
        (NOON + SILENCE + MINUTE, DOWN),
        (NOON + 2 * HOUR - MINUTE, DOWN),
        (NOON + 2 * HOUR, None),
        (NOON + 5 * HOUR, None),
    ],
)
def test_an_instant_lies_in_an_outage_only_between_two_times_of_being_up(
    instant: datetime, found: Outage | None
) -> None:
    assert outage_at(instant, UPS, NOW, SILENCE) == found


def test_an_outage_that_lasts_has_no_end_and_is_not_yet_longer_than_anything() -> None:
    lasting = outage_at(NOON + 7 * HOUR, UPS, NOON + 8 * HOUR, SILENCE)
    assert lasting == Outage(NOON + 5 * HOUR, None)
    assert not lasting.longer_than(MINUTE)


def test_without_any_inbox_there_is_no_outage() -> None:
    assert outage_at(NOON, (), NOW, SILENCE) is None


@pytest.mark.parametrize(
    ("back_at", "last_day"),
    [
        (datetime(2026, 11, 19, 10, tzinfo=UTC), date(2026, 11, 20)),
        (datetime(2026, 11, 20, 10, tzinfo=UTC), date(2026, 11, 23)),  # Friday: Monday
        (datetime(2026, 7, 1, 23, 30, tzinfo=UTC), date(2026, 7, 3)),  # it is the 2nd in London
        (datetime(2026, 12, 24, 10, tzinfo=UTC), date(2026, 12, 29)),  # Christmas, Boxing Day on the Monday after
    ],
)
def test_a_whole_working_day_follows_the_day_on_which_the_inbox_came_back(back_at: datetime, last_day: date) -> None:
    assert last_day_after(back_at, load_library(LIBRARY).calendar("aml-supervision")) == last_day


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=12, unique=True), st.integers(-100, 11_000))
def test_an_outage_found_never_touches_a_time_of_being_up(edges: list[int], minute: int) -> None:
    points = sorted(edges)[: len(edges) // 2 * 2]
    ups = [Up(NOON + a * MINUTE, NOON + b * MINUTE) for a, b in zip(points[::2], points[1::2], strict=True)]
    instant = NOON + minute * MINUTE
    found = outage_at(instant, ups, NOON + 20_000 * MINUTE, SILENCE)
    was_up = any(up.from_at <= instant <= up.until_at + SILENCE for up in ups)
    assert (found is None) == (was_up or instant < ups[0].from_at)
    if found:
        assert found.from_at < instant
        assert found.until_at is None or instant < found.until_at
        assert not any(found.from_at < up.from_at < (found.until_at or instant) for up in ups)
