"""What a trial asks of its database, and how its clock moves."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.kernel.adapters.postgres.connection import connect
from services.kernel.adapters.postgres.due import Statements

NAME = "trial"
_MOVING = ("messages", "notices", "mails", "evidence", "retries", "deadlines", "gates")
_AHEAD = """UPDATE trial_clock SET ahead = ahead + greatest($1::timestamptz - legal_now(), interval '0')
RETURNING legal_now()"""
"""Not among the named statements: only a trial's database has this clock. It moves forward alone."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Legal time, what still moves (a count by kind), and when something falls due by itself."""

    now: datetime
    moving: dict[str, int]
    dead_letters: int
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How one notice stands. `mail` is its last attempt's state, `code` and `enhanced` the mail system's reply."""

    notice_id: UUID
    source_ref: str
    state: str
    accepted_at: datetime
    due_on: date | None
    mail: str | None
    code: int | None
    enhanced: str | None
    sanction_id: UUID | None
    sanction: str | None
    waiting_for: tuple[str, ...]
    look_again_at: datetime | None
    holds: tuple[str, ...]


class TrialReads(Statements):
    """Statements on one connection."""

    async def rest(self) -> Rest:
        """What still moves."""
        row = await self._one("trial_rest")
        moving = {kind: row[kind] for kind in _MOVING if row[kind]}
        return Rest(row["now"], moving, row["dead_letters"], row["next_at"])

    async def standings(self, refs: Sequence[str]) -> dict[str, Standing]:
        """The notices of these references."""
        found = {}
        for row in await self._all("trial_standings", list(refs)):
            values = {**dict(row.items()), "waiting_for": tuple(row["waiting_for"]), "holds": tuple(row["holds"])}
            found[row["source_ref"]] = Standing(**values)
        return found

    async def refusals(self) -> dict[str, str]:
        """The requests that were refused, by reference, with all reasons."""
        told = [json.loads(row["body"])["data"] for row in await self._all("trial_refusals")]
        return {data["source_ref"]: "; ".join(data["reasons"]) for data in told if data.get("source_ref")}

    async def failed(self, body: bytes) -> UUID | None:
        """The dead letter that this message became."""
        rows = await self._all("trial_failed", body)
        return rows[0]["failed_id"] if rows else None

    async def ahead_to(self, instant: datetime) -> datetime:
        """Move legal time to an instant, never back; answers what it is now."""
        moved: datetime = await self._connection.fetchval(_AHEAD, instant)
        return moved


async def fresh_database(dsn: str) -> str:
    """Make a new, empty database for a trial, in place of the last trial's; returns its DSN.

    Raises:
        LedgerUnavailable: the server cannot be reached.
    """
    connection = await connect(dsn)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {NAME}")
    finally:
        await connection.close()
    return re.sub(r"@/\w+\?", f"@/{NAME}?", dsn)
