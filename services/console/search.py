"""Search: one box for ids, references, businesses, addresses and events."""

from __future__ import annotations

import re

from starlette.responses import Response

from services.console.roles import Act
from services.console.shown import TONES
from services.console.visit import Page, Pages, Visit

MOST = 50
LONGEST = 254
KINDS = {"notice": "/notices/{}", "hold": "/holds", "sanction": "/sanctions/{}", "evidence": "/evidence/{}",
         "dead": "/dead-letters/{}"}  # fmt: skip
"""What may be found by an id, or by how it ends, and where it is shown."""
_END_OF_ID = re.compile(r"[0-9a-f-]{6,36}\Z", re.IGNORECASE)


async def search(visit: Visit) -> Response:
    """What a text names, by kind."""
    text = visit.query("q")[:LONGEST]
    named, found = [], []
    if text:
        async with visit.desk() as desk:
            named = await desk.named(text, sorted(visit.site.library.sources), MOST)
            if _END_OF_ID.match(text):
                found = [(kind, str(each)) for kind in KINDS for each in await desk.find(kind, text)]
    known = {str(row["notice_id"]) for row in named}
    others = [(kind, each, _place(visit, kind, each)) for kind, each in found if each not in known]
    return visit.write("search.html", text=text, named=named, others=others, most=MOST, tones=TONES)


def _place(visit: Visit, kind: str, found: str) -> str:
    """Where it is shown, empty where there is no page of it for this person."""
    pattern = KINDS[kind]
    listed = [page.path for page in visit.site.table if page.path.startswith(pattern.partition("{")[0])]
    shown = any(visit.there(path) and path.count("/") == pattern.count("/") for path in listed)
    return pattern.format(found) if shown else ""


PAGES: Pages = (Page("GET", "/search", search, Act.LOOK, menu="search"),)
