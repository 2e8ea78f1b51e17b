"""Writing a batch's changes, set by set: one statement a kind of change, whatever the batch's size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import get_args

from services.kernel.adapters.postgres.connection import Link
from services.kernel.adapters.postgres.queries import sql
from services.kernel.adapters.postgres.rows import NOTICE_COLUMNS
from services.kernel.domain.chain import Fact, canonical
from services.kernel.domain.changes import (
    Announced,
    Change,
    FactAppended,
    NoticeInserted,
    NoticeSaved,
    Row,
    SanctionFired,
)
from services.kernel.domain.notice import Notice
from services.kernel.ledger import Unsent

Value = object
SAVED_COLUMNS = (
    "notice_id", "state", "seq", "chain_head", "rendered_at", "content_available_at", "alert_accepted_at", "served_at",
    "deemed_on", "deadline_version", "deadline_at", "satisfied_at", "lapsed_at", "closed_at", "sanctioned_at",
    "unserved_at", "withdrawn_at",
)  # fmt: skip
_ROWS: tuple[type[Row], ...] = get_args(Row)
_BEFORE_NOTICES: tuple[type[Row], ...] = (SanctionFired,)
"""Written before the notices are saved: a trigger rejects a sanction unless its notice is still lapsed."""


async def write(connection: Link, changes: Sequence[Change]) -> list[Unsent]:
    """Write all; return the outbox rows that may be published once this is committed."""
    sets: dict[type[Change], list[Change]] = {}
    for change in changes:
        sets.setdefault(type(change), []).append(change)
    await _notices(connection, sets.get(NoticeInserted, []), "notice_insert", NOTICE_COLUMNS)
    for kind in _BEFORE_NOTICES:
        await _set(connection, kind, sets.get(kind, []))
    await _notices(connection, _last_of_each(sets.get(NoticeSaved, [])), "notice_save", SAVED_COLUMNS)
    await _facts(connection, [change.fact for change in changes if isinstance(change, FactAppended)])
    for kind in _ROWS:
        if kind not in _BEFORE_NOTICES:
            await _set(connection, kind, sets.get(kind, []))
    return await _announce(connection, [change for change in changes if isinstance(change, Announced)])


def _last_of_each(saved: Sequence[Change]) -> list[Change]:
    return list({change.notice.notice_id: change for change in saved if isinstance(change, NoticeSaved)}.values())


async def _notices(connection: Link, rows: Sequence[Change], statement: str, columns: Sequence[str]) -> None:
    notices = [row.notice for row in rows if isinstance(row, NoticeInserted | NoticeSaved)]
    if notices:
        await connection.execute(sql(statement), *_columns(notices, columns))


def _columns(rows: Iterable[Notice | Row | Fact], names: Sequence[str]) -> list[list[Value]]:
    listed = list(rows)
    return [[_plain(getattr(row, name)) for row in listed] for name in names]


def _plain(value: Value) -> Value:
    return "\n".join(str(part) for part in value) if isinstance(value, tuple) else value


async def _set(connection: Link, kind: type[Row], rows: Sequence[Change]) -> None:
    mine = [row for row in rows if isinstance(row, kind)]
    if mine:
        await connection.execute(sql(kind.statement), *_columns(mine, [field.name for field in fields(kind)]))


async def _facts(connection: Link, facts: Sequence[Fact]) -> None:
    if facts:
        columns = _columns(facts, ("notice_id", "seq", "kind", "at", "actor"))
        data: list[Value] = [canonical(fact.data).decode() for fact in facts]
        await connection.execute(sql("event_append"), *columns, data, [fact.digest for fact in facts])


async def _announce(connection: Link, told: Sequence[Announced]) -> list[Unsent]:
    if not told:
        return []
    columns = ([row.notice_id for row in told], [row.type for row in told], [row.body for row in told])
    return [Unsent(**dict(row.items())) for row in await connection.fetch(sql("outbox_append"), *columns)]
