"""Whether evidence is whole and unaltered, states follow from it, and daily roots know it.

For named notices, or pages of them, from a desk's reads. The rules themselves are `services.kernel.domain.proof`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol
from uuid import UUID

from services.kernel.domain.chain import Fact
from services.kernel.domain.notice import Notice
from services.kernel.domain.proof import DayRoot, check_against_roots, check_content, check_notice, check_root


class ProofReads(Protocol):
    """What is read for it."""

    async def notices_named(self, notice_ids: Sequence[UUID]) -> list[Notice]:
        """These notices."""

    async def chains(self, notice_ids: Sequence[UUID]) -> dict[UUID, list[Fact]]:
        """The evidence of these notices, first fact first."""

    async def contents(self, notice_ids: Sequence[UUID]) -> dict[UUID, tuple[bytes, bool]]:
        """The hash of the words of these notices, and whether they were erased."""

    async def roots(self, days: Collection[date] | None = None) -> list[DayRoot]:
        """The roots of these days, or all, oldest first."""


@dataclass(slots=True)
class Findings:
    """What was checked, and what is wrong with what."""

    notices: int = 0
    facts: int = 0
    roots: int = 0
    erased: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)

    def add(self, whose: object, problems: Sequence[str]) -> None:
        """Note what is wrong with a notice or a root."""
        self.faults += [(str(whose), problem) for problem in problems]


async def prove(desk: ProofReads, notice_ids: Sequence[UUID]) -> Findings:
    """Check these notices, and the roots of the days on which their evidence grew."""
    found = Findings()
    notices = await desk.notices_named(notice_ids)
    chains = await desk.chains([notice.notice_id for notice in notices])
    roots = await desk.roots({fact.at.date() for facts in chains.values() for fact in facts})
    check_roots(found, roots)
    check_notices(found, notices, chains, roots, known_by(roots))
    check_contents(found, chains, await desk.contents([notice.notice_id for notice in notices]))
    return found


def check_contents(
    found: Findings, chains: Mapping[UUID, Sequence[Fact]], contents: Mapping[UUID, tuple[bytes, bool]]
) -> None:
    """Check the words of some notices, which are there or erased, against what their chains say."""
    for notice_id, (stored, erased) in contents.items():
        found.erased += erased
        found.add(notice_id, check_content(chains[notice_id], stored, erased=erased))


def known_by(roots: Sequence[DayRoot]) -> dict[UUID, dict[date, bytes]]:
    """What the roots know, by notice."""
    known: dict[UUID, dict[date, bytes]] = {}
    for root in roots:
        for notice_id, digest in root.heads:
            known.setdefault(notice_id, {})[root.day] = digest
    return known


def check_roots(found: Findings, roots: Sequence[DayRoot]) -> None:
    """Check that roots follow from the heads that are kept with them."""
    for root in roots:
        found.roots += 1
        found.add(f"root of {root.day}", check_root(root))


def check_notices(
    found: Findings,
    notices: Sequence[Notice],
    chains: dict[UUID, list[Fact]],
    roots: Sequence[DayRoot],
    known: dict[UUID, dict[date, bytes]],
) -> None:
    """Check some notices by their chains; what the roots know of them is taken out of `known`."""
    rooted = {root.day for root in roots}
    for notice in notices:
        facts = chains[notice.notice_id]
        found.notices += 1
        found.facts += len(facts)
        found.add(notice.notice_id, check_notice(facts, notice.chain_head, notice.state))
        found.add(notice.notice_id, check_against_roots(facts, rooted, known.pop(notice.notice_id, {})))
