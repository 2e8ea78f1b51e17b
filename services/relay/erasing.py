"""Erasing content whose time is over, a few notices a transaction; the chain of each says what was erased and why.

Takes its turn beside others who erase, claims notices that are due, locks them, and reads in later statements all that
the law may still need them for. What names no notice is kept as long as the longest policy of all regimes.
"""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import structlog

from services.kernel.domain.library import Library
from services.kernel.domain.notice import Notice
from services.kernel.domain.retention import Erase, Keep
from services.kernel.ledger.retention import ErasingFacts, ErasingLedger, Looked
from services.kernel.runtime.measures import Measures
from services.kernel.runtime.retention import Bounds, Cleared, bounds, erase, policy_of, set_aside, weigh

log = structlog.get_logger()
_ENLISTED = 500
_A_TRANSACTION = 20
"""Notices in one transaction: their locks are held while their files are deleted."""
_NAMELESS = 200


class Eraser:
    """One round erases what is due; True if there may be more at once."""

    def __init__(self, ledger: ErasingLedger, library: Library, measures: Measures) -> None:
        self._ledger, self._library, self._measures = ledger, library, measures
        self._bounds = bounds(library)

    async def round(self) -> bool:
        """Enlist what may be due, look at some of what is, and erase some of what names no notice."""
        if self._bounds is None:
            return False
        enlisted = await self._enlist(self._bounds)
        looked = await self.look()
        nameless = await self._nameless(self._bounds)
        return enlisted == _ENLISTED or looked == _A_TRANSACTION or nameless

    async def look(self) -> int:
        """Look at notices that are due, and erase what may be erased; how many were looked at."""
        async with self._ledger.begin_erasing() as tx:
            await tx.erasing_turn()
            claimed = await tx.claim_retention(_A_TRANSACTION)
            pieces = await self._look_at(tx, claimed) if claimed else Counter[str]()
        self._count(pieces)
        return len(claimed)

    async def _look_at(self, tx: ErasingFacts, claimed: list[UUID]) -> Counter[str]:
        notices = await tx.lock(claimed)
        facts = await tx.kept(notices)
        at = (await tx.clock()).legal
        kept: list[Looked] = []
        cleared: list[Cleared] = []
        for notice_id, notice in notices.items():
            match weigh(self._library, notice, facts[notice_id]):
                case Keep() as keep:
                    kept.append(set_aside(notice, keep))
                case Erase() as verdict:
                    cleared.append(Cleared(notice, facts[notice_id], verdict, self._rule(notice)))
        await tx.looked(kept)
        return Counter(piece.kind for piece in await erase(tx, cleared, at, "relay"))

    def _rule(self, notice: Notice) -> str:
        policy, _ = policy_of(self._library, notice)
        return f"{notice.regime}: {policy.rule}" if policy else ""

    async def _enlist(self, limits: Bounds) -> int:
        async with self._ledger.begin_erasing() as tx:
            return await tx.enlist(_ENLISTED, limits.shortest, limits.regimes)

    async def _nameless(self, limits: Bounds) -> bool:
        async with self._ledger.begin_erasing() as tx:
            await tx.erasing_turn()
            erased = await tx.erase_nameless(_NAMELESS, limits.longest)
        self._count(Counter(erased))
        return _NAMELESS in erased.values()

    def _count(self, pieces: Counter[str]) -> None:
        for kind, number in pieces.items():
            self._measures.erased(kind, number)
        if total := pieces.total():
            log.info("content.erased", count=total)
