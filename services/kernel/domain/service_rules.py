"""Service rules: on which local date a notice is deemed served, each with the citation that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from services.kernel.domain.calendars import WorkingDays

_CPR_CUT_OFF = time(16, 30)


@dataclass(frozen=True, slots=True)
class ServiceRule:
    """How the deemed date follows from the local date and time of service.

    From the local date, `working_days` working days are counted, then `days` calendar days. With a `cut_off` only what
    is served on a working day *before* that local time counts for that day; anything else for the next working day.
    With `on_working_day` a date that is none moves to the next working day.
    """

    name: str
    citation: str
    days: int = 0
    working_days: int = 0
    cut_off: time | None = None
    on_working_day: bool = False


SERVICE_RULES: Mapping[str, ServiceRule] = MappingProxyType(
    {
        "same_day": ServiceRule(
            "same_day",
            "No deeming provision: the local date on which the last fact of service was recorded",
        ),
        "cpr_6_26_electronic": ServiceRule(
            "cpr_6_26_electronic",
            "Civil Procedure Rules 1998 (SI 1998/3132), rule 6.26, table, item 5 (other electronic method)",
            cut_off=_CPR_CUT_OFF,
        ),
        "cpr_6_26_fax": ServiceRule(
            "cpr_6_26_fax",
            "Civil Procedure Rules 1998 (SI 1998/3132), rule 6.26, table, item 4 (fax)",
            cut_off=_CPR_CUT_OFF,
        ),
        "post_second_working_day": ServiceRule(
            "post_second_working_day",
            "Civil Procedure Rules 1998 (SI 1998/3132), rule 6.26, table, item 1 (first class post): the second day "
            "after posting if that is a business day, or else the next business day",
            days=2,
            on_working_day=True,
        ),
        "cpr_6_14_claim_form": ServiceRule(
            "cpr_6_14_claim_form",
            "Civil Procedure Rules 1998 (SI 1998/3132), rule 6.14: the second business day after "
            "completion of the relevant step under rule 7.5(1)",
            working_days=2,
        ),
        "interpretation_act_post": ServiceRule(
            "interpretation_act_post",
            "Interpretation Act 1978, section 7, with Practice Direction (QBD: Service of Documents) [1985] 1 WLR 489: "
            "first class post, the second working day after posting",
            working_days=2,
        ),
    },
)
"""Every rule that a regime may name."""


def deemed_on(rule: ServiceRule, served_at: datetime, calendar: WorkingDays) -> date:
    """The local date, in the calendar's zone, on which what was served at an instant is deemed served.

    Raises:
        CalendarExhausted: the rule counts working days beyond the calendar.
        ValueError: `served_at` has no time zone.
    """
    if served_at.tzinfo is None:
        raise ValueError("served_at is an instant: it needs a time zone")
    local = served_at.astimezone(ZoneInfo(calendar.zone))
    day = local.date()
    if rule.cut_off is not None and not (calendar.is_working_day(day) and local.time() < rule.cut_off):
        return calendar.next_working_day(day + timedelta(days=1))
    day = calendar.plus_working_days(day, rule.working_days) + timedelta(days=rule.days)
    return calendar.next_working_day(day) if rule.on_working_day else day
