"""Answering a notice: the form, taking it in, and the receipt for what is committed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from uuid import UUID

from starlette.responses import Response

from services.inbox.reading import look
from services.inbox.receiving import AnswerFaulty, Receiving
from services.inbox.views import Draft, Message
from services.inbox.visit import Problem, Visit, to
from services.kernel.adapters.web.limits import BodyTooLong
from services.kernel.adapters.web.multipart import FormBroken, drain, form_events
from services.kernel.ledger.inbox import Opened

_PAUSE_SECONDS = 60.0
_MOST_SECONDS = 3000.0
"""Shorter than the hour after which `relay` gives up on an answer."""
_SEEN_SECONDS = 30
"""That a session was seen is written so often: it may have been idle for so much longer."""
_SLACK = 1024 * 1024
"""What a form may have beside its files."""


async def form(visit: Visit) -> Response:
    """The form, if there is anything to answer."""
    opened, message = await look(visit, "answer")
    if not message.may_give:
        return to(f"/notices/{opened.listed.notice_id}")
    return _written(visit, opened, message, Draft())


async def answer(visit: Visit) -> Response:
    """Take an answer in. Its receipt is shown only when it is committed."""
    visit.check_origin()
    opened, message = await look(visit, "answer")
    if not message.may_give:
        return to(f"/notices/{opened.listed.notice_id}")
    visit.limit(visit.inbox.limits.answers, visit.person.person)
    receiving = Receiving(visit, opened, message.may_give)
    most = visit.inbox.settings.answer_bytes + _SLACK
    try:
        async with (
            asyncio.timeout(_MOST_SECONDS),
            aclosing(form_events(visit.request, most=most, patience=_PAUSE_SECONDS)) as events,
        ):
            evidence_id = await receiving.take(events)
    except AnswerFaulty as faulty:
        return _written(visit, opened, message, faulty.draft, faulty.status)
    except BodyTooLong:
        await drain(visit.request, most, _PAUSE_SECONDS)
        raise Problem(413, "too_large") from None
    except Problem:
        await drain(visit.request, most, _PAUSE_SECONDS)
        raise
    except (FormBroken, TimeoutError):
        raise Problem(400, "incomplete") from None
    return to(f"/notices/{opened.listed.notice_id}/answers/{evidence_id}")


async def receipt(visit: Visit) -> Response:
    """What was received, and when."""
    evidence_id: UUID = visit.id("evidence_id")
    opened, message = await look(visit, "receipt")
    for given in message.given:
        if given.evidence_id == str(evidence_id):
            reader = visit.reader(opened.business_id)
            return visit.write("received.html", reader=reader, message=message, given=given)
    raise Problem(404, "not_found")


def _written(visit: Visit, opened: Opened, message: Message, draft: Draft, status: int = 200) -> Response:
    reader, rules, settings = visit.reader(opened.business_id), visit.inbox.rules, visit.inbox.settings
    minutes = max(1, int((settings.idle - _SEEN_SECONDS) // 60))
    values = {"reader": reader, "message": message, "draft": draft, "rules": rules, "minutes": minutes}
    return visit.write("answer.html", status, **values)
