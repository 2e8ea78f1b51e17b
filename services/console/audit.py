"""The access record: who looked at what and did what, in the console, in the inbox and at the desk; allowed or not."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from services.console.roles import Act
from services.console.visit import Page, Pages, Visit
from services.kernel.ledger.desk import AccessesWanted

MOST = 100


async def audit(visit: Visit) -> Response:
    """The record, newest first."""
    wanted = AccessesWanted(
        person=visit.query("person") or None,
        notice_id=visit.query_id("notice"),
        refused=visit.query("refused") == "yes",
        before=_number(visit.query("before")),
    )
    async with visit.desk() as desk:
        rows = await desk.accesses(wanted, MOST + 1)
    kept = {name: value for name, value in visit.request.query_params.items() if name != "before"}
    older = "/audit?" + urlencode({**kept, "before": str(rows[MOST - 1]["access_id"])}) if len(rows) > MOST else ""
    return visit.write("audit.html", rows=rows[:MOST], wanted=wanted, older=older)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004 -- a bigint


PAGES: Pages = (Page("GET", "/audit", audit, Act.AUDIT, menu="audit"),)
