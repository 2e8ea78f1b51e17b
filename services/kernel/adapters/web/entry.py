"""The pages of signing in and out, the same for every site."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import unquote

from starlette.responses import RedirectResponse, Response

from services.kernel.adapters.web.forms import safe_path
from services.kernel.adapters.web.sessions import hash_of
from services.kernel.adapters.web.sign_in import Journey, Person, ProviderAway, SignInRefused
from services.kernel.adapters.web.visits import NOBODY, Problem, Visit, to
from services.kernel.ledger.people import SignInBegun

_TEN_MINUTES = 600
_T = TypeVar("_T")


async def home(visit: Visit) -> Response:
    """The first page, for whoever is signed in."""
    return to(visit.site.first if visit.session else "/sign-in")


async def begin_sign_in(visit: Visit) -> Response:
    """Lead to the provider, or sign in at once as one of a trial's people."""
    visit.limit(visit.site.limits.sign_ins)
    fields = await visit.form()
    found = await _vouched(visit, lambda: visit.site.sign_in.begin(fields, _back(visit)))
    if isinstance(found, Person):
        return await _signed_in(visit, found, visit.site.first, visit.language)
    return await _journey(visit, found)


async def _vouched(visit: Visit, ask: Callable[[], Awaitable[_T]]) -> _T:
    """What the sign-in answers; that it refuses somebody is on record."""
    try:
        return await ask()
    except SignInRefused as refused:
        raise await _refused(visit, refused.reason, refused.person) from refused
    except ProviderAway as away:
        raise Problem(503, "unavailable", 30) from away


async def _journey(visit: Visit, journey: Journey) -> Response:
    begun = SignInBegun(journey.nonce, journey.verifier, asked_for(visit), visit.language)
    async with visit.site.people.open() as tx:
        await tx.begin_sign_in(hash_of(journey.state), begun)
    response = RedirectResponse(journey.url, 303)
    visit.site.cookies.state.give(response, journey.state, _TEN_MINUTES)
    return response


def asked_for(visit: Visit) -> str:
    """The page that a person wanted before they had to sign in."""
    path = safe_path(unquote(visit.site.cookies.asked.of(visit.request)))
    return path if path != "/" and path.startswith(visit.site.within) else visit.site.first


async def end_sign_in(visit: Visit) -> Response:
    """The provider has led back: once, to the browser that began it, within ten minutes."""
    visit.limit(visit.site.limits.sign_ins)
    query = dict(visit.request.query_params)
    state, held = query.get("state", ""), visit.site.cookies.state.of(visit.request)
    if not state or not hmac.compare_digest(state.encode(errors="replace"), held.encode(errors="replace")):
        raise await _refused(visit, "wrong_state")
    async with visit.site.people.open() as tx:
        begun = await tx.end_sign_in(hash_of(state))
    if begun is None:
        raise await _refused(visit, "not_begun")
    nonce, verifier = begun.nonce, begun.verifier
    person = await _vouched(visit, lambda: visit.site.sign_in.end(query, nonce, verifier, _back(visit)))
    return await _signed_in(visit, person, begun.go_to, begun.language)


async def _signed_in(visit: Visit, person: Person, go_to: str, language: str) -> Response:
    """A new session, whatever the browser brought; the old one is over."""
    async with visit.site.people.begin() as tx:
        if visit.session is not None:
            await tx.end_session(visit.session.token_hash)
        session, token = await visit.site.sessions.begin(person, language, tx)
        said = f"{person.name}: {', '.join(person.roles)}" if person.roles else ""
        await tx.record_access(visit.site.name, person.person, "sign_in", business_id=session.business_id, detail=said)
    response = to(go_to)
    visit.site.cookies.session.give(response, token)
    visit.site.cookies.state.take(response)
    visit.site.cookies.asked.take(response)
    return response


async def _refused(visit: Visit, reason: str, person: str = "") -> Problem:
    async with visit.site.people.open() as tx:
        await tx.record_access(visit.site.name, person or NOBODY, "sign_in", allowed=False, detail=reason)
    return Problem(403, "no_role" if reason == "no_role" else "sign_in_failed")


def _back(visit: Visit) -> str:
    return f"{visit.site.origin}/signed-in"


async def sign_out(visit: Visit) -> Response:
    """End the session here, and at the provider where it has that."""
    await visit.form()
    session = visit.person
    async with visit.site.people.begin() as tx:
        await tx.end_session(session.token_hash)
        await visit.record(tx, "sign_out")
    here = f"{visit.site.origin}/signed-out"
    response = RedirectResponse(await visit.site.sign_in.leave(session.id_token, here) or "/signed-out", 303)
    visit.site.cookies.session.take(response)
    visit.keep_language(response, session.language)
    return response


async def signed_out(visit: Visit) -> Response:
    """Signed out."""
    return visit.write("signed_out.html", reader=None)
