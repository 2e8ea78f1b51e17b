"""From what the ledger says to what a page shows: pure, in the regime's local time."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from schemas.cloudevents import CONTENT_TYPE, read
from schemas.messages.requests import GivenFile, ResponseGivenV1
from services.inbox.file_types import TYPES
from services.inbox.views import Business, Due, File, Given, Line, Message, Reader, Stage
from services.kernel.domain.library import Library
from services.kernel.domain.notice import State
from services.kernel.domain.outage import INBOX_WAS_DOWN
from services.kernel.domain.regime import NoticeType, Satisfier
from services.kernel.domain.retention import Policy
from services.kernel.ledger.inbox import Answer, Listed, Opened
from services.kernel.ledger.people import ActsFor, Session

_ORDER = (Satisfier.PAYMENT, Satisfier.ANSWER, Satisfier.EVIDENCE, Satisfier.CONFIRMATION)
_HERE = (Satisfier.ANSWER, Satisfier.EVIDENCE, Satisfier.CONFIRMATION)
_ALWAYS = ("question", "dispute")
_ENDED = {
    State.SATISFIED: Stage.ANSWERED,
    State.CLOSED: Stage.CLOSED,
    State.UNSERVED: Stage.NOT_SERVED,
    State.WITHDRAWN: Stage.WITHDRAWN,
}
_SANCTIONED = {"reversal_required": Stage.REVERSAL, "rescinded": Stage.UNDONE}
"""By the state of the sanction; one that was upheld stands as if nobody had doubted it."""
_SILENT = {Stage.ANSWERED, Stage.CLOSED, Stage.NOT_SERVED, Stage.WITHDRAWN}
"""Where an answer would have no effect: none is asked for."""
_VOID = {State.UNSERVED, State.WITHDRAWN}
"""Whose deadline never ran, or no longer counts."""
_EXTENDED_FROM = 2


def reader(session: Session, business_id: str | None) -> Reader:
    """Who looks at the page, for this business."""
    businesses = tuple(map(_business, session.businesses))
    chosen = next((business for business in businesses if business.business_id == business_id), None)
    return Reader(session.shown_name, chosen, businesses, session.language, session.csrf)


def _business(business: ActsFor) -> Business:
    return Business(business.business_id, business.name)


def line(listed: Listed, library: Library) -> Line:
    """One notice of a list."""
    zone = ZoneInfo(library.regime(listed.regime).zone)
    notice_type = library.notice_type(listed.regime, listed.notice_type)
    return Line(
        notice_id=str(listed.notice_id),
        subject=listed.subject,
        reference=listed.source_ref,
        came_at=listed.content_available_at.astimezone(zone),
        unread=listed.first_viewed_at is None and listed.erased_at is None,
        stage=stage(listed, notice_type),
        language=listed.language if listed.erased_at is None else "",
        due=due(listed, notice_type, zone),
        erased_on=_day(listed.erased_at, zone),
        kept_until=_kept_until(listed, notice_type.retention_under(library.regime(listed.regime)), zone),
    )


def _kept_until(listed: Listed, policy: Policy | None, zone: ZoneInfo) -> date | None:
    """The last local day of the period, which other reasons may make longer; None while the notice is not over."""
    ended_on = _day(listed.ended_at, zone)
    return None if policy is None or ended_on is None else policy.content.last_day(ended_on)


def stage(listed: Listed, notice_type: NoticeType) -> Stage:
    """How the notice stands, as its reader needs to know it. What was received and has had no effect yet counts."""
    if listed.state is State.SANCTIONED:
        return _SANCTIONED.get(listed.sanction or "", Stage.CONSEQUENCE)
    if listed.state in _ENDED:
        return _ENDED[listed.state]
    if listed.held or listed.looked_at:
        return Stage.UNDER_REVIEW
    if notice_type.asks_for_nothing:
        return Stage.FOR_INFORMATION
    is_over = listed.due_at is not None and listed.due_at <= listed.now
    return Stage.OVERDUE if is_over or listed.state is State.LAPSED else Stage.OPEN


def due(listed: Listed, notice_type: NoticeType, zone: ZoneInfo) -> Due | None:
    """The deadline, where one runs or has run; that of a notice which is void is none."""
    if listed.due_at is None or listed.due_on is None or listed.state in _VOID:
        return None
    extended = listed.version is not None and listed.version >= _EXTENDED_FROM
    return Due(
        on=listed.due_on,
        until=listed.due_at.astimezone(zone),
        days_left=max(0, (listed.due_on - listed.now.astimezone(zone).date()).days),
        passed=listed.due_at <= listed.now,
        follows=notice_type.sanction,
        extended=extended,
        for_outage=extended and listed.reason == INBOX_WAS_DOWN,
    )


def message(opened: Opened, answers: list[Answer], library: Library) -> Message:
    """One notice with its words, and what was received about it."""
    listed = opened.listed
    zone = ZoneInfo(library.regime(listed.regime).zone)
    asked = library.notice_type(listed.regime, listed.notice_type).satisfied_by
    shown = line(listed, library)
    return Message(
        line=shown,
        body=Markup(opened.body_html),  # noqa: S704 -- our own rendering, escaped there, its hash checked
        language=listed.language,
        digest=opened.content_hash.hex(),
        viewed_at=_local(listed.first_viewed_at, zone),
        viewed_by=opened.first_viewed_by,
        asks=tuple(kind.value for kind in _ORDER if kind in asked),
        may_give=may_give(shown.stage, asked),
        given=tuple(given(answer, listed, zone) for answer in answers),
    )


def may_give(stage: Stage, asked: frozenset[Satisfier]) -> tuple[str, ...]:
    """The kinds of answer that can be given here and now: what is asked for, and always a question or a dispute."""
    if stage in _SILENT:
        return ()
    if stage is Stage.UNDONE:
        return _ALWAYS
    return (*(kind.value for kind in _HERE if kind in asked), *_ALWAYS)


def given(answer: Answer, listed: Listed, zone: ZoneInfo) -> Given:
    """An answer that was received, as it was stored."""
    at = None if listed.state in _VOID else listed.deadline_at
    in_time = None if at is None else answer.received_at < at
    if answer.erased_at is not None:
        received, digest = answer.received_at.astimezone(zone), (answer.body_sha256 or b"").hex()
        return Given(
            str(answer.evidence_id), received, "", "", "", (), in_time, _day(answer.erased_at, zone), digest
        )  # fmt: skip
    said = ResponseGivenV1.model_validate(read(answer.body, CONTENT_TYPE, {}).data)
    return Given(
        evidence_id=str(answer.evidence_id),
        received_at=answer.received_at.astimezone(zone),
        kind=said.kind,
        by=said.given_by_name,
        text=said.text,
        files=tuple(_file(number, file, said) for number, file in enumerate(said.files, start=1)),
        in_time=in_time,
    )


def neutral_name(number: int, media_type: str) -> str:
    """What a file is called here and when it is saved: nothing that its sender chose."""
    extension = next((kind.extension for kind in TYPES.values() if kind.media_type == media_type), "bin")
    return f"evidence-{number}.{extension}"


def _file(number: int, file: GivenFile, said: ResponseGivenV1) -> File:
    name = neutral_name(number, file.media_type)
    return File(name, file.shown_name, file.size, file.digest, f"/notices/{said.notice_id}/files/{file.upload_id}")


def _day(instant: datetime | None, zone: ZoneInfo) -> date | None:
    return None if instant is None else instant.astimezone(zone).date()


def _local(instant: datetime | None, zone: ZoneInfo) -> datetime | None:
    return None if instant is None else instant.astimezone(zone)
