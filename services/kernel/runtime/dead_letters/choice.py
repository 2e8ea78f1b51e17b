"""Which dead letters are meant, and by what they are grouped."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from services.kernel.domain.impact import Impact

OPEN = ("dead", "retry", "replaying")
"""The states of what is not over. `retry`: its next attempt is dated; `replaying`: a run has handed it out."""

STATES = (*OPEN, "resolved", "discarded")
"""Every state of a failed item."""


class By(StrEnum):
    """What dead letters are grouped by."""

    CAUSE = "cause"
    """The reason without what differs from item to item."""
    IMPACT = "impact"
    """What waits for them in law."""
    WORKER = "worker"
    TYPE = "type"
    TEMPLATE = "template"
    """The notice type ("regime/notice_type"), with the template's version ("@version") where there is a notice."""
    CAUSE_AND_IMPACT = "cause_and_impact"
    """Worker, type, template, cause and impact together: the groups that one remedy and one urgency fit."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which failed items are meant; what is None leaves a property open.

    `template` is "regime/notice_type", with or without "@version". `text` stands anywhere in ids, the event's id,
    upstream's reference, the business, the reason (whatever the case), or, letter for letter, in the body.
    `since` is wall time: when it first failed.
    """

    ids: tuple[UUID, ...] | None = None
    states: tuple[str, ...] | None = None
    worker: str | None = None
    type: str | None = None
    cause: str | None = None
    template: str | None = None
    impact: Impact | None = None
    text: str | None = None
    since: datetime | None = None

    def within(self, *states: str) -> Self:
        """The same, of these states only."""
        mine = states if self.states is None else tuple(state for state in self.states if state in states)
        return replace(self, states=mine)

    def words(self) -> str:
        """The choice as a run keeps it, for people to read."""
        said = [f"{field.name}: {_shown(value)}" for field in fields(self) if (value := getattr(self, field.name))]
        return "; ".join(said) or "all"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        shown = ", ".join(map(str, value[:5]))
        return shown if len(value) <= 5 else f"{shown} and {len(value) - 5} more"  # noqa: PLR2004 -- a line's worth
    return value.isoformat() if isinstance(value, datetime) else str(value)
