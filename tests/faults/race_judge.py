"""The judge of races: what the law forbids, found in the database alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from uuid import UUID

import asyncpg

from services.kernel.domain.chain import GENESIS, Fact, verify

_STANDING = """
    SELECT n.source_ref, n.state,
           (SELECT count(*) FROM sanction s WHERE s.notice_id = n.notice_id AND s.fired_at IS NOT NULL) AS fired,
           (SELECT count(*) FROM outbox o WHERE o.notice_id = n.notice_id AND o.type = 'sanction.fired.v1')
               AS told_fired,
           (SELECT count(*) FROM notice_event e WHERE e.notice_id = n.notice_id AND e.kind = 'sanction.fired')
               AS facts_fired,
           (SELECT count(*) FROM reversal r JOIN sanction s USING (sanction_id) WHERE s.notice_id = n.notice_id)
               AS reversals,
           (SELECT count(*) FROM outbox o WHERE o.notice_id = n.notice_id
                AND o.type = 'sanction.reversal_required.v1') AS told_reversals,
           EXISTS (SELECT FROM hold h WHERE h.notice_id = n.notice_id AND h.lifted_at IS NULL) AS held,
           EXISTS (SELECT FROM raw_evidence e WHERE e.notice_id = n.notice_id AND e.door = 'mail') AS bounced,
           EXISTS (SELECT FROM raw_evidence e WHERE e.notice_id = n.notice_id AND e.door = 'amqp') AS paid
    FROM notice n WHERE n.source_ref LIKE $1 || '-%' ORDER BY n.source_ref
"""
_MAY_LOSE = ("free-bounced", "late-bounced")
_VOID = {"unserved", "satisfied"}


async def violations(connection: asyncpg.Connection, run: str) -> list[str]:
    """Everything that is wrong with the notices whose reference begins with `run`; empty if all is well."""
    rows = await connection.fetch(_STANDING, run)
    failed = await connection.fetch(
        "SELECT f.worker, f.reason FROM failed_item f LEFT JOIN notice n USING (notice_id)"
        " WHERE n.source_ref IS NULL OR n.source_ref LIKE $1 || '-%'",
        run,
    )
    lost = await connection.fetchval("SELECT lost FROM conservation")
    return [
        *(f"{row['source_ref']} ({row['state']}): {wrong}" for row in rows for wrong in _wrong(row)),
        *await _broken_chains(connection, run),
        *(f"a failed item of {row['worker']}: {row['reason']}" for row in failed),
        *([f"{lost} notices are lost"] if lost else []),
    ]


def _wrong(row: asyncpg.Record) -> list[str]:
    fired, may_lose = row["fired"], row["source_ref"].partition("-")[2].startswith(_MAY_LOSE)
    wrong = {
        "sanctioned though void": fired and row["state"] in _VOID,
        "sanctioned though held": fired and row["held"],
        "sanctioned though paid in time": fired and row["paid"],
        "sanctioned though its bounce was known": fired and row["bounced"] and not may_lose,
        "told of the sanction other than once": row["told_fired"] != fired or row["facts_fired"] != fired or fired > 1,
        "sanction and state disagree": (row["state"] == "sanctioned") != bool(fired),
        "not one reversal after a bounce": fired and row["bounced"] and row["reversals"] != 1,
        "told of the reversal other than once": row["told_reversals"] != row["reversals"],
        "a reversal without a sanction": row["reversals"] and not fired,
        "bounced, and not void": row["bounced"] and not fired and row["state"] not in _VOID,
        "paid, and not void": row["paid"] and not fired and row["state"] not in _VOID,
    }
    return [name for name, holds in wrong.items() if holds]


async def _broken_chains(connection: asyncpg.Connection, run: str) -> list[str]:
    """Every fault of every notice's evidence chain."""
    events = await connection.fetch(
        "SELECT e.*, n.chain_head, n.source_ref FROM notice_event e JOIN notice n USING (notice_id)"
        " WHERE n.source_ref LIKE $1 || '-%' ORDER BY e.notice_id, e.seq",
        run,
    )
    chains = groupby(events, key=lambda row: (row["source_ref"], row["notice_id"], row["chain_head"]))
    return [
        f"{ref}: {wrong}" for (ref, notice_id, head), rows in chains for wrong in verify(_facts(notice_id, rows), head)
    ]


def _facts(notice_id: UUID, rows: Iterable[asyncpg.Record]) -> list[Fact]:
    facts, previous = [], GENESIS(notice_id)
    for row in rows:
        data = json.loads(row["data"])
        facts.append(Fact(notice_id, row["seq"], row["kind"], row["at"], row["actor"], data, previous, row["digest"]))
        previous = row["digest"]
    return facts
