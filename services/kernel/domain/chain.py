"""The hash chain of a notice's evidence: every fact names the digest of the one before it.

Digests are SHA-256 over canonical JSON (RFC 8785 for all but numbers: integers only; keys by code point). Anyone can
check a chain offline; a forger must forge all that follows, and the published daily root.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeAlias
from uuid import UUID

from services.kernel.domain.notice import Notice

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
"""What evidence may hold. No floats: their text differs between languages."""

_SCALARS = frozenset({str, int, bool, type(None)})
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False).encode


class NotCanonical(ValueError):
    """A value that has no canonical form: a float, a key that is not text, half a surrogate pair, a foreign type."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One event in a notice's evidence. `at` is UTC, from the database's clock, to the microsecond."""

    notice_id: UUID
    seq: int
    kind: str
    at: datetime
    actor: str
    data: dict[str, Json]
    previous: bytes
    digest: bytes


def canonical(data: Mapping[str, Json]) -> bytes:
    """The one byte form of a JSON object.

    Raises:
        NotCanonical: it holds something that has none.
    """
    plain = data if isinstance(data, dict) else dict(data)
    _check(plain)
    try:
        return _encode(plain).encode()
    except UnicodeEncodeError as error:
        raise NotCanonical("text holds half a surrogate pair") from error


def _check(value: object) -> None:
    if type(value) in _SCALARS:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise NotCanonical(f"an object's key is text, not {type(key).__name__}")
            if type(inner) not in _SCALARS:
                _check(inner)
    elif isinstance(value, list):
        for inner in value:
            _check(inner)
    elif not isinstance(value, str):  # an enumeration of text is text
        raise NotCanonical(f"{type(value).__name__} has no canonical form")


def data_hash(data: Mapping[str, Json]) -> bytes:
    """SHA-256 of the canonical form: equal for the same data, however it was written.

    Raises:
        NotCanonical: the data has no canonical form.
    """
    return sha256(canonical(data)).digest()


def GENESIS(notice_id: UUID) -> bytes:  # noqa: N802 -- a constant of the notice
    """What the first fact names as previous: a chain cannot be passed off as another notice's."""
    return sha256(b"duly:notice:" + notice_id.bytes).digest()


def digest_of(
    notice_id: UUID, seq: int, kind: str, at: datetime, *, actor: str, data: dict[str, Json], previous: bytes
) -> bytes:
    """The digest of one fact, over all its other fields.

    Raises:
        NotCanonical: the data has no canonical form.
        ValueError: `at` has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError("the instant of a fact needs a time zone")
    instant = at if at.tzinfo is UTC else at.astimezone(UTC)
    return data_hash(
        {
            "actor": actor,
            "at": instant.isoformat(timespec="microseconds"),
            "data": data,
            "kind": kind,
            "notice_id": str(notice_id),
            "previous": previous.hex(),
            "seq": seq,
        },
    )


def record(notice: Notice, kind: str, at: datetime, actor: str, data: dict[str, Json]) -> tuple[Notice, Fact]:
    """Append one fact: the notice with its chain advanced, and the fact to store in the same transaction.

    Raises:
        NotCanonical: the data has no canonical form.
        ValueError: `at` has no time zone.
    """
    seq, previous = notice.seq + 1, notice.chain_head
    digest = digest_of(notice.notice_id, seq, kind, at, actor=actor, data=data, previous=previous)
    fact = Fact(notice.notice_id, seq, kind, at, actor, data, previous, digest)
    return notice.but(seq=seq, chain_head=digest), fact


def verify(facts: Sequence[Fact], head: bytes | None = None) -> list[str]:
    """Check one notice's whole chain, first fact first; `head`, if given, must be the last digest. Empty if sound."""
    if not facts:
        return [] if head is None else ["no facts, but a head"]
    notice_id = facts[0].notice_id
    problems: list[str] = []
    previous = GENESIS(notice_id)
    for seq, fact in enumerate(facts, start=1):
        problems.extend(f"fact {seq}: {problem}" for problem in _problems(fact, notice_id, seq, previous))
        previous = fact.digest
    if head is not None and previous != head:
        problems.append("the last digest is not the notice's head: facts are missing at the end")
    return problems


def _problems(fact: Fact, notice_id: UUID, seq: int, previous: bytes) -> list[str]:
    problems = []
    if fact.notice_id != notice_id:
        problems.append(f"belongs to notice {fact.notice_id}")
    if fact.seq != seq:
        problems.append(f"is numbered {fact.seq}")
    if fact.previous != previous:
        problems.append("does not follow the fact before it")
    try:
        digest = digest_of(
            fact.notice_id, fact.seq, fact.kind, fact.at, actor=fact.actor, data=fact.data, previous=fact.previous
        )
    except ValueError as error:
        problems.append(str(error))
    else:
        if digest != fact.digest:
            problems.append("was altered: its digest does not match")
    return problems


def merkle_root(heads: Sequence[bytes]) -> bytes:
    """The root over the day's heads, in the order given, as RFC 6962 section 2.1 builds it: leaves and nodes differ."""
    if not heads:
        return sha256(b"").digest()
    level = [sha256(b"\x00" + head).digest() for head in heads]
    while len(level) > 1:
        pairs = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) & ~1 :]
    return level[0]
