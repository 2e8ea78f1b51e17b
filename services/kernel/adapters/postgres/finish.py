"""Remembering how a batch's items ended: processed keys, failed items, and the evidence that they stand for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from services.kernel.adapters.postgres.connection import Link
from services.kernel.adapters.postgres.queries import sql
from services.kernel.domain.outcome import Done, Refused
from services.kernel.ledger import Failure, Finished
from services.kernel.ports import Ids


async def finish(
    connection: Link, ids: Ids, consumer: str, finished: Sequence[Finished], failures: Sequence[Failure]
) -> None:
    """Write processed keys for Done and Refused, resolve what was a retry of them, and keep the failures."""
    ended = [item for item in finished if isinstance(item.outcome, Done | Refused)]
    if remembered := [item for item in ended if not item.forgotten]:
        await _remember(connection, consumer, remembered)
    await _resolve(connection, consumer, [item for item in ended if item.failed_id is not None])
    await _again(connection, [failure for failure in failures if failure.failed_id is not None])
    await _first(connection, ids, consumer, [failure for failure in failures if failure.failed_id is None])
    await _evidence(connection, failures)


async def _remember(connection: Link, consumer: str, ended: Sequence[Finished]) -> None:
    await connection.execute(
        sql("processed_remember"),
        consumer,
        [item.key.source for item in ended],
        [item.key.event_id for item in ended],
        [item.key.subject for item in ended],
        ["done" if isinstance(item.outcome, Done) else "refused" for item in ended],
    )


async def _resolve(connection: Link, consumer: str, retried: Sequence[Finished]) -> None:
    if retried:
        await connection.execute(
            sql("failed_resolve"),
            consumer,
            [item.failed_id for item in retried],
            [item.key.source for item in retried],
            [item.key.event_id for item in retried],
            [item.notice_id for item in retried],
        )


async def _again(connection: Link, failures: Sequence[Failure]) -> None:
    if failures:
        await connection.execute(
            sql("failed_again"),
            [failure.failed_id for failure in failures],
            [failure.notice_id for failure in failures],
            [failure.reason for failure in failures],
            [failure.error for failure in failures],
            [failure.stack for failure in failures],
            [failure.next_after for failure in failures],
        )
    if kept := [failure for failure in failures if failure.evidence_id is not None]:
        named = [failure.failed_id for failure in kept], [failure.evidence_id for failure in kept]
        await connection.execute(sql("failed_again_kept"), *named)


async def _first(connection: Link, ids: Ids, consumer: str, failures: Sequence[Failure]) -> None:
    if failures:
        rows = [
            (
                ids.uuid7(),
                row.key.source,
                row.key.event_id,
                row.type,
                row.key.subject,
                row.notice_id,
                row.evidence_id,
                row.routing_key,
                row.content_type,
                json.dumps(row.headers),
                row.body,
                row.reason,
                row.error,
                row.stack,
                row.next_after,
                row.notice_type,
            )
            for row in failures
        ]
        await connection.execute(sql("failed_upsert"), consumer, *map(list, zip(*rows, strict=True)))


async def _evidence(connection: Link, failures: Sequence[Failure]) -> None:
    dead: list[UUID] = [row.evidence_id for row in failures if row.evidence_id and row.next_after is None]
    retrying: list[UUID] = [row.evidence_id for row in failures if row.evidence_id and row.next_after is not None]
    for state, named in (("dead", dead), ("retrying", retrying)):
        if named:
            await connection.execute(sql("evidence_state"), named, state, "its work failed")
