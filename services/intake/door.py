"""Committing what came over HTTP: many requests in one transaction, each all or nothing, then answered, then sent on.

The same event gets the same answer, however often it comes; with other content it is refused, with the difference.
Facts are raw evidence before anything is made of them; requests for notices wait in the outbox for the broker.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydantic_core import to_json

from schemas.cloudevents import CONTENT_TYPE, EnvelopeRefused, read
from schemas.resources import Wrong
from services.intake.judging import REQUESTED, Sound
from services.kernel.domain.changes import Announced, EvidenceStored
from services.kernel.ledger import KnownRequest, LedgerRerun, Unsent
from services.kernel.ledger.intake import IntakeFacts, IntakeLedger, KeptEvent, KnownEvent, Pair
from services.kernel.ports import Broker, Ids
from services.kernel.runtime.door import Travel, hops
from services.kernel.runtime.gathering import Gathering
from services.kernel.runtime.judgement.request import difference

_TOGETHER = 20
"""The most requests in one transaction; each may carry a batch."""
_WAITING = 200


@dataclass(frozen=True, slots=True)
class Brought:
    """The events of one request, in order; `batch`: whether their positions are part of what they are called."""

    events: tuple[Sound, ...]
    credential: str
    batch: bool


@dataclass(slots=True)
class _Known:
    """What came before, in the database or earlier in the same transaction."""

    events: dict[Pair, KnownEvent]
    requests: dict[Pair, KnownRequest]
    fresh: dict[Pair, tuple[Sound, str]] = field(default_factory=dict)


class IntakeDoor:
    """Takes in sound events, those of one request all or none."""

    def __init__(self, ledger: IntakeLedger, broker: Broker, ids: Ids) -> None:
        self._ledger, self._ids = ledger, ids
        self._travel = Travel(ledger, broker)
        self._gathering = Gathering(self._commit, most=_TOGETHER, waiting=_WAITING)

    async def bring(self, brought: Brought) -> list[Wrong]:
        """Commit these events, and answer nothing; or answer which are known with other content: none is taken in.

        Raises:
            DoorBusy: too many wait.
            DoorClosed: the program is stopping.
            LedgerUnavailable: the database is away; nothing was stored.
        """
        return await self._gathering.bring(brought)

    async def run(self, stopping: asyncio.Event) -> None:
        """Commit until told to stop; return when all that was committed has been told, or cannot be now."""
        await self._gathering.run(stopping)
        await self._travel.arrived()

    async def _commit(self, all_brought: Sequence[Brought]) -> list[list[Wrong]]:
        async with self._ledger.begin_intake() as tx:
            known = await _known(tx, [sound for brought in all_brought for sound in brought.events])
            answers = [_sort_out(brought, known) for brought in all_brought]
            unsent = await self._write(tx, list(known.fresh.values()))
        self._travel.send(unsent)
        return answers

    async def _write(self, tx: IntakeFacts, fresh: Sequence[tuple[Sound, str]]) -> list[Unsent]:
        if not fresh:
            return []
        evidence = [self._evidence(sound, credential) for sound, credential in fresh if not sound.is_request]
        kept = await tx.keep_events([_kept(sound) for sound, _ in fresh])
        stored = await tx.store(evidence)
        if kept < len(fresh) or len(stored) < len(evidence):
            raise LedgerRerun("another process took in the same event meanwhile")
        requests = [Announced(None, REQUESTED, sound.body) for sound, _ in fresh if sound.is_request]
        told = hops("response.received.v1", [row.evidence_id for row in evidence], self._ids, await tx.clock())
        return await tx.write([*requests, *told])

    def _evidence(self, sound: Sound, credential: str) -> EvidenceStored:
        about = sound.about
        return EvidenceStored(
            evidence_id=self._ids.uuid7(),
            door="http",
            source=sound.envelope.source,
            event_id=sound.envelope.id,
            type=sound.envelope.type,
            content_type=CONTENT_TYPE,
            headers=json.dumps({"duly-credential": credential}),
            body=sound.body,
            notice_id=about.notice_id if about else None,
            source_ref=about.source_ref if about else None,
            attempt_id=None,
            addresses=(),
            state="waiting",
        )


def _kept(sound: Sound) -> KeptEvent:
    return KeptEvent(sound.envelope.source, sound.envelope.id, sound.envelope.type, sound.hashed, sound.body)


async def _known(tx: IntakeFacts, events: Sequence[Sound]) -> _Known:
    events_known = await tx.known_events(list({_pair(sound) for sound in events}))
    references = {pair for sound in events for pair in _reference(sound)}
    return _Known(events_known, await tx.known_requests(list(references)) if references else {})


def _pair(sound: Sound) -> Pair:
    return sound.envelope.source, sound.envelope.id


def _reference(sound: Sound) -> Iterator[Pair]:
    if sound.is_request:
        yield sound.envelope.source, str(sound.envelope.data["source_ref"])


def _sort_out(brought: Brought, known: _Known) -> list[Wrong]:
    """Which of these are known otherwise; if none is, those that are new join what is fresh."""
    fresh: dict[Pair, tuple[Sound, str]] = {}
    wrong: list[Wrong] = []
    for position, sound in enumerate(brought.events):
        pair = _pair(sound)
        before = fresh.get(pair) or known.fresh.get(pair)
        detail = _clash(sound, before[0] if before else None, known)
        if detail:
            wrong.append(Wrong(pointer=f"/{position}" if brought.batch else "", detail=detail))
        elif before is None and pair not in known.events:
            fresh[pair] = sound, brought.credential
    if not wrong:
        known.fresh |= fresh
    return wrong


def _clash(sound: Sound, before: Sound | None, known: _Known) -> str:
    """How this event differs from the one that is known by its id, or by its reference; empty if it does not."""
    if before is not None:
        return _id_clash(sound, before.envelope.type, before.hashed == sound.hashed, to_json(before.envelope.data))
    if (old := known.events.get(_pair(sound))) is not None and old.erased:
        return _id_clash(sound, old.type or "", old.data_hash == sound.hashed, b"{}")
    if old is not None:
        try:
            kept = read(old.body, old.content_type, old.headers)
        except EnvelopeRefused:
            return "this id is known with other data: what came first cannot be read"
        return _id_clash(sound, kept.type, kept.data == sound.envelope.data, to_json(kept.data))
    for reference in _reference(sound):
        request = known.requests.get(reference)
        if request is not None and request.notice.data_hash != sound.hashed:
            return difference(request.request, to_json(sound.envelope.data).decode())
    return ""


def _id_clash(sound: Sound, kind: str, same_data: bool, data: bytes) -> str:
    if kind != sound.envelope.type:
        return f"this id is known with another type: {kind}"
    return "" if same_data else difference(data.decode(), to_json(sound.envelope.data).decode(), "id")
