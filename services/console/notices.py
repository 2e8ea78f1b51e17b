"""Notices."""

from __future__ import annotations

from starlette.responses import Response

from services.console.roles import Act
from services.console.visit import Page, Pages, Visit


async def notices(visit: Visit) -> Response:
    """Notices."""
    return visit.write("notices.html")


PAGES: Pages = (Page("GET", "/notices", notices, Act.LOOK, menu="notices"),)
