"""Audit."""

from __future__ import annotations

from starlette.responses import Response

from services.console.roles import Act
from services.console.visit import Page, Pages, Visit


async def audit(visit: Visit) -> Response:
    """Audit."""
    return visit.write("audit.html")


PAGES: Pages = (Page("GET", "/audit", audit, Act.AUDIT, menu="audit"),)
