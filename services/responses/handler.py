"""responses: takes stored facts from upstream and the business: payments, answers, questions, objections, and more.

One piece of evidence a transaction. What satisfies a notice in time ends it; anything else that is timely places a
hold; what comes after a sanction is reported to a person. A fact about an unknown notice waits for it, then is refused.
Settings: `services/responses/settings.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeAlias
from uuid import UUID

from schemas.catalogue import CATALOGUE, KEPT
from schemas.cloudevents import Envelope, read
from schemas.messages.outcomes import EvidenceRefusedV1, NoticeSatisfiedV1, NoticeWithdrawnV1
from schemas.messages.requests import (
    ObligationSatisfiedV1,
    ResponseGivenV1,
    ResponseReportedV1,
    SanctionObjectedV1,
    WithdrawalRequestedV1,
)
from services.kernel.domain.chain import Json
from services.kernel.domain.changes import Change, EvidenceJudged, GateWoken
from services.kernel.domain.evidence import DemandReversal, Park, PlaceHold, RecordOnly
from services.kernel.domain.library import Library
from services.kernel.domain.notice import Event, Notice
from services.kernel.domain.satisfaction import (
    ReportLate,
    ResponseFacts,
    ResponseKind,
    Satisfy,
    Withdraw,
    effect_of_response,
)
from services.kernel.ledger import Clock, RawEvidence, StandingSanction
from services.kernel.ledger import ResponseFacts as ResponseReads
from services.kernel.ports import Ids
from services.kernel.runtime.decision import Decision, Quiet, announce, done, refused
from services.kernel.runtime.effects import Writing, demand_reversal, ended, place_hold
from services.kernel.runtime.items import Item

Reported: TypeAlias = ObligationSatisfiedV1 | ResponseReportedV1 | SanctionObjectedV1 | WithdrawalRequestedV1
Said: TypeAlias = Reported | ResponseGivenV1
_INBOX = "inbox"
_SETTLED = {"processed", "refused", "cleared"}
_STANDING = {"fired", "reversal_required", "upheld"}


class Responses(Quiet):
    """Decides about one piece of evidence at a time. `patience`: how long a fact waits for a notice not yet known."""

    consumer = "responses"
    batch = 1

    def __init__(self, library: Library, ids: Ids, *, patience: timedelta) -> None:
        self._library, self._ids, self._patience = library, ids, patience

    async def decide(self, tx: ResponseReads, items: Sequence[Item]) -> Sequence[Decision]:
        """One decision each."""
        return [await self._one(tx, item) for item in items]

    async def _one(self, tx: ResponseReads, item: Item) -> Decision:
        evidence = (await tx.evidence([item.key.subject])).get(item.key.subject)
        if evidence is None or evidence.state in _SETTLED:
            return done()
        envelope = read(evidence.body, evidence.content_type, evidence.headers)
        said = _said(envelope, evidence)
        notice = await _notice(tx, evidence, said)
        clock = await tx.clock()
        if notice is None:
            return self._unknown(evidence, clock)
        if (reason := self._may_not_speak(envelope, said, notice)) is not None:
            return _refuse(evidence, reason, clock)
        sanction = (await tx.sanctions([notice.notice_id])).get(notice.notice_id)
        writing = Writing.begin(notice, clock.legal, evidence.source or "unknown", envelope)
        return self._effect(writing, self._facts(evidence, said, notice, sanction), said, evidence, sanction, clock)

    def _unknown(self, evidence: RawEvidence, clock: Clock) -> Decision:
        """It may have overtaken the request for its notice; after a while it is refused."""
        if clock.legal - evidence.received_at < self._patience:
            return done(EvidenceJudged(evidence.evidence_id, "parked", "the notice is not known yet", None, ()))
        return _refuse(evidence, "no such notice", clock, late=True)

    def _may_not_speak(self, envelope: Envelope, said: Said, notice: Notice) -> str | None:
        """Why this may not be said about the notice: a business speaks of its own, a source of its regimes'."""
        if isinstance(said, ResponseGivenV1):
            return None if said.business_id == notice.business_id else "the notice is another business's"
        if notice.regime in self._library.source(envelope.source).regimes:
            return None
        return f"{envelope.source} may not speak about notices under {notice.regime}"

    def _facts(
        self, evidence: RawEvidence, said: Said, notice: Notice, sanction: StandingSanction | None
    ) -> ResponseFacts:
        vouched = said.received_at if isinstance(said, ObligationSatisfiedV1 | ResponseReportedV1) else None
        return ResponseFacts(
            kind=_kind(said),
            received_at=evidence.received_at,
            vouched_received_at=vouched,
            source_may_vouch=vouched is not None and self._library.source(evidence.source or "").may_vouch,
            deadline_at=notice.deadline_at,
            state=notice.state,
            satisfied_by=self._library.notice_type(notice.regime, notice.notice_type).satisfied_by,
            sanction_stands=sanction is not None and sanction.state in _STANDING,
        )

    def _effect(
        self,
        writing: Writing,
        facts: ResponseFacts,
        said: Said,
        evidence: RawEvidence,
        sanction: StandingSanction | None,
        clock: Clock,
    ) -> Decision:
        notice_id = writing.notice.notice_id
        data: dict[str, Json] = {
            "evidence_id": str(evidence.evidence_id),
            "event_id": evidence.event_id,
            "response_kind": facts.kind.value,
            "received_at": evidence.received_at.isoformat(),
            "counts_as_received_at": facts.counts_as_received_at.isoformat(),
            **_given(said, evidence),
        }
        effect = effect_of_response(facts)
        state, more = "processed", list[Change]()
        match effect:
            case Satisfy(received_at, reason):
                _satisfy(writing, received_at, facts.kind, reason, data)
            case PlaceHold(kind, reason):
                place_hold(writing, self._ids.uuid7(), kind, reason, "duly", **data)
            case Withdraw(reason):
                _withdraw(writing, reason, data)
            case DemandReversal(reason) if sanction is not None:
                demand_reversal(writing, sanction, reason, **data)
            case Park(_):
                state = "parked"
            case ReportLate(reason):
                writing.fact("response.late", effect=reason, **data)
                more.append(_told_late(evidence, reason, writing.notice, clock))
            case RecordOnly(reason) | DemandReversal(reason):
                writing.fact("response.recorded", effect=reason, **data)
        judged = EvidenceJudged(evidence.evidence_id, state, effect.reason, notice_id, ())
        changes = writing.finished() if writing.changes else ()
        return done(*changes, judged, GateWoken(notice_id), *more)


