"""console: the operators' and officers' pages.

One table of routes, each with the act that it is; whether a person may is decided here, before any page's own code,
from the roles of their session, and put on record either way. A form's token is checked here as well: no page can
forget it. Settings: `services/console/settings.py`; who may do what: `services/console/roles.py`.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import ASGIApp

from services.console import (
    audit,
    dead_letter,
    dead_letter_edits,
    dead_letters,
    dead_letters_runs,
    decisions,
    entry,
    notices,
    overview,
    retention,
    search,
)
from services.console.roles import Act, may
from services.console.visit import Console, Fields, Page, Pages, Problem, Visit
from services.kernel.adapters.web import entry as door
from services.kernel.adapters.web.forms import long_form_of
from services.kernel.adapters.web.site import AnyPage, Doorway, site_app

_NUL = "\x00"
"""No text of the database has it."""

PAGES: Pages = (
    Page("GET", "/", door.home, None, alone=True),
    Page("GET", "/sign-in", entry.sign_in_page, None, alone=True),
    Page("POST", "/sign-in", door.begin_sign_in, None, alone=True),
    Page("GET", "/signed-in", door.end_sign_in, None, alone=True),
    Page("POST", "/sign-out", door.sign_out, None),
    Page("GET", "/signed-out", door.signed_out, None, alone=True),
    *overview.PAGES,
    *notices.PAGES,
    *dead_letters.PAGES,
    *dead_letters_runs.PAGES,
    *dead_letter_edits.PAGES,
    *dead_letter.PAGES,
    *decisions.PAGES,
    *search.PAGES,
    *retention.PAGES,
    *audit.PAGES,
)
"""Every page there is; those with a place in the menu in its order. Each module brings its own."""


def console_app(console: Console) -> ASGIApp:
    """The application of the console."""
    console.table = PAGES
    return site_app(Doorway(console, lambda request: Visit(console, request), admit, script=True), PAGES)


async def admit(visit: Visit, page: AnyPage[Visit]) -> None:
    """Let somebody who is signed in to a page, or not; on record either way.

    Raises:
        Problem: they may not do what this page is, or the form is not of their session.
    """
    act = page.may if isinstance(page, Page) else None
    if act is None:
        return
    async with visit.desk() as desk:
        visit.standing = await desk.standing()
    if not may(visit.person.roles, act):
        await _note(visit, act, "", allowed=False)
        raise Problem(HTTPStatus.FORBIDDEN, "not_your_role")
    if any(_NUL in value for value in visit.request.path_params.values()):
        await _note(visit, act, "", allowed=True)
        raise Problem(HTTPStatus.NOT_FOUND, "not_found")
    if visit.request.method == "POST":
        await _take_form(visit, act)
    else:
        visit.is_same_look = visit.site.refreshed.is_same_look(visit.person, visit.request)
    if not visit.is_same_look:
        await _note(visit, act, "", allowed=True)
    visit.act = act


async def _take_form(visit: Visit, act: Act) -> None:
    fields = Fields(await long_form_of(visit.request))
    try:
        visit.check_origin()
        visit.check_token(fields.get("csrf"))
    except Problem:
        await _note(visit, act, "not from a page of this session: ", allowed=False)
        raise
    visit.fields = fields


async def _note(visit: Visit, act: Act, said: str, *, allowed: bool) -> None:
    url = visit.request.url
    asked = f"{visit.request.method} {url.path.replace(_NUL, '%00')}{'?' * bool(url.query)}{url.query}"
    await visit.note(act, allowed=allowed, notice_id=visit.named_notice, detail=said + asked)
