"""Signing in, the language, and the business that a person acts for."""

from __future__ import annotations

from starlette.responses import Response

from services.inbox.visit import Problem, Visit, to


async def sign_in_page(visit: Visit) -> Response:
    """What signing in needs: a button, or the people of a trial."""
    if visit.session is not None:
        return to("/notices")
    people = [
        (each.person, each.name, [business.name for business in each.businesses])
        for each in await visit.inbox.sign_in.people()
    ]
    return visit.write("sign_in.html", trial=visit.inbox.sign_in.is_trial, people=people, reader=None, csrf="")


async def change_language(visit: Visit) -> Response:
    """Another language, for this session and for this browser."""
    fields = await visit.form()
    language = fields.get("language", "")
    if language not in visit.inbox.pages.languages:
        raise Problem(404, "not_found")
    if visit.session is not None:
        async with visit.inbox.ledger.open() as tx:
            await visit.inbox.sessions.change(visit.session, tx, language=language)
    response = to(fields.get("back", "/"))
    visit.keep_language(response, language)
    return response


async def businesses(visit: Visit) -> Response:
    """Whom the person may act for."""
    return visit.write("businesses.html", reader=visit.reader())


async def choose_business(visit: Visit) -> Response:
    """Act for another of one's businesses."""
    chosen = (await visit.form()).get("business", "")
    if chosen not in visit.person.business_ids:
        async with visit.inbox.ledger.open() as tx:
            await visit.record(tx, "choose_business", allowed=False)
        raise Problem(404, "not_found")
    async with visit.inbox.ledger.open() as tx:
        await visit.inbox.sessions.change(visit.person, tx, business_id=chosen)
    return to("/notices")
