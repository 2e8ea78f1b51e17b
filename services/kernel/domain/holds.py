"""Holds: placed and lifted by name, with a reason. A hold stops the sanction, not the clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class HoldKind(StrEnum):
    """Why a sanction may not fire until a named person has decided."""

    DELIVERY_DOUBT = "delivery_doubt"
    CONTESTED = "contested"
    SPECIAL_TREATMENT = "special_treatment"
    LATE_RESPONSE = "late_response"
    OBJECTION = "objection"
    MANUAL = "manual"


class HoldRefused(Exception):
    """A hold was placed or lifted without a name or a reason, or lifted twice."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold on one notice. Instants are UTC, from the database's clock."""

    hold_id: UUID
    kind: HoldKind
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lift_reason: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still stops a sanction."""
        return self.lifted_at is None


def place(hold_id: UUID, kind: HoldKind, reason: str, by: str, at: datetime) -> Hold:
    """Place a hold by name.

    Raises:
        HoldRefused: the name or the reason is blank.
    """
    _named_and_reasoned(by, reason)
    return Hold(hold_id, kind, reason.strip(), by.strip(), at)


def lift(hold: Hold, reason: str, by: str, at: datetime) -> Hold:
    """Lift a hold by name; from `at` the regime's minimum runs before a sanction.

    Raises:
        HoldRefused: the name or the reason is blank, or the hold is lifted already.
    """
    _named_and_reasoned(by, reason)
    if hold.lifted_at is not None:
        raise HoldRefused(f"{hold.lifted_by} lifted this hold on {hold.lifted_at.isoformat()}")
    return replace(hold, lifted_at=at, lifted_by=by.strip(), lift_reason=reason.strip())


def _named_and_reasoned(by: str, reason: str) -> None:
    if not by.strip():
        raise HoldRefused("a hold is placed and lifted by name")
    if not reason.strip():
        raise HoldRefused("a hold is placed and lifted with a reason")
