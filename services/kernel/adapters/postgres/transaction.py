"""One transaction: locks, facts and writes, each a named statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from services.kernel.adapters.postgres import gate, rows
from services.kernel.adapters.postgres.due import RelayReads
from services.kernel.adapters.postgres.finish import finish
from services.kernel.adapters.postgres.queries import sql
from services.kernel.adapters.postgres.runs import RunDriving
from services.kernel.adapters.postgres.webhooks import WebhookReads
from services.kernel.adapters.postgres.writes import store, write
from services.kernel.domain.changes import Change, EvidenceStored
from services.kernel.domain.deadline import Deadline
from services.kernel.domain.gate import GateFacts
from services.kernel.domain.notice import Notice
from services.kernel.domain.outage import Up
from services.kernel.ledger import (
    Attempt,
    Clock,
    DueDeadline,
    Failure,
    Finished,
    GatePolicy,
    ItemKey,
    KnownRequest,
    RawEvidence,
    SanctionRow,
    SendingBrake,
    StandingSanction,
    Unsent,
)
from services.kernel.runtime import tracing


class PostgresTransaction(RelayReads, WebhookReads, RunDriving):
    """`services.kernel.ledger.Transaction` on one connection."""

    async def clock(self) -> Clock:
        """See the port."""
        row = await self._one("clock")
        return Clock(**dict(row.items()))

    async def lock(self, notice_ids: Iterable[UUID]) -> dict[UUID, Notice]:
        """See the port."""
        found = {row["notice_id"]: rows.notice(row) for row in await self._all("notice_lock", list(notice_ids))}
        if (told := tracing.told()) is not None:
            told.saw(found)
        return found

    async def traces(self, notice_ids: Iterable[UUID]) -> dict[UUID, str]:
        """See the port."""
        return {row["notice_id"]: row["traceparent"] for row in await self._all("notice_traces", list(notice_ids))}

    async def already(self, consumer: str, keys: Sequence[ItemKey]) -> set[ItemKey]:
        """See the port."""
        columns = [key.source for key in keys], [key.event_id for key in keys], [key.subject for key in keys]
        return {ItemKey(**dict(row.items())) for row in await self._all("processed_already", consumer, *columns)}

    async def write(self, changes: Sequence[Change]) -> list[Unsent]:
        """See the port."""
        if (told := tracing.told()) is not None:
            told.wrote(changes)
        return await write(self._connection, changes)

    async def store(self, evidence: Sequence[EvidenceStored]) -> set[UUID]:
        """See the port."""
        return await store(self._connection, evidence)

    async def finish(self, consumer: str, finished: Sequence[Finished], failures: Sequence[Failure]) -> None:
        """See the port."""
        await finish(self._connection, self._ids, consumer, finished, failures)

    async def known_requests(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], KnownRequest]:
        """See the port."""
        known = {
            (row["source"], row["source_ref"]): KnownRequest(rows.notice(row), row["request"], row["content_hash"])
            for row in await self._all("notice_known_requests", *_columns(pairs))
        }
        if (told := tracing.told()) is not None:
            told.saw({each.notice.notice_id: each.notice for each in known.values()})
        return known

    async def attempts(self, notice_ids: Iterable[UUID]) -> dict[UUID, list[Attempt]]:
        """See the port."""
        found: dict[UUID, list[Attempt]] = {}
        for row in await self._all("attempts", list(notice_ids)):
            found.setdefault(row["notice_id"], []).append(rows.attempt(row))
        return found

    async def suppressed(self, addresses: Iterable[str]) -> dict[str, str]:
        """See the port."""
        return {row["address"]: row["reason"] for row in await self._all("suppressed", list(addresses))}

    async def sending_brake(self) -> SendingBrake:
        """See the port."""
        return SendingBrake(**dict((await self._one("sending_brake")).items()))

    async def set_sending_brake(self, reason: str, seconds: float | None, by: str) -> None:
        """See the port."""
        await self._connection.execute(sql("sending_brake_set"), reason, seconds, by)

    async def evidence(self, evidence_ids: Iterable[UUID]) -> dict[UUID, RawEvidence]:
        """See the port."""
        return {row["evidence_id"]: rows.evidence(row) for row in await self._all("evidence_lock", list(evidence_ids))}

    async def attempts_by_id(self, attempt_ids: Iterable[UUID]) -> dict[UUID, Attempt]:
        """See the port."""
        return {row["attempt_id"]: rows.attempt(row) for row in await self._all("attempts_by_id", list(attempt_ids))}

    async def attempts_to(self, addresses: Iterable[str], since: datetime) -> list[Attempt]:
        """See the port."""
        return [rows.attempt(row) for row in await self._all("attempts_to", list(addresses), since)]

    async def opened(self, notice_ids: Iterable[UUID]) -> set[UUID]:
        """See the port."""
        return {row["notice_id"] for row in await self._all("notice_opened", list(notice_ids))}

    async def sanctions(self, notice_ids: Iterable[UUID]) -> dict[UUID, StandingSanction]:
        """See the port."""
        found = await self._all("sanctions_of", list(notice_ids))
        return {row["notice_id"]: StandingSanction(**dict(row.items())) for row in found}

    async def find(self, refs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
        """See the port."""
        found = await self._all("notice_find", *_columns(refs))
        return {(row["source"], row["source_ref"]): row["notice_id"] for row in found}

    async def claim_due(self, most: int) -> list[DueDeadline]:
        """See the port."""
        return [DueDeadline(**dict(row.items())) for row in await self._all("deadline_claim_due", most)]

    async def inbox_ups(self, since: datetime) -> list[Up]:
        """See the port."""
        return [Up(**dict(row.items())) for row in await self._all("inbox_ups", since)]

    async def current_deadline(self, notice_id: UUID) -> Deadline | None:
        """See the port."""
        rows = await self._all("deadline_current", notice_id)
        return Deadline(**{name: rows[0][name] for name in Deadline.__dataclass_fields__}) if rows else None

    async def beat(self, tolerance: float) -> None:
        """See the port."""
        if not await self._all("inbox_beat", tolerance):
            await self._connection.execute(sql("inbox_rise"))

    async def lock_wait(self, notice_id: UUID) -> None:
        """See the port."""
        await self._all("gate_wait_lock", notice_id)

    async def lock_brake(self, kind: str) -> None:
        """See the port."""
        await self._connection.execute(sql("brake_lock"), kind)

    async def gate_facts(self, notice: Notice, asked_version: int, policy: GatePolicy) -> tuple[GateFacts, SanctionRow]:
        """See the port."""
        row = await self._one("gate_facts", notice.notice_id, policy.kind, asked_version)
        return gate.facts(row, notice, asked_version, policy)


def _columns(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
