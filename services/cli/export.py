"""A notice's story as one JSON object that anyone can check offline, and reading it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

from services.cli.desk import plain
from services.kernel.domain.chain import Fact, Json
from services.kernel.domain.notice import State
from services.kernel.domain.proof import DayRoot, Step, check_notice, path_to_root, root_by_path


def export(row: Mapping[str, object], facts: Sequence[Fact], roots: Sequence[DayRoot]) -> dict[str, object]:
    """The record of a notice, its facts with their digests, and the way from its heads to each day's root."""
    told = plain(row)
    notice_id = row["notice_id"]
    proofs = [_proof(root, at) for root in roots for at, (whose, _) in enumerate(root.heads) if whose == notice_id]
    return {
        **(told if isinstance(told, dict) else {}),
        "facts": [_fact(fact) for fact in facts],
        "roots": [plain(proof) for proof in proofs],
    }


def _fact(fact: Fact) -> dict[str, object]:
    return {
        "seq": fact.seq,
        "kind": fact.kind,
        "at": fact.at.isoformat(),
        "actor": fact.actor,
        "data": fact.data,
        "previous": fact.previous.hex(),
        "digest": fact.digest.hex(),
    }


def _proof(root: DayRoot, at: int) -> dict[str, object]:
    path = path_to_root([digest for _, digest in root.heads], at)
    steps = [{"left": step.left, "digest": step.digest} for step in path]
    return {"day": root.day, "root": root.root, "chains": root.chains, "digest": root.heads[at][1], "path": steps}


class _FactShape(BaseModel):
    model_config = ConfigDict(extra="ignore")
    seq: int
    kind: str
    at: datetime
    actor: str
    data: dict[str, JsonValue]
    previous: str
    digest: str


class _StepShape(BaseModel):
    left: bool
    digest: str


class _ProofShape(BaseModel):
    day: date
    root: str
    digest: str
    path: list[_StepShape]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore")
    notice_id: UUID
    state: State
    chain_head: str
    facts: list[_FactShape]
    roots: list[_ProofShape] = []


@dataclass(frozen=True, slots=True)
class Checked:
    """What an export turned out to be: whose, its roots to compare with those published, and every problem."""

    notice_id: UUID
    facts: int
    roots: tuple[tuple[date, str], ...]
    problems: tuple[str, ...]


def check_export(text: bytes) -> Checked:
    """Check one export, with nothing but itself.

    Raises:
        ValueError: it is no export; pydantic's ValidationError is one.
    """
    shape = _Shape.model_validate_json(text)
    facts = [_read_fact(shape.notice_id, fact) for fact in shape.facts]
    problems = check_notice(facts, bytes.fromhex(shape.chain_head), shape.state)
    known = {fact.digest.hex() for fact in facts}
    for proof in shape.roots:
        path = [Step(step.left, bytes.fromhex(step.digest)) for step in proof.path]
        if proof.digest not in known:
            problems.append(f"the root of {proof.day} is of a fact that is not there")
        elif root_by_path(bytes.fromhex(proof.digest), path).hex() != proof.root:
            problems.append(f"the root of {proof.day} does not follow from this notice's evidence")
    return Checked(shape.notice_id, len(facts), tuple((p.day, p.root) for p in shape.roots), tuple(problems))


def _read_fact(notice_id: UUID, shape: _FactShape) -> Fact:
    return Fact(
        notice_id, shape.seq, shape.kind, shape.at, shape.actor, cast("dict[str, Json]", shape.data),
        bytes.fromhex(shape.previous), bytes.fromhex(shape.digest),
    )  # fmt: skip
