"""Signing in and out, the language, and the business that a person acts for."""

from __future__ import annotations

import hmac
from urllib.parse import unquote

from starlette.responses import RedirectResponse, Response

from services.inbox.visit import NOBODY, SITE, Problem, Visit, to
from services.kernel.adapters.web.forms import safe_path
from services.kernel.adapters.web.sessions import hash_of
from services.kernel.adapters.web.sign_in import Journey, Person, ProviderAway, SignInRefused
from services.kernel.ledger.people import SignInBegun

_TEN_MINUTES = 600


async def home(visit: Visit) -> Response:
    """The list, for whoever is signed in."""
    return to("/notices" if visit.session else "/sign-in")


async def sign_in_page(visit: Visit) -> Response:
    """What signing in needs: a button, or the people of a trial. `next` is the page that was asked for."""
    if visit.session is not None:
        return to("/notices")
    people = [
        (each.person, each.name, [business.name for business in each.businesses])
        for each in await visit.inbox.sign_in.people()
    ]
    return visit.write("sign_in.html", trial=visit.inbox.sign_in.is_trial, people=people, reader=None, csrf="")


async def begin_sign_in(visit: Visit) -> Response:
    """Lead to the provider, or sign in at once as one of a trial's people."""
    visit.limit(visit.inbox.limits.sign_ins)
    fields = await visit.form()
    try:
        found = await visit.inbox.sign_in.begin(fields, _back(visit))
    except SignInRefused as refused:
        raise await _refused(visit, refused.reason) from refused
    except ProviderAway as away:
        raise Problem(503, "unavailable", 30) from away
    if isinstance(found, Person):
        return await _signed_in(visit, found, "/notices", visit.language)
    return await _journey(visit, found)


async def _journey(visit: Visit, journey: Journey) -> Response:
    begun = SignInBegun(journey.nonce, journey.verifier, asked_for(visit), visit.language)
    async with visit.inbox.ledger.open() as tx:
        await tx.begin_sign_in(hash_of(journey.state), begun)
    response = RedirectResponse(journey.url, 303)
    visit.inbox.state.give(response, journey.state, _TEN_MINUTES)
    return response


def asked_for(visit: Visit) -> str:
    """The page that a person wanted before they had to sign in."""
    path = safe_path(unquote(visit.inbox.asked.of(visit.request)))
    return path if path.startswith("/notices") else "/notices"


async def end_sign_in(visit: Visit) -> Response:
    """The provider has led back: once, to the browser that began it, within ten minutes."""
    visit.limit(visit.inbox.limits.sign_ins)
    query = dict(visit.request.query_params)
    state, held = query.get("state", ""), visit.inbox.state.of(visit.request)
    if not state or not hmac.compare_digest(state.encode(errors="replace"), held.encode(errors="replace")):
        raise await _refused(visit, "wrong_state")
    async with visit.inbox.ledger.open() as tx:
        begun = await tx.end_sign_in(hash_of(state))
    if begun is None:
        raise await _refused(visit, "not_begun")
    try:
        person = await visit.inbox.sign_in.end(query, begun.nonce, begun.verifier, _back(visit))
    except SignInRefused as refused:
        raise await _refused(visit, refused.reason) from refused
    except ProviderAway as away:
        raise Problem(503, "unavailable", 30) from away
    return await _signed_in(visit, person, begun.go_to, begun.language)


async def _signed_in(visit: Visit, person: Person, go_to: str, language: str) -> Response:
    """A new session, whatever the browser brought; the old one is over."""
    async with visit.inbox.ledger.begin() as tx:
        if visit.session is not None:
            await tx.end_session(visit.session.token_hash)
        session, token = await visit.inbox.sessions.begin(person, language, tx)
        await tx.record_access(SITE, person.person, "sign_in", business_id=session.business_id)
    response = to(go_to)
    visit.inbox.sessions.cookie.give(response, token)
    visit.inbox.state.take(response)
    visit.inbox.asked.take(response)
    return response


async def _refused(visit: Visit, reason: str) -> Problem:
    async with visit.inbox.ledger.open() as tx:
        await tx.record_access(SITE, NOBODY, "sign_in", allowed=False, detail=reason)
    return Problem(403, "sign_in_failed")


def _back(visit: Visit) -> str:
    return f"{visit.inbox.origin}/signed-in"


async def sign_out(visit: Visit) -> Response:
    """End the session here, and at the provider where it has that."""
    await visit.form()
    session = visit.person
    async with visit.inbox.ledger.begin() as tx:
        await tx.end_session(session.token_hash)
        await visit.record(tx, "sign_out")
    here = f"{visit.inbox.origin}/signed-out"
    response = RedirectResponse(await visit.inbox.sign_in.leave(session.id_token, here) or "/signed-out", 303)
    visit.inbox.sessions.cookie.take(response)
    visit.keep_language(response, session.language)
    return response


async def signed_out(visit: Visit) -> Response:
    """Signed out."""
    return visit.write("signed_out.html", reader=None)


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
