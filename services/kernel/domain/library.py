"""The library: every regime, notice type, source and approved text that Duly serves by, as one frozen whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from services.kernel.domain.calendars import WorkingDays
from services.kernel.domain.regime import NoticeType, Regime, Source
from services.kernel.domain.template import Template

_LONGEST_SHOWN = 64

K = TypeVar("K")
V = TypeVar("V")


class NotInLibrary(LookupError):
    """A request names something that the library does not have; `reason` is fit for upstream and for a log."""

    def __init__(self, kind: str, name: str) -> None:
        shown = name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}…"
        self.reason = f"unknown {kind}: {shown!r}"
        super().__init__(self.reason)


@dataclass(frozen=True, slots=True)
class Library:
    """What is known by name. Notice types and templates belong to a regime; template versions are numbers as text.

    `caps_an_hour` holds for each sanction of a regime how many may fire in an hour; `calendar_of` builds the working
    days of a regime, and keeps them.
    """

    regimes: Mapping[str, Regime]
    notice_types: Mapping[tuple[str, str], NoticeType]
    templates: Mapping[tuple[str, str], Mapping[str, Template]]
    sources: Mapping[str, Source]
    caps_an_hour: Mapping[tuple[str, str], int]
    calendar_of: Callable[[Regime], WorkingDays]

    def regime(self, name: str) -> Regime:
        """Find a regime.

        Raises:
            NotInLibrary: there is none of this name.
        """
        return _found(self.regimes, name, "regime", name)

    def notice_type(self, regime: str, name: str) -> NoticeType:
        """Find a notice type of a regime, in scope or not.

        Raises:
            NotInLibrary: the regime or the type is unknown.
        """
        self.regime(regime)
        return _found(self.notice_types, (regime, name), "notice type", name)

    def template(self, regime: str, name: str, version: str | None = None) -> Template:
        """Find a version of a template, or its newest.

        Raises:
            NotInLibrary: the regime, the template or the version is unknown.
        """
        self.regime(regime)
        versions = _found(self.templates, (regime, name), "template", name)
        chosen = max(versions, key=int) if version is None else version
        return _found(versions, chosen, f"version of template {name}", chosen)

    def source(self, name: str) -> Source:
        """Find a source.

        Raises:
            NotInLibrary: there is none of this name.
        """
        return _found(self.sources, name, "source", name)

    def cap_an_hour(self, regime: str, sanction: str) -> int:
        """How many sanctions of this kind may fire in an hour.

        Raises:
            NotInLibrary: the regime has no such sanction.
        """
        return _found(self.caps_an_hour, (regime, sanction), "sanction", sanction)

    def calendar(self, regime: str) -> WorkingDays:
        """The working days where the regime applies.

        Raises:
            NotInLibrary: there is no such regime.
        """
        return self.calendar_of(self.regime(regime))


def _found(things: Mapping[K, V], key: K, kind: str, name: str) -> V:
    try:
        return things[key]
    except KeyError:
        raise NotInLibrary(kind, name) from None
