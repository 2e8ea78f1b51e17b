"""Search."""

from __future__ import annotations

from starlette.responses import Response

from services.console.roles import Act
from services.console.visit import Page, Pages, Visit


async def search(visit: Visit) -> Response:
    """Search."""
    return visit.write("search.html")


PAGES: Pages = (Page("GET", "/search", search, Act.LOOK, menu="search"),)
