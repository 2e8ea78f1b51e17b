"""Which notice a report of the mail system is about, where only a person can say.

What a person says is no proof of non-delivery: it never unserves. The law's effect of an unclear report follows: a hold
on a notice that a sanction could still follow, and a record beside one that is over.
"""

from __future__ import annotations

from uuid import UUID

from services.kernel.domain.addresses import matching_key
from services.kernel.domain.chain import Json
from services.kernel.domain.changes import EvidenceJudged, GateWoken
from services.kernel.domain.evidence import (
    AttemptKind,
    BounceFacts,
    MatchedBy,
    Park,
    PlaceHold,
    Verdict,
    effect_of_bounce,
)
from services.kernel.domain.notice import Notice
from services.kernel.ledger import RawEvidence
from services.kernel.ports import Ids
from services.kernel.runtime import effects
from services.kernel.runtime.desk import Desk, Word, locked, refusal
from services.kernel.runtime.effects import Writing

SETTLED = frozenset({"processed", "refused", "cleared"})
FOR_PERSONS = frozenset({"parked", "dead"})
"""Where the workers have come to an end with it: until then it may turn out to prove non-delivery by itself."""
REPORTS = frozenset({"mail", "callback"})
"""The doors through which the mail system speaks."""


async def match_evidence(desk: Desk, ids: Ids, evidence_id: UUID, notice_id: UUID, said: Word) -> UUID | None:
    """Say that a report is about this notice; returns the hold that was placed, None where nothing is left to hold.

    Raises:
        Fault: there is no such evidence or notice, it is dealt with already or still being judged, it is no report
            of the mail system, or no mail of that notice has left yet.
    """
    async with desk.begin() as tx:
        found = (await tx.evidence([evidence_id])).get(evidence_id)
        _fits(evidence_id, found)
        notice = await locked(tx, notice_id)
        writing = Writing.begin(notice, (await tx.clock()).legal, said.by)
        hold_id = _effect(writing, ids, evidence_id, said)
        outcome = f"matched to notice {notice_id} by {said.by}: {said.reason}"
        judged = EvidenceJudged(evidence_id, "processed", outcome, notice_id, ())
        addresses = [GateWoken(address=each) for each in (found.addresses if found else ())]
        woken = [GateWoken(notice_id), GateWoken(reason="evidence_waiting"), *addresses]
        await tx.write([*writing.finished(), judged, *woken])
    return hold_id


def _fits(evidence_id: UUID, found: RawEvidence | None) -> None:
    if found is None:
        raise refusal(f"there is no evidence {evidence_id}", "duly evidence list shows what is open")
    if found.state in SETTLED:
        raise refusal(f"this evidence is {found.state} already")
    if found.state not in FOR_PERSONS:
        raise refusal(f"this evidence is {found.state}: what it proves is judged before anybody says what it means")
    if found.door not in REPORTS or found.type == "undecodable":
        raise refusal(
            "only a report of the mail system is matched by hand", "clear it, or have its sender send it again"
        )


def _effect(writing: Writing, ids: Ids, evidence_id: UUID, said: Word) -> UUID | None:
    data: dict[str, Json] = {"evidence_id": str(evidence_id), "matched_by": MatchedBy.PERSON.value}
    match effect_of_bounce(_facts(writing.notice)):
        case PlaceHold(kind, _):
            hold_id = ids.uuid7()
            reason = f"a report of the mail system, matched by {said.by}: {said.reason}"
            effects.place_hold(writing, hold_id, kind, reason, said.by, **data)
            return hold_id
        case Park(reason):
            raise refusal(f"{reason}: no mail of this notice can have come back")
        case effect:
            writing.fact("mail.reported", effect=effect.reason, reason=said.reason, by=said.by, **data)
            return None


def _facts(notice: Notice) -> BounceFacts:
    """An unverified report that a person read: whatever it says, it decides nothing by itself."""
    key = matching_key(notice.address)
    return BounceFacts(
        Verdict.UNCLEAR, frozenset({key}), key, MatchedBy.PERSON, AttemptKind.ALERT, opened=False, verified=False,
        state=notice.state,
    )  # fmt: skip
