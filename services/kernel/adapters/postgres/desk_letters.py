"""Dead letters in PostgreSQL: the reads of `services.kernel.runtime.dead_letters.port.DeadLetterDesk`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg

from services.kernel.adapters.postgres.due import Statements
from services.kernel.domain.impact import Impact
from services.kernel.domain.verdict import Verdict
from services.kernel.runtime.dead_letters.choice import By, Chosen
from services.kernel.runtime.dead_letters.decoding import decode
from services.kernel.runtime.dead_letters.records import (
    Action,
    After,
    Attempt,
    Beside,
    DeadLetter,
    Edit,
    Ended,
    Group,
    Kind,
    Run,
    RunItem,
    TimelineFact,
    Whole,
)

_T = TypeVar("_T")


def arguments(chosen: Chosen) -> tuple[object, ...]:
    """The first nine parameters of every statement about the chosen."""
    ids = None if chosen.ids is None else list(chosen.ids)
    states = None if chosen.states is None else list(chosen.states)
    impact = None if chosen.impact is None else chosen.impact.value
    named = chosen.worker, chosen.type, chosen.cause, chosen.template, impact
    return ids, states, *named, chosen.text or None, chosen.since


class LetterReads(Statements):
    """Lists, groups, and one dead letter whole."""

    async def letters(self, chosen: Chosen, most: int, after: After | None = None) -> list[DeadLetter]:
        """See the port."""
        begin = after or (None, None)
        return [_letter(row) for row in await self._all("letters", *arguments(chosen), *begin, most)]

    async def letter_count(self, chosen: Chosen) -> int:
        """See the port."""
        return int((await self._one("letter_count", *arguments(chosen)))["number"])

    async def letter_groups(self, chosen: Chosen, by: By, most: int = 200) -> list[Group]:
        """See the port."""
        return [_group(row) for row in await self._all("letter_groups", *arguments(chosen), by.value, most)]

    async def letter_whole(self, failed_id: UUID) -> Whole | None:
        """See the port."""
        letters = await self.letters(Chosen(ids=(failed_id,)), 1)
        if not letters:
            return None
        row = await self._one("letter_message", failed_id)
        headers = json.loads(row["headers"])
        kept = row["content_type"], headers, row["routing_key"]
        return Whole(
            letter=letters[0],
            routing_key=row["routing_key"],
            content_type=row["content_type"],
            headers=headers,
            body=row["body"],
            decoded=decode(row["body"], *kept, row["worker"]),
            attempts=tuple(map(_attempt, json.loads(row["history"]))),
            actions=tuple(_record(Action, each) for each in await self._all("letter_actions", failed_id)),
            edits=tuple(await self.edits(failed_id=failed_id, open_only=False)),
            runs=tuple(_run_item(each) for each in await self._all("letter_runs", failed_id)),
            beside=await self._beside(failed_id),
        )

    async def _beside(self, failed_id: UUID) -> Beside | None:
        rows = await self._all("letter_beside", failed_id)
        if not rows:
            return None
        notice_id = rows[0]["notice_id"]
        facts = [_record(TimelineFact, row) for row in await self._all("letter_timeline", notice_id)]
        holds = [row["kind"] for row in await self._all("letter_holds", notice_id)]
        return Beside(**dict(rows[0].items()), holds=tuple(holds), timeline=tuple(facts))

    async def edits(self, *, failed_id: UUID | None = None, open_only: bool = True, most: int = 100) -> list[Edit]:
        """See the port."""
        return [_record(Edit, row) for row in await self._all("edits", failed_id, None, open_only, most)]

    async def edit(self, edit_id: UUID) -> Edit | None:
        """See the port."""
        rows = await self._all("edits", None, edit_id, False, 1)
        return _record(Edit, rows[0]) if rows else None


class RunReads(Statements):
    """Runs and their items."""

    async def runs(self, *, open_only: bool = False, most: int = 50) -> list[Run]:
        """See the port."""
        return await self._runs(None, open_only, most)

    async def run(self, run_id: UUID) -> Run | None:
        """See the port."""
        runs = await self._runs(run_id, False, 1)
        return runs[0] if runs else None

    async def run_items(
        self, run_id: UUID, most: int, *, outcome: Verdict | Ended | None = None, after: int = 0
    ) -> list[RunItem]:
        """See the port."""
        asked = None if outcome is None else outcome.value
        return [_run_item(row) for row in await self._all("run_items", run_id, after, asked, most)]

    async def _runs(self, run_id: UUID | None, open_only: bool, most: int) -> list[Run]:
        rows = await self._all("runs", run_id, open_only, most)
        counts: dict[UUID, dict[str, int]] = {}
        for row in await self._all("run_outcomes", [row["run_id"] for row in rows]):
            counts.setdefault(row["run_id"], {})[row["outcome"]] = row["number"]
        return [_run(row, counts.get(row["run_id"], {})) for row in rows]


def _record(kind: type[_T], row: asyncpg.Record) -> _T:
    return kind(**dict(row.items()))


def _letter(row: asyncpg.Record) -> DeadLetter:
    return DeadLetter(**{**dict(row.items()), "impact": Impact(row["impact"])})


def _group(row: asyncpg.Record) -> Group:
    impact = None if row["impact"] is None else Impact(row["impact"])
    return Group(**{**dict(row.items()), "impact": impact, "gravest": Impact(row["gravest"])})


def _run(row: asyncpg.Record, outcomes: dict[str, int]) -> Run:
    values = {**dict(row.items()), "kind": Kind(row["kind"]), "steps": tuple(row["steps"])}
    return Run(**values, outcomes=outcomes)


def _attempt(kept: dict[str, str]) -> Attempt:
    return Attempt(datetime.fromisoformat(kept["at"]), kept["error"], kept["stack"])


def _run_item(row: asyncpg.Record) -> RunItem:
    outcome = row["outcome"]
    ended = None if outcome is None else Verdict(outcome) if outcome in set(Verdict) else Ended(outcome)
    return RunItem(**{**dict(row.items()), "outcome": ended, "effects": tuple(row["effects"])})
