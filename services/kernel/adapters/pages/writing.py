"""How dates, times and sizes are written for people. Instants come in local time, with their zone."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from markupsafe import Markup

from services.kernel.adapters.pages.words import Words

_KILO, _MEGA = 1_000, 1_000_000


def written_day(words: Words, value: date) -> Markup:
    """Write a date in words: 22 November 2026. An instant gives its local date."""
    day = value.date() if isinstance(value, datetime) else value
    return _time(day.isoformat(), _day(words, day))


def written_moment(words: Words, instant: datetime) -> Markup:
    """Write an instant to the minute: 11.59pm on 22 November 2026 (GMT).

    Raises:
        ValueError: the instant has no zone.
    """
    clock = f"{instant.hour % 12 or 12}.{instant:%M}{'am' if instant.hour < 12 else 'pm'}"  # noqa: PLR2004 - noon
    return _moment(words, instant, clock)


def written_second(words: Words, instant: datetime) -> Markup:
    """Write an instant to the second, for receipts: 14:03:07 on 22 November 2026 (GMT).

    Raises:
        ValueError: the instant has no zone.
    """
    return _moment(words, instant, f"{instant:%H:%M:%S}")


def before(instant: datetime) -> datetime:
    """The last second before an instant: a deadline that is over at midnight is met at 11.59pm."""
    return instant - timedelta(seconds=1)


def written_size(words: Words, size: int) -> Markup:
    """Write a file's size, `size` in bytes, as file managers do: 310 KB, 2.4 MB."""
    if size < _KILO:
        return words.text("size.bytes", count=size)
    if (kilo := round(size / _KILO)) < _KILO:
        return words.text("size.kilo", number=kilo)
    return words.text("size.mega", number=f"{size / _MEGA:.1f}".removesuffix(".0"))


def _moment(words: Words, instant: datetime, clock: str) -> Markup:
    if instant.tzinfo is None:
        raise ValueError("an instant without a zone cannot be shown as local time")
    text = words.text("time.moment", clock=clock, day=_day(words, instant.date()), zone=instant.tzname())
    return _time(instant.isoformat(timespec="seconds"), text)


def _day(words: Words, day: date) -> str:
    return f"{day.day} {words.text(f'month.{day.month}')} {day.year}"


def _time(machine: str, people: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(machine, people)
