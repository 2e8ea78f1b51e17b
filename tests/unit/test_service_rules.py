from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.kernel.domain.calendars import WorkingDays
from services.kernel.domain.service_rules import SERVICE_RULES, deemed_on

LONDON = ZoneInfo("Europe/London")
CALENDAR = WorkingDays(
    version="GB-ENG 2026",
    zone="Europe/London",
    holidays=frozenset({date(2026, 4, 3), date(2026, 4, 6)}),
    first=date(2026, 1, 1),
    last=date(2026, 12, 31),
)


def london(*wall: int) -> datetime:
    return datetime(*wall, tzinfo=LONDON)


CASES = [
    # a plain Tuesday, to the minute of the cut-off
    ("same_day", london(2026, 4, 14, 23, 59), date(2026, 4, 14)),
    ("cpr_6_26_electronic", london(2026, 4, 14, 16, 29, 59), date(2026, 4, 14)),
    ("cpr_6_26_electronic", london(2026, 4, 14, 16, 30), date(2026, 4, 15)),
    ("cpr_6_26_fax", london(2026, 4, 14, 16, 30), date(2026, 4, 15)),
    # Thursday afternoon before Easter, and Easter itself
    ("same_day", london(2026, 4, 5, 9), date(2026, 4, 5)),
    ("cpr_6_26_electronic", london(2026, 4, 2, 16, 30), date(2026, 4, 7)),
    ("cpr_6_26_electronic", london(2026, 4, 4, 9), date(2026, 4, 7)),
    # the second day after posting, or the next business day: Wednesday to Friday (Good Friday), so Tuesday
    ("post_second_working_day", london(2026, 4, 14, 12), date(2026, 4, 16)),
    ("post_second_working_day", london(2026, 4, 1, 12), date(2026, 4, 7)),
    ("post_second_working_day", london(2026, 4, 17, 12), date(2026, 4, 20)),
    # the second business day: Friday to Tuesday
    ("cpr_6_14_claim_form", london(2026, 4, 17, 12), date(2026, 4, 21)),
    ("interpretation_act_post", london(2026, 4, 17, 12), date(2026, 4, 21)),
]


@pytest.mark.parametrize(("rule", "served_at", "expected"), CASES)
def test_the_deemed_date_follows_the_rule(rule: str, served_at: datetime, expected: date) -> None:
    assert deemed_on(SERVICE_RULES[rule], served_at, CALENDAR) == expected


def test_the_date_is_the_local_one() -> None:
    just_after_midnight_in_london = datetime(2026, 6, 1, 23, 30, tzinfo=ZoneInfo("UTC"))
    assert deemed_on(SERVICE_RULES["same_day"], just_after_midnight_in_london, CALENDAR) == date(2026, 6, 2)


def test_summer_time_moves_the_cut_off_with_the_clock_on_the_wall() -> None:
    at_1629_bst = datetime(2026, 6, 1, 15, 29, tzinfo=ZoneInfo("UTC"))
    at_1630_bst = datetime(2026, 6, 1, 15, 30, tzinfo=ZoneInfo("UTC"))
    rule = SERVICE_RULES["cpr_6_26_electronic"]
    assert deemed_on(rule, at_1629_bst, CALENDAR) == date(2026, 6, 1)
    assert deemed_on(rule, at_1630_bst, CALENDAR) == date(2026, 6, 2)


def test_every_rule_is_known_by_its_own_name_and_has_a_citation() -> None:
    assert all(rule.name == name and len(rule.citation) > 20 for name, rule in SERVICE_RULES.items())
    assert {rule for rule, _, _ in CASES} == set(SERVICE_RULES)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        deemed_on(SERVICE_RULES["same_day"], london(2026, 4, 14, 12).replace(tzinfo=None), CALENDAR)
