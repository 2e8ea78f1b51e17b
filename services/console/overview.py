"""Overview."""

from __future__ import annotations

from starlette.responses import Response

from services.console.roles import Act
from services.console.visit import Page, Pages, Visit


async def overview(visit: Visit) -> Response:
    """Overview."""
    return visit.write("overview.html")


PAGES: Pages = (Page("GET", "/overview", overview, Act.LOOK, menu="overview"),)
