"""Working days from the `holidays` package, pinned by its version."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.metadata import version

from holidays import country_holidays

from services.kernel.domain.calendars import WorkingDays
from services.kernel.domain.regime import Regime

FIRST_YEAR = 2000
LAST_YEAR = 2045


def calendar_of(regime: Regime) -> WorkingDays:
    """The working days where a regime applies, 2000 to 2045; built when first asked for, then kept."""
    return _working_days(regime.country, regime.subdivision, regime.zone)


def place_fault(country: str, subdivision: str | None) -> str | None:
    """Say why no working days are known for a place, or None."""
    try:
        country_holidays(country, subdiv=subdivision, years=FIRST_YEAR)
    except NotImplementedError as unknown:
        return f"no working days are known there: {unknown}"
    return None


@cache
def _working_days(country: str, subdivision: str | None, zone: str) -> WorkingDays:
    days = country_holidays(country, subdiv=subdivision, years=range(FIRST_YEAR, LAST_YEAR + 1), expand=False)
    place = country if subdivision is None else f"{country}-{subdivision}"
    return WorkingDays(
        version=f"holidays {version('holidays')} {place}",
        zone=zone,
        holidays=frozenset(days),
        first=date(FIRST_YEAR, 1, 1),
        last=date(LAST_YEAR, 12, 31),
    )
