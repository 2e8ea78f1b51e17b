"""Settling: from what the mail system said to served, unserved, another attempt, or a hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from schemas.messages.outcomes import NoticeServedV1
from services.kernel.domain.addresses import matching_key
from services.kernel.domain.chain import Json
from services.kernel.domain.changes import AttemptSettled, Change
from services.kernel.domain.deadline import Deadline, FixedDateRefused, Period, count_deadline, fix_deadline
from services.kernel.domain.evidence import (
    AttemptKind,
    BounceFacts,
    DemandReversal,
    MatchedBy,
    PlaceHold,
    Unserve,
    Verdict,
    effect_of_bounce,
)
from services.kernel.domain.library import Library
from services.kernel.domain.notice import Event, Notice, State
from services.kernel.domain.replies import Judgement, SendVerdict, judge_reply, next_try
from services.kernel.domain.service_rules import SERVICE_RULES, deemed_on
from services.kernel.ledger import Clock, StandingSanction
from services.kernel.ports import Ids, SmtpReply
from services.kernel.runtime.effects import Writing, deadline_row, demand_reversal, place_hold, unserve
from services.notifier.handler import Claim

_ATTEMPT_STATE = {
    SendVerdict.ACCEPTED: "accepted",
    SendVerdict.RECIPIENT_REFUSED: "refused",
    SendVerdict.TRY_LATER: "later",
    SendVerdict.OURS: "ours",
    SendVerdict.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class Settled:
    """An attempt, what was said to it, and what that means; begun and ended in nanoseconds since 1970."""

    claim: Claim
    reply: SmtpReply
    judgement: Judgement
    began: int = 0
    ended: int = 0


def judged(claim: Claim, reply: SmtpReply, *, began: int = 0, ended: int = 0) -> Settled:
    """Judge one reply."""
    return Settled(claim, reply, judge_reply(reply.phase, reply.code, reply.enhanced, reply.text), began, ended)


@dataclass(frozen=True, slots=True)
class Settler:
    """Decides what settled attempts do to their notices; pure but for ids and jitter."""

    library: Library
    ids: Ids

    def settle(
        self,
        settled: Settled,
        notice: Notice,
        clock: Clock,
        opened: bool,
        sanction: StandingSanction | None,
        *,
        braked: bool,
    ) -> tuple[Change, ...]:
        """The changes of one settled attempt. `braked`: a burst of refusals is on, and refusals decide nothing."""
        judgement = settled.judgement
        if braked and judgement.verdict is SendVerdict.RECIPIENT_REFUSED:
            judgement = Judgement(
                SendVerdict.OURS, f"in a burst of refusals, so it decides nothing: {judgement.reason}"
            )
        wait = self._wait(settled.claim, judgement, clock)
        writing = Writing.begin(notice, clock.legal, "notifier")
        exhausted = judgement.verdict is SendVerdict.TRY_LATER and wait is None
        if judgement.verdict is SendVerdict.ACCEPTED:
            self._accepted(writing, settled)
        elif judgement.verdict is SendVerdict.RECIPIENT_REFUSED or exhausted:
            self._failed(writing, settled, judgement, opened, sanction, exhausted=exhausted)
        reply = settled.reply
        row = AttemptSettled(
            settled.claim.attempt_id,
            _ATTEMPT_STATE[judgement.verdict],
            wait,
            reply.phase.value,
            reply.code,
            reply.enhanced,
            reply.text,
        )
        return (row, *writing.finished()) if writing.changes else (row,)

    def _wait(self, claim: Claim, judgement: Judgement, clock: Clock) -> float | None:
        """Seconds until the next attempt, None for never."""
        if judgement.verdict in {SendVerdict.ACCEPTED, SendVerdict.RECIPIENT_REFUSED}:
            return None
        if judgement.verdict is SendVerdict.UNKNOWN:
            return 0.0
        patience = self.library.regime(claim.regime).smtp_give_up_after
        if judgement.verdict is SendVerdict.OURS or not judgement.about_recipient:
            patience = timedelta(days=3650)  # a fault of ours is never evidence, however long it lasts
        at = next_try(claim.first_at, claim.tries, clock.wall, patience, self.ids.jitter())
        return None if at is None else max(0.0, (at - clock.wall).total_seconds())

    def _accepted(self, writing: Writing, settled: Settled) -> None:
        """An acceptance is always recorded; it serves only what is still to be served."""
        notice = writing.notice
        if notice.state is not State.RENDERED:
            writing.fact("alert.accepted", **_said(settled), effect=f"none: the notice is {notice.state}")
            return
        writing.notice = notice.but(alert_accepted_at=writing.at)
        writing.fact("alert.accepted", **_said(settled))
        self._serve(writing)

    def _serve(self, writing: Writing) -> None:
        notice, at = writing.notice, writing.at
        regime = self.library.regime(notice.regime)
        calendar = self.library.calendar(notice.regime)
        rule = SERVICE_RULES[regime.service_rule[notice.channel]]
        deemed = deemed_on(rule, at, calendar)
        kind = self.library.notice_type(notice.regime, notice.notice_type)
        data: dict[str, Json] = {"deemed_on": deemed.isoformat(), "service_rule": rule.name, "citation": rule.citation}
        deadline: Deadline | None = None
        if not kind.asks_for_nothing:
            deadline, refused = self._deadline(notice, deemed, kind.period_under(regime), rule.name)
            data |= {
                "due_on": deadline.due_on.isoformat(),
                "due_at": deadline.due_at.isoformat(),
                "zone": deadline.zone,
                "rule": deadline.rule,
                "calendar": deadline.calendar_version,
            }
            data |= {"fixed_date_refused": refused} if refused else {}
            writing.changes.append(deadline_row(notice.notice_id, deadline))
        writing.move(Event.SERVE)
        writing.notice = writing.notice.but(
            deemed_on=deemed,
            deadline_version=deadline.version if deadline else None,
            deadline_at=deadline.due_at if deadline else None,
        )
        writing.fact("notice.served", **data)
        told = NoticeServedV1(
            notice_id=notice.notice_id,
            source_ref=notice.source_ref,
            served_at=at,
            deemed_on=deemed,
            due_on=deadline.due_on if deadline else None,
            due_at=deadline.due_at if deadline else None,
            zone=calendar.zone,
        )
        writing.tell("notice.served.v1", told)

    def _deadline(self, notice: Notice, deemed: date, period: Period, rule: str) -> tuple[Deadline, str | None]:
        """Version 1; a fixed date that leaves less than the approved period is refused, and the whole period runs."""
        calendar = self.library.calendar(notice.regime)
        if notice.respond_by is not None:
            try:
                return fix_deadline(1, deemed, notice.respond_by, period, calendar, rule=rule), None
            except FixedDateRefused as refused:
                return count_deadline(1, deemed, period, calendar, rule=rule), str(refused)
        asked = period if notice.asked_days is None else replace(period, days=notice.asked_days)
        return count_deadline(
            1, deemed, asked, calendar, rule=rule, reason=notice.asked_reason, approver=notice.asked_approver
        ), None

    def _failed(
        self,
        writing: Writing,
        settled: Settled,
        judgement: Judgement,
        opened: bool,
        sanction: StandingSanction | None,
        *,
        exhausted: bool,
    ) -> None:
        key = matching_key(settled.claim.address)
        effect = effect_of_bounce(
            BounceFacts(
                Verdict.FINAL,
                frozenset({key}),
                key,
                MatchedBy.SMTP,
                AttemptKind.ALERT,
                opened,
                verified=True,
                state=writing.notice.state,
            ),
        )
        reason = f"retries exhausted: {judgement.reason}" if exhausted else judgement.reason
        said = _said(settled)
        if isinstance(effect, Unserve):
            unserve(writing, reason, **said)
        elif isinstance(effect, PlaceHold):
            place_hold(writing, self.ids.uuid7(), effect.kind, f"{reason}; {effect.reason}", "duly", **said)
        elif isinstance(effect, DemandReversal) and sanction is not None:
            demand_reversal(writing, sanction, reason, **said)
        else:
            writing.fact("alert.refused", **said, effect=effect.reason)


def _said(settled: Settled) -> dict[str, Json]:
    """What the mail system said, as evidence."""
    reply = settled.reply
    return {
        "attempt_id": str(settled.claim.attempt_id),
        "attempt": settled.claim.tries,
        "address": settled.claim.address,
        "phase": reply.phase.value,
        "code": reply.code,
        "enhanced": reply.enhanced,
        "reply": reply.text,
    }
