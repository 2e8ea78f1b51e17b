"""What proves a notice's evidence: its chain, the state that the chain tells, and the published root of each day."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from hashlib import sha256
from uuid import UUID

from services.kernel.domain.chain import Fact, Json, merkle_root, verify
from services.kernel.domain.notice import State

STATE_TOLD = {
    "notice.accepted": State.ACCEPTED,
    "notice.rendered": State.RENDERED,
    "notice.served": State.SERVED,
    "notice.satisfied": State.SATISFIED,
    "notice.lapsed": State.LAPSED,
    "notice.closed": State.CLOSED,
    "sanction.fired": State.SANCTIONED,
    "notice.unserved": State.UNSERVED,
    "notice.withdrawn": State.WITHDRAWN,
}
"""The facts that go with a move, and where they leave the notice. All other facts leave it where it is."""


@dataclass(frozen=True, slots=True)
class DayRoot:
    """The root of one UTC day, with the heads that it was made of, in order of notice id."""

    day: date
    chains: int
    root: bytes
    heads: tuple[tuple[UUID, bytes], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One sibling on the way from a head to its root; `left`: it stands to the left."""

    left: bool
    digest: bytes


def state_told(facts: Sequence[Fact]) -> State | None:
    """The state in which the evidence leaves a notice, or None if it tells of none."""
    return next((STATE_TOLD[fact.kind] for fact in reversed(facts) if fact.kind in STATE_TOLD), None)


def check_notice(facts: Sequence[Fact], head: bytes, state: State) -> list[str]:
    """Check a notice against its evidence: the chain, its head, and the state. Empty if all is sound."""
    if not facts:
        return ["there is no evidence at all"]
    problems = verify(facts, head)
    told = state_told(facts)
    if told is not state:
        problems.append(f"the notice is {state}, but its evidence says {told or 'nothing'}")
    return problems


def check_content(facts: Sequence[Fact], stored: bytes, *, erased: bool) -> list[str]:
    """Check the stored hash of a notice's words, and whether they are there, against its evidence. Empty if sound.

    Words that were erased cannot be compared any more; then the chain must say that they were, and what they were.
    """
    rendered = [fact.data.get("content_sha256") for fact in facts if fact.kind == "notice.rendered"]
    told = [piece for fact in facts if fact.kind == "content.erased" for piece in _pieces(fact) if piece[0] == "words"]
    problems = []
    if any(digest is not None and digest != stored.hex() for digest in rendered):
        problems.append("its words have another hash than the one in its evidence")
    if erased and not told:
        problems.append("its words are erased, and its evidence does not say so")
    if told and not erased:
        problems.append("its evidence says that its words are erased, and they are there")
    if any(digest != stored.hex() for _, digest in told):
        problems.append("other words were erased than its evidence says were served")
    return problems


def _pieces(fact: Fact) -> list[tuple[Json, Json]]:
    """Kind and hash of each piece that a fact of erasing names."""
    pieces = fact.data.get("pieces")
    listed = pieces if isinstance(pieces, list) else []
    return [(each["kind"], each["sha256"]) for each in listed if isinstance(each, dict)]


def check_root(root: DayRoot) -> list[str]:
    """Check a day's root against the heads that are kept with it. Empty if sound."""
    problems = []
    if len(root.heads) != root.chains:
        problems.append(f"{root.day}: {root.chains} chains were counted, {len(root.heads)} heads are kept")
    if merkle_root([digest for _, digest in root.heads]) != root.root:
        problems.append(f"{root.day}: the root does not follow from its heads")
    return problems


def check_against_roots(facts: Sequence[Fact], rooted: Collection[date], known: Mapping[date, bytes]) -> list[str]:
    """Check that a chain was, at the end of each day, where that day's root says. Empty if sound.

    `rooted` are the days that have a root; `known` is this notice's head in each root that knows it.
    """
    last = {fact.at.astimezone(UTC).date(): fact for fact in facts}
    problems = [
        f"fact {fact.seq}: the root of {day} knows another"
        for day, fact in last.items()
        if day in rooted and known.get(day, fact.digest) != fact.digest
    ]
    problems += [
        f"fact {fact.seq}: the root of {day} does not know it"
        for day, fact in last.items()
        if day in rooted and day not in known
    ]
    return problems + [f"the root of {day} knows a fact that is not there" for day in known if day not in last]


def path_to_root(heads: Sequence[bytes], index: int) -> tuple[Step, ...]:
    """The siblings by which the root follows from one head (RFC 6962 section 2.1.1, upwards)."""
    level = [sha256(b"\x00" + head).digest() for head in heads]
    steps = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            steps.append(Step(sibling < index, level[sibling]))
        level = [_node(level[at : at + 2]) for at in range(0, len(level), 2)]
        index //= 2
    return tuple(steps)


def root_by_path(head: bytes, path: Sequence[Step]) -> bytes:
    """The root that follows from a head and its siblings."""
    digest = sha256(b"\x00" + head).digest()
    for step in path:
        digest = _node([step.digest, digest] if step.left else [digest, step.digest])
    return digest


def _node(pair: Sequence[bytes]) -> bytes:
    """An inner node; one that stands alone goes up as it is."""
    return pair[0] if len(pair) == 1 else sha256(b"\x01" + pair[0] + pair[1]).digest()
