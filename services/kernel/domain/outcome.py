"""What an item's work can come to: a closed set. Nothing is logged and forgotten."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """The item's work is committed."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The item asks for what the law or the schema does not allow; whoever sent it is told why.

    `late`: its time is over, and nothing else stands against it.
    """

    reason: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: again after `after` seconds, or by the type's schedule where None."""

    reason: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """It can never succeed as it is; a person must look."""

    reason: str


Outcome = Done | Refused | Retry | DeadLetter
