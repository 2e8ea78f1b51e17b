"""One sanction as a person looks at it before deciding: the notice with its story, and what the gate says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.console.ports import ConsoleDesk
from services.console.visit import Visit
from services.kernel.domain.chain import Fact
from services.kernel.domain.gate import Block, Fire, Reason, Wait, gate
from services.kernel.domain.library import NotInLibrary
from services.kernel.domain.notice import Notice

_SAID = ("address", "reply", "reason", "effect", "release_reason")
_NAMES = ("by", "placed_by", "lifted_by", "decided_by", "declined_by", "released_by", "extended_by", "upheld_by",
          "rescinded_by", "cleared_by")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One fact of a notice, for a person: what, when, by whom, and what it says of itself."""

    kind: str
    at: datetime
    by: str
    about: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate would say at this instant: `fire`, `wait` or `block`, why, and when it would look again."""

    word: str
    reasons: tuple[Reason, ...]
    look_again_at: datetime | None = None


def story(facts: Sequence[Fact]) -> list[Step]:
    """The evidence of a notice as steps, first to last."""
    return [Step(fact.kind, fact.at, _by(fact), _about(fact)) for fact in facts]


def _by(fact: Fact) -> str:
    named = (str(fact.data[name]) for name in _NAMES if fact.data.get(name))
    return next(named, fact.actor)


def _about(fact: Fact) -> str:
    return "; ".join(str(fact.data[name]) for name in _SAID if fact.data.get(name))


async def answer_of(visit: Visit, desk: ConsoleDesk, notice: Notice, *, released: bool = False) -> Answer | None:
    """What the gate would say of a notice now; with `released`, if its sanction were released from the brake.

    None where the library no longer has what the notice is.
    """
    try:
        facts, _ = await desk.gate_facts_now(visit.site.library, notice)
    except NotInLibrary:
        return None
    match gate(replace(facts, released=True) if released else facts):
        case Fire():
            return Answer("fire", ())
        case Wait(reasons, look_again_at):
            return Answer("wait", reasons, look_again_at)
        case Block(reasons):
            return Answer("block", reasons)
