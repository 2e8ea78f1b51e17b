"""Reading notices: the list, one notice as it was served, its print view, and the files that came with answers."""

from __future__ import annotations

from uuid import UUID

from starlette.responses import RedirectResponse, Response

from services.inbox import showing
from services.inbox.views import Lines, Message
from services.inbox.visit import Problem, Visit, to
from services.kernel.domain.changes import ContentViewed
from services.kernel.domain.content import content_hash
from services.kernel.domain.notice import Notice
from services.kernel.ledger.inbox import InboxTransaction, Listed, Opened
from services.kernel.runtime.effects import Writing
from services.kernel.runtime.logging import logger

_A_PAGE = 25


async def notices(visit: Visit) -> Response:
    """The notices of the business that the person acts for."""
    business_id = visit.person.business_id
    if business_id is None:
        return to("/businesses")
    before, after = _uuid(visit, "before"), _uuid(visit, "after")
    async with visit.inbox.ledger.open() as tx:
        found = await tx.page(business_id, _A_PAGE + 1, before=before, after=None if before else after)
        unread = await tx.unread(business_id)
    backwards = after is not None and before is None
    page = _page(visit, found, unread, backwards=backwards, first=before is None and after is None)
    return visit.write("notices.html", reader=visit.reader(), page=page)


def _page(visit: Visit, found: list[Listed], unread: int, *, backwards: bool, first: bool) -> Lines:
    """One more than a page was asked for: if it came, there is another page in that direction."""
    more = len(found) > _A_PAGE
    shown = found[-_A_PAGE:] if backwards else found[:_A_PAGE]
    has_older, has_newer = more or backwards, (more if backwards else not first)
    return Lines(
        lines=tuple(showing.line(listed, visit.inbox.library) for listed in shown),
        unread=unread,
        older=f"before={shown[-1].notice_id}" if shown and has_older else None,
        newer=f"after={shown[0].notice_id}" if shown and has_newer else None,
    )


def _uuid(visit: Visit, name: str) -> UUID | None:
    try:
        return UUID(visit.request.query_params[name])
    except (KeyError, ValueError):
        return None


async def notice(visit: Visit) -> Response:
    """One notice, as it was served. The first view is evidence."""
    opened, message = await view(visit, "view")
    return visit.write("notice.html", reader=visit.reader(opened.business_id), message=message)


async def print_view(visit: Visit) -> Response:
    """The same, for paper."""
    opened, message = await view(visit, "print")
    return visit.write("print.html", reader=visit.reader(opened.business_id), message=message)


async def view(visit: Visit, act: str) -> tuple[Opened, Message]:
    """Open a notice, and record who did.

    Raises:
        Problem: it is not one of this person's, or its content is not what was served.
    """
    opened, message = await look(visit, act)
    if visit.request.method == "HEAD":  # nobody has seen anything
        return opened, message
    if opened.listed.first_viewed_at is None and opened.listed.erased_at is None:
        await _first_view(visit, opened)
        opened, message = await look(visit, act)
    async with visit.inbox.ledger.open() as tx:
        await visit.record(tx, act, business_id=opened.business_id, notice_id=opened.listed.notice_id)
    return opened, message


async def look(visit: Visit, act: str) -> tuple[Opened, Message]:
    """A notice, without recording that it was seen.

    Raises:
        Problem: it is not one of this person's, or its content is not what was served.
    """
    notice_id = visit.id("notice_id")
    async with visit.inbox.ledger.open() as tx:
        opened = await tx.message(notice_id, visit.person.business_ids)
        if opened is None:
            await visit.record(tx, act, allowed=False, notice_id=notice_id)
            raise Problem(404, "not_found")
        if not is_as_served(opened):
            logger().error("content.altered", notice_id=notice_id)
            await visit.record(
                tx, act, allowed=False, business_id=opened.business_id, notice_id=notice_id, detail="content altered"
            )
            raise Problem(500, "unexpected")
        answers = await tx.answers(notice_id, visit.person.business_ids)
    return opened, showing.message(opened, answers, visit.inbox.library)


def is_as_served(opened: Opened) -> bool:
    """Whether the words are still those whose hash was stored, and put into evidence, when they were rendered.

    Words that were erased are not there to be compared; the database lets none be left over.
    """
    if opened.listed.erased_at is not None:
        return not (opened.listed.subject or opened.body_text or opened.body_html)
    return content_hash(opened.listed.subject, opened.body_text, opened.body_html) == opened.content_hash


async def _first_view(visit: Visit, opened: Opened) -> None:
    """Who viewed it first, and when: set once, with the fact in its evidence."""
    async with visit.inbox.ledger.begin() as tx:
        locked = (await tx.lock([opened.listed.notice_id]))[opened.listed.notice_id]
        now = await tx.message(locked.notice_id, visit.person.business_ids)
        if now is not None and now.listed.first_viewed_at is None:
            await _viewed(tx, visit, locked, opened.content_hash)


async def _viewed(tx: InboxTransaction, visit: Visit, notice: Notice, digest: bytes) -> None:
    person, at = visit.person, (await tx.clock()).legal
    writing = Writing.begin(notice, at, "inbox")
    writing.fact(
        "content.viewed", by=person.person, name=person.shown_name, business_id=notice.business_id,
        content_sha256=digest.hex(),
    )  # fmt: skip
    await tx.write([*writing.finished(), ContentViewed(notice.notice_id, at, person.person)])


async def file(visit: Visit) -> Response:
    """Lead to the second origin, from which a file is downloaded."""
    notice_id, upload_id = visit.id("notice_id"), visit.id("upload_id")
    async with visit.inbox.ledger.open() as tx:
        found = await tx.file(notice_id, upload_id, visit.person.business_ids)
        await visit.record(tx, "download", allowed=found is not None, notice_id=notice_id, detail=str(upload_id))
    if found is None:
        raise Problem(404, "not_found")
    if found.erased_at is not None:
        raise Problem(410, "erased")
    name = showing.neutral_name(found.number, found.media_type)
    return RedirectResponse(visit.inbox.links.make(upload_id, name, found.size), 303)
