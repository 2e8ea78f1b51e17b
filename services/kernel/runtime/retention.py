"""Retention as the ledger and the library tell it: who keeps what, whether it may be erased, and erasing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.kernel.domain.chain import Json
from services.kernel.domain.library import Library, NotInLibrary
from services.kernel.domain.notice import Notice
from services.kernel.domain.retention import Erase, Keep, Policy, RetentionFacts, Span, ended_at, may_erase
from services.kernel.ledger.retention import ErasingFacts, Kept, Looked, Piece
from services.kernel.runtime.effects import Writing

ERASED = "content.erased"
LATE_PIECES = timedelta(days=90)
"""After this an erased notice is looked at again: evidence may have come late."""
_YEAR_AT_LEAST, _YEAR_AT_MOST = 365, 366


@dataclass(frozen=True, slots=True)
class Bounds:
    """What all policies of a library have in common. `regimes` are those under which anything is ever erased.

    Nothing can be due before `shortest` days; what names no notice is kept for `longest` days, as long as any regime.
    """

    regimes: frozenset[str]
    shortest: int
    longest: int


def bounds(library: Library) -> Bounds | None:
    """The bounds of a library's policies; None if nothing is ever erased."""
    policies = dict(_policies(library))
    if not policies:
        return None
    spans = [span for _, policy in _policies(library) for span in (policy.content, policy.least) if span is not None]
    return Bounds(
        frozenset(policies),
        min(_days(span, _YEAR_AT_LEAST) for span in spans),
        max(_days(span, _YEAR_AT_MOST) for span in spans),
    )


def _policies(library: Library) -> Iterator[tuple[str, Policy]]:
    for name, regime in library.regimes.items():
        if regime.retention is not None:
            yield name, regime.retention
    for (name, _), kind in library.notice_types.items():
        if kind.retention is not None:
            yield name, kind.retention


def _days(span: Span, year: int) -> int:
    return span.days + span.years * year


def policy_of(library: Library, notice: Notice) -> tuple[Policy | None, str]:
    """The policy for a notice and the zone of its local dates; none for what the library does not know any more."""
    try:
        regime = library.regime(notice.regime)
        return library.notice_type(notice.regime, notice.notice_type).retention_under(regime), regime.zone
    except NotInLibrary:
        return None, "UTC"


def weigh(library: Library, notice: Notice, kept: Kept, *, asked: bool | None = None) -> Erase | Keep:
    """Whether the content of a locked notice may be erased now; `asked` None: as the ledger says."""
    policy, zone = policy_of(library, notice)
    facts = RetentionFacts(
        now=kept.now,
        zone=zone,
        state=notice.state,
        ended_at=ended_at(notice),
        matter_ended_at=kept.matter_ended_at,
        matter_running=kept.matter_running,
        sanction_stands_since=kept.sanction_stands_since,
        last_evidence_at=kept.last_evidence_at,
        waiting=kept.waiting,
        legal_holds=kept.legal_holds,
        asked=kept.asked_by is not None if asked is None else asked,
    )
    return may_erase(facts, policy)


def set_aside(notice: Notice, keep: Keep) -> Looked:
    """What is noted of a notice whose content is kept; the period alone is no reason that needs telling."""
    codes = tuple(dict.fromkeys(reason.code for reason in keep.reasons if reason.code != "period_running"))
    return Looked(notice.notice_id, keep.look_again_at, keep.kept_until, codes)


@dataclass(frozen=True, slots=True)
class Cleared:
    """A notice whose content may be erased, and what its chain will say."""

    notice: Notice
    kept: Kept
    verdict: Erase
    rule: str


async def erase(tx: ErasingFacts, cleared: list[Cleared], at: datetime, actor: str) -> list[Piece]:
    """Erase, and say so in each chain with the hash of every piece, in this transaction; every piece of all of them."""
    if not cleared:
        return []
    pieces = await tx.erase([each.notice.notice_id for each in cleared], at)
    looked: list[Looked] = []
    for each in cleared:
        found = pieces[each.notice.notice_id]
        again = Looked(
            each.notice.notice_id, at + LATE_PIECES, each.verdict.kept_until, (), at if found else None
        )  # fmt: skip
        looked.append(again)
        if found:
            writing = Writing.begin(each.notice, at, actor)
            writing.fact(ERASED, **_told(each, found))
            await tx.write(writing.finished())
    await tx.looked(looked)
    return [piece for found in pieces.values() for piece in found]


def _told(cleared: Cleared, pieces: list[Piece]) -> dict[str, Json]:
    asked: dict[str, Json] = {}
    if cleared.kept.asked_by is not None:
        asked = {"asked_by": cleared.kept.asked_by, "reason": cleared.kept.asked_reason}
    return {
        "policy": cleared.rule,
        "ended_on": cleared.verdict.ended_on.isoformat(),
        "kept_until": cleared.verdict.kept_until.isoformat(),
        **asked,
        "pieces": [{"kind": piece.kind, "of": piece.of, "sha256": piece.sha256.hex()} for piece in pieces],
    }
