"""Notices: the list, one notice with its whole story, its proof against the daily roots, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.responses import Response

from services.console.roles import Act
from services.console.shown import TONES
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.domain.content import content_hash
from services.kernel.domain.notice import State
from services.kernel.domain.proof import check_notice
from services.kernel.ledger.desk import NoticesWanted, Row
from services.kernel.runtime.proving import prove

MOST = 50
_FIRST = {"reason", "why", "outcome"}


async def notices(visit: Visit) -> Response:
    """Notices, newest first, by what they are."""
    wanted = _wanted(visit)
    async with visit.desk() as desk:
        rows = await desk.notices_page(wanted, MOST + 1)
    newer, older = _neighbours(visit, wanted, rows)
    shown = rows[1:] if wanted.after and len(rows) > MOST else rows[:MOST]
    library = visit.site.library
    return visit.write(
        "notices.html",
        rows=shown,
        wanted=wanted,
        newer=newer,
        older=older,
        tones=TONES,
        states=[state.value for state in State],
        regimes=sorted(library.regimes),
        types=sorted({name for _, name in library.notice_types}),
        sources=sorted(library.sources),
    )


def _wanted(visit: Visit) -> NoticesWanted:
    return NoticesWanted(
        state=visit.query("state") or None,
        regime=visit.query("regime") or None,
        notice_type=visit.query("type") or None,
        business_id=visit.query("business") or None,
        source=visit.query("source") or None,
        held=visit.query("held") == "yes",
        before=visit.query_id("before"),
        after=visit.query_id("after"),
    )


def _neighbours(visit: Visit, wanted: NoticesWanted, rows: list[Row]) -> tuple[str, str]:
    """The addresses of the pages beside this one, empty where there is none."""
    there_is_more = len(rows) > MOST
    if not rows:
        return "", ""
    first, last = (rows[1], rows[-1]) if wanted.after and there_is_more else (rows[0], rows[:MOST][-1])
    newer = there_is_more if wanted.after else wanted.before is not None
    older = True if wanted.after else there_is_more
    return (
        _beside(visit, "after", first["notice_id"]) if newer else "",
        _beside(visit, "before", last["notice_id"]) if older else "",
    )


def _beside(visit: Visit, way: str, notice_id: object) -> str:
    kept = {name: value for name, value in visit.request.query_params.items() if name not in {"before", "after"}}
    return "/notices?" + urlencode({**kept, way: str(notice_id)})


async def notice(visit: Visit) -> Response:
    """One notice: what it is, how it stands and why, and the chain of its evidence."""
    notice_id = visit.id("notice_id")
    async with visit.desk() as desk:
        try:
            row = await desk.notice(notice_id)
        except LookupError:
            raise Problem(404, "not_found") from None
        facts = (await desk.chains([notice_id]))[notice_id]
        (kept,) = await desk.notices_named([notice_id])
    problems = check_notice(facts, kept.chain_head, kept.state)
    return visit.write(
        "notice.html", row=row, facts=[(fact, _told(fact.data)) for fact in facts], problems=problems, tones=TONES
    )


def _told(data: Mapping[str, object]) -> list[tuple[str, str]]:
    """What a fact says, its reason first; what says nothing is left out."""
    said = sorted(data.items(), key=lambda pair: pair[0] not in _FIRST)
    return [
        (name.replace("_", " "), "; ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in said
        if value not in (None, [], "", {})
    ]


async def proof(visit: Visit) -> Response:
    """Whether the whole of a notice's evidence is sound, and known to the roots of its days."""
    notice_id = visit.id("notice_id")
    async with visit.desk() as desk:
        found = await prove(desk, [notice_id])
    if not found.notices:
        raise Problem(404, "not_found")
    return visit.write("proof.html", notice_id=notice_id, found=found)


async def words(visit: Visit) -> Response:
    """The words of a notice, as they were served."""
    async with visit.desk() as desk:
        row = await desk.words(visit.id("notice_id"))
    if row is None:
        raise Problem(404, "not_found")
    stored = str(row["subject"]), str(row["body_text"]), str(row["body_html"])
    sound = row["erased_at"] is None and content_hash(*stored) == row["content_hash"]
    body = Markup(row["body_html"]) if sound else ""  # noqa: S704 -- our own rendering, escaped there, its hash checked
    return visit.write("words.html", row=row, body=body, sound=sound)


PAGES: Pages = (
    Page("GET", "/notices", notices, Act.LOOK, menu="notices"),
    Page("GET", "/notices/{notice_id}", notice, Act.LOOK),
    Page("GET", "/notices/{notice_id}/proof", proof, Act.LOOK),
    Page("GET", "/notices/{notice_id}/words", words, Act.READ_WORDS),
)
