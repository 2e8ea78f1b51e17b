"""Raw evidence that nobody has finished with: unmatched bounces and all else that holds sanctions back."""

from __future__ import annotations

import json
from uuid import UUID

from starlette.responses import Response

from services.console.decisions.acting import Done, acted
from services.console.ports import ConsoleDesk
from services.console.roles import Act
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.ledger.desk import Row
from services.kernel.runtime.desk import Word, clear_evidence
from services.kernel.runtime.desk_evidence import FOR_PERSONS, REPORTS, SETTLED, match_evidence
from services.kernel.runtime.fault import Fault

MOST = 200
SHOWN = 64 * 1024
"""Bytes of a body that a page shows at most."""
STATES = ("receiving", "waiting", "retrying", "parked", "dead")
DOORS = ("mail", "callback", "amqp", "http", "inbox", "cli")
_TEXT = frozenset("\n\t")
_HELD = "The report belongs to this notice now, and a hold is placed on it until somebody decides."
_RECORDED = "The report is recorded beside this notice; nothing was left to hold."


async def evidence(visit: Visit) -> Response:
    """Open evidence, the oldest first; in one state or from one door, or all."""
    state = visit.query("state") if visit.query("state") in STATES else None
    door = visit.query("door") if visit.query("door") in DOORS else None
    async with visit.desk() as desk:
        rows = await desk.raw_evidence(settled=False, state=state, door=door, most=MOST + 1)
    return visit.write(
        "decisions/evidence.html", rows=rows[:MOST], more=len(rows) > MOST, most=MOST, state=state, door=door,
        states=STATES, doors=DOORS,
    )  # fmt: skip


async def piece(visit: Visit) -> Response:
    """One piece of evidence, without its body."""
    async with visit.desk() as desk:
        row = await _row(desk, visit.id("evidence_id"))
        candidates = await desk.evidence_candidates(UUID(str(row["evidence_id"]))) if _is_matched_by_hand(row) else []
    return visit.write(
        "decisions/evidence_piece.html", row=row, headers=json.loads(str(row["headers"])), candidates=candidates,
        is_open=row["state"] not in SETTLED, by_hand=_is_matched_by_hand(row),
    )  # fmt: skip


def _is_matched_by_hand(row: Row) -> bool:
    return row["state"] in FOR_PERSONS and row["door"] in REPORTS and row["type"] != "undecodable"


async def _row(desk: ConsoleDesk, evidence_id: UUID) -> Row:
    row = await desk.evidence_one(evidence_id)
    if row is None:
        raise Problem(404, "not_found")
    return row


async def body(visit: Visit) -> Response:
    """What came, as text."""
    evidence_id = visit.id("evidence_id")
    async with visit.desk() as desk:
        row = await _row(desk, evidence_id)
        text = readable(await desk.evidence_body(evidence_id, SHOWN))
    if row["notice_id"] is not None:
        notice_id = UUID(str(row["notice_id"]))
        await visit.note(Act.READ_MESSAGE, notice_id=notice_id, detail=f"the body of evidence {evidence_id}")
    return visit.write("decisions/evidence_body.html", row=row, text=text, shown=SHOWN)


def readable(content: bytes) -> str:
    """Bytes as text that can do nothing: what is no character or steers a display is U+FFFD."""
    text = content.decode("utf-8", "replace").replace("\r\n", "\n")
    return "".join(char if char.isprintable() or char in _TEXT else "\N{REPLACEMENT CHARACTER}" for char in text)


async def clear(visit: Visit) -> Response:
    """Say that a piece needs no more looking at."""
    evidence_id = visit.id("evidence_id")

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        await clear_evidence(desk, evidence_id, word)
        return Done("The evidence is cleared: it holds no sanction back any more.", "/evidence")

    return await acted(visit, f"/evidence/{evidence_id}", work)


async def match(visit: Visit) -> Response:
    """Say which notice a report is about."""
    evidence_id = visit.id("evidence_id")

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        notice_id = await _meant(desk, visit.fields.get("notice") or visit.fields.get("other"))
        hold_id = await match_evidence(desk, visit.site.ids, evidence_id, notice_id, word)
        return Done(_HELD if hold_id else _RECORDED, f"/notices/{notice_id}")

    return await acted(visit, f"/evidence/{evidence_id}", work)


async def _meant(desk: ConsoleDesk, text: str) -> UUID:
    found = await desk.find("notice", text) if text else []
    if len(found) != 1:
        why = "more than one notice is meant" if found else "there is no such notice"
        raise Fault(f"{why}: give its whole id, or upstream's reference")
    return found[0]


PAGES: Pages = (
    Page("GET", "/evidence", evidence, Act.LOOK, menu="evidence"),
    Page("GET", "/evidence/{evidence_id}", piece, Act.LOOK),
    Page("GET", "/evidence/{evidence_id}/body", body, Act.READ_MESSAGE),
    Page("POST", "/evidence/{evidence_id}/clear", clear, Act.CLEAR),
    Page("POST", "/evidence/{evidence_id}/match", match, Act.CLEAR),
)
