"""Runs of dead letters in PostgreSQL: what `relay` drives them by, and what a rehearsal reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.kernel.adapters.postgres.due import Statements
from services.kernel.adapters.postgres.queries import sql
from services.kernel.ledger import Handed, OpenRun, RunSettled, RunStanding


class RunDriving(Statements):
    """`services.kernel.ledger.RunFacts` and `RehearsalFacts` on one connection."""

    async def runs_open(self) -> list[OpenRun]:
        """See the port."""
        return [OpenRun(**{**dict(row.items()), "steps": tuple(row["steps"])}) for row in await self._all("runs_open")]

    async def run_settle(self, run_id: UUID) -> list[RunSettled]:
        """See the port."""
        return [RunSettled(**dict(row.items())) for row in await self._all("run_settle", run_id)]

    async def run_standing(self, run_id: UUID) -> RunStanding:
        """See the port."""
        return RunStanding(**dict((await self._one("run_standing", run_id)).items()))

    async def run_hand_out(self, run: OpenRun, number: int) -> list[Handed]:
        """See the port."""
        statement = "run_hand_out" if run.kind == "replay" else "run_rehearse"
        return [_handed(row) for row in await self._all(statement, run.run_id, run.batch, number)]

    async def run_again(self, run_id: UUID, again: float) -> list[Handed]:
        """See the port."""
        return [_handed(row) for row in await self._all("run_again", run_id, again)]

    async def run_save(self, run: OpenRun, why: str = "") -> None:
        """See the port."""
        stands = run.state, run.batch, run.step, run.left_over, run.paced_at
        await self._connection.execute(sql("run_save"), run.run_id, *stands, why)

    async def run_has(self, failed_id: UUID) -> bool:
        """See the port."""
        return bool((await self._one("run_has", failed_id))["has"])

    async def standings(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """See the port."""
        return {row["id"]: row["state"] for row in await self._all("standings", list(ids))}


def _handed(row: asyncpg.Record) -> Handed:
    return Handed(**{**dict(row.items()), "headers": json.loads(row["headers"])})
