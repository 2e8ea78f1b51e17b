"""intake: takes what upstream says about notices, and stores it before anything else is made of it.

One queue, one active consumer, committed in the order in which it came: so a committed timed mark shows that all that
was queued before it is committed too, and the gate may trust the table.
Standards: CloudEvents 1.0. Settings: `services/intake/settings.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from schemas.messages.hops import ResponseReceivedV1
from schemas.messages.outcomes import EvidenceRefusedV1
from schemas.messages.requests import AboutNotice, MarkSentV1
from services.kernel.domain.changes import Change, EvidenceStored, GateWoken, MarkCommitted
from services.kernel.domain.library import Library, NotInLibrary
from services.kernel.ledger import Locks
from services.kernel.ports import Ids
from services.kernel.runtime.decision import SOURCE, Decision, Quiet, announce, dead, done, refused
from services.kernel.runtime.items import Item, claimed_source

UNDECODABLE = "undecodable"
_REASON_MOST = 1000


class Intake(Quiet):
    """Stores evidence and marks; a batch is one transaction, in order."""

    consumer = "intake"

    def __init__(self, library: Library, ids: Ids, *, batch: int) -> None:
        self.batch = batch
        self._library, self._ids = library, ids

    async def decide(self, tx: Locks, items: Sequence[Item]) -> Sequence[Decision]:
        """Store each; one `response.received` for all of them."""
        clock = await tx.clock()
        decisions: list[Decision] = []
        stored: list[UUID] = []
        for item in items:
            if isinstance(item.data, MarkSentV1):
                decisions.append(self._mark(item, item.data))
            elif (fault := self._stranger(item)) is not None:
                decisions.append(self._turn_away(item, fault, trial=clock.trial))
            else:
                row = self._row(item, state="waiting")
                stored.append(row.evidence_id)
                decisions.append(done(row))
        if stored:
            told = ResponseReceivedV1(evidence=tuple(stored))
            hop = announce("response.received.v1", told, event_id=str(self._ids.uuid7()), trial=clock.trial)
            decisions[-1] = Decision(decisions[-1].outcome, (*decisions[-1].changes, hop))
        return decisions

    async def malformed(self, tx: Locks, item: Item) -> Decision:
        """Kept whole; until a person clears it, it blocks the sanctions of its source."""
        row, trial = self._row(item, state="dead"), (await tx.clock()).trial
        told = self._told(item, trial=trial)
        return Decision(dead("; ".join(item.faults)).outcome, (row, *told), evidence_id=row.evidence_id)

    async def broken(self, tx: Locks, item: Item, reason: str) -> Decision:
        """Like what cannot be read: were it merely tried again, a mark could overtake it."""
        return await self.malformed(tx, replace(item, faults=(reason,)))

    def _told(self, item: Item, *, trial: bool) -> Sequence[Change]:
        if item.envelope is None:
            return ()
        reason = "; ".join(item.faults)[:_REASON_MOST]
        told = EvidenceRefusedV1(event_id=item.envelope.id, reason=reason)
        event_id = f"{item.key.source}:{item.key.event_id}:refused"
        return (announce("evidence.refused.v1", told, event_id=event_id, trial=trial, to=item.key.source),)

    def _stranger(self, item: Item) -> str | None:
        """Why this broker user may not speak for the source that the event names, or None."""
        try:
            source = self._library.source(item.key.source)
        except NotInLibrary as missing:
            return missing.reason
        user = item.user
        return None if source.speaks_as(user) else f"the broker user {user!r} does not speak for {source.name}"

    def _turn_away(self, item: Item, fault: str, *, trial: bool) -> Decision:
        told = EvidenceRefusedV1(event_id=item.key.event_id, reason=fault)
        event_id = f"{item.key.source}:{item.key.event_id}:refused"
        return refused(
            fault,
            self._row(item, state="refused"),
            announce("evidence.refused.v1", told, event_id=event_id, trial=trial, to=item.key.source),
            strangers=True,
        )

    def _mark(self, item: Item, mark: MarkSentV1) -> Decision:
        """Marks are our own; anybody else's proves nothing."""
        if item.key.source != SOURCE:
            return refused(f"marks are sent by {SOURCE} alone")
        return done(MarkCommitted(mark.mark_id, mark.sent_at), GateWoken(reason="mark_missing"))

    def _row(self, item: Item, *, state: str) -> EvidenceStored:
        about = item.data if isinstance(item.data, AboutNotice) else None
        sound = not item.faults
        return EvidenceStored(
            evidence_id=self._ids.uuid7(),
            door="amqp",
            source=item.key.source if sound or item.envelope else claimed_source(item.delivery),
            event_id=item.key.event_id if sound and state == "waiting" else None,  # a stranger takes nobody's id
            type=item.type if sound else UNDECODABLE,
            content_type=item.delivery.content_type.replace("\x00", ""),
            headers=json.dumps(item.delivery.headers).replace("\\u0000", ""),
            body=item.delivery.body,
            notice_id=about.notice_id if about else None,
            source_ref=about.source_ref if about else None,
            attempt_id=None,
            addresses=(),
            state=state,
        )
