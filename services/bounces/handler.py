"""bounces: takes reports of the mail system and of providers, and decides whether a notice was not served.

One piece of evidence a transaction: classify, match it to its notice by the signed token (else by our Message-ID, else
by address within the sending window), and write the law's effect. What matches nothing yet is parked, never dropped.
Standards: RFC 3461-3464, 5965, 3834. Settings: `services/bounces/settings.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from services.bounces.callbacks import read_event
from services.bounces.classify import Classification, classify
from services.kernel.domain.addresses import matching_key
from services.kernel.domain.chain import Json
from services.kernel.domain.changes import Change, EvidenceJudged, GateWoken
from services.kernel.domain.evidence import (
    AttemptKind,
    BounceFacts,
    DemandReversal,
    MatchedBy,
    Park,
    PlaceHold,
    RecordOnly,
    Unserve,
    Verdict,
    effect_of_bounce,
)
from services.kernel.domain.notice import Notice
from services.kernel.domain.verp import Keyring, find
from services.kernel.ledger import BounceFacts as BounceReads
from services.kernel.ledger import RawEvidence, StandingSanction
from services.kernel.ports import Ids
from services.kernel.runtime.decision import Decision, Quiet, done
from services.kernel.runtime.effects import Writing, demand_reversal, place_hold, unserve
from services.kernel.runtime.items import Item

log = structlog.get_logger()
SENDING_WINDOW = timedelta(days=14)
"""How long after an attempt a report without token may still be about it; mail systems give up within five days."""
_SETTLED = {"processed", "refused", "cleared"}
_DECISIVE = {Verdict.FINAL, Verdict.UNCLEAR}
_CALLBACK = "callback"


@dataclass(frozen=True, slots=True)
class Match:
    """A notice that a report is about, and how that is known."""

    notice_id: UUID
    matched_by: MatchedBy
    kind: AttemptKind


class Bounces(Quiet):
    """Decides about one piece of evidence at a time."""

    consumer = "bounces"
    batch = 1

    def __init__(self, ids: Ids, keyring: Keyring, bounce_domain: str, message_domain: str) -> None:
        self._ids, self._keyring = ids, keyring
        self._bounce_domain, self._message_domain = bounce_domain, message_domain

    async def decide(self, tx: BounceReads, items: Sequence[Item]) -> Sequence[Decision]:
        """One decision each."""
        return [await self._one(tx, item) for item in items]

    async def _one(self, tx: BounceReads, item: Item) -> Decision:
        evidence = (await tx.evidence([item.key.subject])).get(item.key.subject)
        if evidence is None or evidence.state in _SETTLED:
            return done()
        report = _read(evidence)
        matches = await self._matches(tx, evidence, report)
        notices = await tx.lock(match.notice_id for match in matches)
        if not notices:
            return self._unmatched(evidence, report)
        opened = await tx.opened(notices)
        sanctions = await tx.sanctions(notices)
        at = (await tx.clock()).legal
        changes: list[Change] = []
        parked = False
        for match in matches:
            if match.notice_id not in notices:
                continue
            writing = Writing.begin(notices[match.notice_id], at, "bounces", item.envelope)
            facts = _facts(report, match, writing.notice, opened=match.notice_id in opened)
            parked |= self._effect(writing, facts, report, evidence, sanctions.get(match.notice_id))
            changes += writing.finished() if writing.changes else ()
        first = matches[0].notice_id
        state = "parked" if parked else "processed"
        judged = EvidenceJudged(evidence.evidence_id, state, report.verdict.value, first, ())
        woken = {first, evidence.notice_id or first}  # the door may have taken it to be about another
        return done(
            *changes, judged, *map(GateWoken, sorted(woken)), *(GateWoken(address=each) for each in evidence.addresses)
        )

    async def _matches(self, tx: BounceReads, evidence: RawEvidence, report: Classification) -> list[Match]:
        tokens = (
            [evidence.attempt_id] if evidence.attempt_id else find(evidence.body, self._keyring, self._bounce_domain)
        )
        attempts = await tx.attempts_by_id(tokens)
        if attempts:
            how = MatchedBy.CALLBACK if evidence.door == _CALLBACK else MatchedBy.TOKEN
            return [Match(a.notice_id, how, AttemptKind(a.kind)) for a in attempts.values()][:1]
        if tokens:
            return []
        if (named := self._by_message_id(report)) is not None:
            return [Match(named, MatchedBy.MESSAGE_ID, AttemptKind.ALERT)]
        if report.verdict not in _DECISIVE:
            return []
        since = (await tx.clock()).wall - SENDING_WINDOW
        sent = await tx.attempts_to([matching_key(address) for address in report.recipients], since)
        return list({a.notice_id: Match(a.notice_id, MatchedBy.ADDRESS, AttemptKind(a.kind)) for a in sent}.values())

    def _by_message_id(self, report: Classification) -> UUID | None:
        local, _, domain = (report.original_message_id or "").strip("<> ").partition("@")
        try:
            return UUID(local) if domain.lower() == self._message_domain.lower() else None
        except ValueError:
            return None

    def _unmatched(self, evidence: RawEvidence, report: Classification) -> Decision:
        """What proves nothing is done with; what might is parked until its notice appears, counted and alarmed."""
        state = "parked" if report.verdict in _DECISIVE else "processed"
        outcome = f"{report.verdict.value}: matches no notice"
        if state == "parked":
            log.warning("evidence.unmatched", evidence_id=str(evidence.evidence_id), verdict=report.verdict.value)
        named = tuple(matching_key(address) for address in report.recipients) or evidence.addresses
        return done(
            EvidenceJudged(evidence.evidence_id, state, outcome, None, named),
            *(GateWoken(address=address) for address in evidence.addresses),
            GateWoken(reason="evidence_waiting"),
        )

    def _effect(
        self,
        writing: Writing,
        facts: BounceFacts,
        report: Classification,
        evidence: RawEvidence,
        sanction: StandingSanction | None,
    ) -> bool:
        """Write what the law says; True if the evidence must be looked at again."""
        data: dict[str, Json] = {
            "evidence_id": str(evidence.evidence_id),
            "door": evidence.door,
            "verdict": report.verdict.value,
            "matched_by": facts.matched_by.value,
            "report_reasons": list(report.reasons),
        }
        match effect_of_bounce(facts):
            case Unserve(reason):
                unserve(writing, reason, **data)
            case PlaceHold(kind, reason):
                place_hold(writing, self._ids.uuid7(), kind, reason, "duly", **data)
            case DemandReversal(reason) if sanction is not None:
                if demand_reversal(writing, sanction, reason, **data):
                    log.error("sanction.reversal_required", notice_id=str(writing.notice.notice_id))
            case Park(_):
                return True
            case RecordOnly(reason) | DemandReversal(reason):
                writing.fact("mail.reported", effect=reason, **data)
        return False


def _read(evidence: RawEvidence) -> Classification:
    """What it says: a provider's event that its door has verified, or a mail."""
    return read_event(evidence.source, evidence.body) if evidence.door == _CALLBACK else classify(evidence.body)


def _facts(report: Classification, match: Match, notice: Notice, *, opened: bool) -> BounceFacts:
    """A final report behind our token that names nobody speaks of our address: no other was in that mail."""
    key = matching_key(notice.address)
    failed = frozenset(matching_key(address) for address in report.recipients)
    if not failed and match.matched_by is not MatchedBy.ADDRESS:
        failed = frozenset({key})
    return BounceFacts(
        report.verdict,
        failed,
        key,
        match.matched_by,
        match.kind,
        opened=opened,
        verified=match.matched_by is not MatchedBy.ADDRESS,
        state=notice.state,
    )