def _said(envelope: Envelope, evidence: RawEvidence) -> Said:
    """What is said, by whom it can be: only the inbox's own door keeps what a business gave there."""
    model = KEPT[envelope.type] if evidence.door == _INBOX else CATALOGUE[envelope.type].model
    said = model.model_validate(envelope.data)
    if isinstance(said, Reported | ResponseGivenV1):
        return said
    raise TypeError(f"{envelope.type} is no fact about a notice")


def _kind(said: Said) -> ResponseKind:
    match said:
        case SanctionObjectedV1():
            return ResponseKind.OBJECTION
        case WithdrawalRequestedV1():
            return ResponseKind.WITHDRAWAL
        case _:
            return ResponseKind(said.kind)


def _given(said: Said, evidence: RawEvidence) -> dict[str, Json]:
    """What a business gave in its inbox, for the evidence: by whom, the digest of their words, those of their files."""
    if not isinstance(said, ResponseGivenV1):
        return {}
    files: list[Json] = [
        {"upload_id": str(file.upload_id), "sha256": file.digest, "size": file.size, "media_type": file.media_type}
        for file in said.files
    ]
    return {
        "given_by": said.given_by,
        "given_by_name": said.given_by_name,
        "business_id": said.business_id,
        "body_sha256": sha256(evidence.body).hexdigest(),
        "files": files,
    }


async def _notice(tx: ResponseReads, evidence: RawEvidence, said: Said) -> Notice | None:
    """The notice that is spoken of, locked; None if it is not known."""
    notice_id: UUID | None = said.notice_id
    if notice_id is None and not isinstance(said, ResponseGivenV1):
        pair = (evidence.source or "", said.source_ref or "")
        notice_id = (await tx.find([pair])).get(pair)
    return None if notice_id is None else (await tx.lock([notice_id])).get(notice_id)


def _satisfy(writing: Writing, received_at: datetime, kind: ResponseKind, reason: str, data: dict[str, Json]) -> None:
    notice = writing.notice
    writing.move(Event.SATISFY)
    writing.fact("notice.satisfied", reason=reason, **data)
    told = NoticeSatisfiedV1(
        notice_id=notice.notice_id, source_ref=notice.source_ref, received_at=received_at, kind=kind.value
    )
    writing.tell("notice.satisfied.v1", told)
    writing.changes += ended(notice)


def _withdraw(writing: Writing, reason: str, data: dict[str, Json]) -> None:
    notice = writing.notice
    writing.move(Event.WITHDRAW)
    writing.fact("notice.withdrawn", reason=reason, **data)
    told = NoticeWithdrawnV1(notice_id=notice.notice_id, source_ref=notice.source_ref, reason=reason)
    writing.tell("notice.withdrawn.v1", told)
    writing.changes += ended(notice)


def _refuse(evidence: RawEvidence, reason: str, clock: Clock, *, late: bool = False) -> Decision:
    judged = EvidenceJudged(evidence.evidence_id, "refused", reason, None, ())
    return refused(reason, judged, _told_refused(evidence, reason, clock), late=late)


def _told_late(evidence: RawEvidence, reason: str, notice: Notice, clock: Clock) -> Change:
    """Whoever sanctioned learns of it: of an answer in the inbox the notice's upstream, which did not send it."""
    if evidence.door != _INBOX:
        return _told_refused(evidence, reason, clock)
    told = EvidenceRefusedV1(event_id=str(evidence.evidence_id), reason=f"{notice.source_ref}: {reason}")
    event_id = f"{evidence.evidence_id}:refused"
    return announce("evidence.refused.v1", told, event_id=event_id, trial=clock.trial, to=notice.source)


def _told_refused(evidence: RawEvidence, reason: str, clock: Clock) -> Change:
    told = EvidenceRefusedV1(event_id=evidence.event_id or str(evidence.evidence_id), reason=reason)
    event_id = f"{evidence.evidence_id}:refused"
    return announce("evidence.refused.v1", told, event_id=event_id, trial=clock.trial, to=evidence.source)
