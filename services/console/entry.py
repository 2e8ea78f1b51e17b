"""The page of signing in."""

from __future__ import annotations

from starlette.responses import Response

from services.console.visit import Visit, to


async def sign_in_page(visit: Visit) -> Response:
    """What signing in needs: a button, or the people of a trial, one of each role."""
    if visit.session is not None:
        return to(visit.site.first)
    people = [(each.person, each.name, each.roles[0]) for each in await visit.site.sign_in.people()]
    return visit.write("sign_in.html", trial=visit.site.sign_in.is_trial, people=people, csrf="")
