"""How dates, times, ages and sizes are written for people, in their language and their zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from markupsafe import Markup

from services.kernel.adapters.pages.words import Words

_KILO, _MEGA = 1_000, 1_000_000
_AGES = (("day", 86_400), ("hour", 3_600), ("minute", 60))


@dataclass(frozen=True, slots=True)
class Writing:
    """In these words. `zone` is that in which instants are shown; None: in the one that they come with."""

    words: Words
    zone: tzinfo | None = None

    def day(self, value: date) -> Markup:
        """Write a date in words: 22 November 2026. An instant gives its local date."""
        day = self._local(value).date() if isinstance(value, datetime) else value
        return _time(day.isoformat(), self._day(day))

    def moment(self, instant: datetime) -> Markup:
        """Write an instant to the minute: 11.59pm on 22 November 2026 (GMT).

        Raises:
            ValueError: the instant has no zone.
        """
        local = self._local(instant)
        clock = f"{local.hour % 12 or 12}.{local:%M}{'am' if local.hour < 12 else 'pm'}"  # noqa: PLR2004 - noon
        return self._moment(local, clock)

    def second(self, instant: datetime) -> Markup:
        """Write an instant to the second, for receipts: 14:03:07 on 22 November 2026 (GMT).

        Raises:
            ValueError: the instant has no zone.
        """
        local = self._local(instant)
        return self._moment(local, f"{local:%H:%M:%S}")

    def size(self, size: int) -> Markup:
        """Write a file's size, `size` in bytes, as file managers do: 310 KB, 2.4 MB."""
        if size < _KILO:
            return self.words.text("size.bytes", count=size)
        if (kilo := round(size / _KILO)) < _KILO:
            return self.words.text("size.kilo", number=kilo)
        return self.words.text("size.mega", number=f"{size / _MEGA:.1f}".removesuffix(".0"))

    def age(self, age: timedelta) -> Markup:
        """Write how long something takes or has lasted, in its largest unit: 3 min, 2 h, 11 days. Never less than 0."""
        seconds = max(0, int(age.total_seconds()))
        for unit, length in _AGES:
            if seconds >= length:
                return self.words.text(f"age.{unit}", count=seconds // length)
        return self.words.text("age.second", count=seconds)

    def _local(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone) if self.zone is not None and instant.tzinfo is not None else instant

    def _moment(self, instant: datetime, clock: str) -> Markup:
        if instant.tzinfo is None:
            raise ValueError("an instant without a zone cannot be shown as local time")
        text = self.words.text("time.moment", clock=clock, day=self._day(instant.date()), zone=instant.tzname())
        return _time(instant.isoformat(timespec="seconds"), text)

    def _day(self, day: date) -> str:
        return f"{day.day} {self.words.text(f'month.{day.month}')} {day.year}"


def before(instant: datetime) -> datetime:
    """The last second before an instant: a deadline that is over at midnight is met at 11.59pm."""
    return instant - timedelta(seconds=1)


def _time(machine: str, people: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(machine, people)
