"""Sanctions that wait for a decision, one sanction as a case, and reversals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from starlette.responses import Response

from services.console.decisions.acting import Done, acted
from services.console.decisions.case import answer_of, story
from services.console.ports import ConsoleDesk
from services.console.roles import Act
from services.console.shown import TONES
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.domain.persons import same_person
from services.kernel.ledger.desk import Row
from services.kernel.runtime import desk_sanctions as acts
from services.kernel.runtime.desk import Desk, SanctionCase, Word

MOST = 200
_ALL_REVERSALS = 2_000
"""The statement gives the newest: of what is open the oldest must not be the ones left out."""
VIEWS = ("awaiting", "proposed", "fired", "dropped", "all")
_Act = Callable[[Desk, UUID, Word], Awaitable[SanctionCase]]


async def sanctions(visit: Visit) -> Response:
    """Sanctions that wait for a person, or all of one state."""
    view = visit.query("show") if visit.query("show") in VIEWS else VIEWS[0]
    async with visit.desk() as desk:
        if view == "awaiting":
            rows = await desk.sanctions_awaiting(MOST + 1)
        else:
            rows = await desk.sanctions(state=None if view == "all" else view, kind=None, most=MOST + 1)
        held = sum(int(str(row["held"])) for row in await desk.brakes())
    shown = [{**row, "stage": _stage(visit, row)} for row in rows[:MOST]]
    return visit.write(
        "decisions/sanctions.html", rows=shown, more=len(rows) > MOST, most=MOST, view=view, views=VIEWS, held=held
    )


def _stage(visit: Visit, row: Row) -> str:
    """Whose word a sanction waits for, as its words are keyed."""
    state = str(row.get("state", "proposed"))
    if state != "proposed":
        return state
    if row["word"] == "decline":
        return "declined"
    if row.get("automatic", False) or row["approved_by"]:
        return "gate"
    if not row["decided_by"]:
        return "decide"
    return "approve_other" if same_person(str(row["decided_by"]), visit.by) else "approve"


async def case(visit: Visit) -> Response:
    """One sanction: its notice and evidence, what the gate says, and what this person may decide."""
    async with visit.desk() as desk:
        row = await _row(desk, visit.id("sanction_id"))
        notice_id = UUID(str(row["notice_id"]))
        (notice,) = await desk.notices_named([notice_id])
        answer = await answer_of(visit, desk, notice) if row["state"] == "proposed" else None
        facts = (await desk.chains([notice_id]))[notice_id]
        holds = await desk.holds(lifted=False, kind=None, notice_id=notice_id, most=MOST)
    await visit.note(Act.LOOK, notice_id=notice_id, detail=f"looked at sanction {row['sanction_id']}")
    return visit.write(
        "decisions/sanction.html", tones=TONES, row=row, stage=_stage(visit, row), notice=notice, answer=answer,
        steps=story(facts), holds=holds,
    )  # fmt: skip


async def _row(desk: ConsoleDesk, sanction_id: UUID) -> Row:
    rows = await desk.sanctions(state=None, kind=None, most=1, sanction_id=sanction_id)
    if not rows:
        raise Problem(404, "not_found")
    return rows[0]


async def reversals(visit: Visit) -> Response:
    """Sanctions whose reversal is demanded, the oldest first; and what was decided of others."""
    async with visit.desk() as desk:
        open_ones = await desk.sanctions(state="reversal_required", kind=None, most=_ALL_REVERSALS)
        decided = [
            row for state in ("rescinded", "upheld") for row in await desk.sanctions(state=state, kind=None, most=MOST)
        ]
    open_ones.sort(key=lambda row: str(row["required_at"]))
    decided.sort(key=lambda row: str(row["reversal_decided_at"]), reverse=True)
    return visit.write("decisions/reversals.html", rows=open_ones, decided=decided[:MOST])


def _post(act: _Act, told: str) -> Callable[[Visit], Awaitable[Response]]:
    """A page that does an act with one sanction and says so."""

    async def post(visit: Visit) -> Response:
        sanction_id = visit.id("sanction_id")

        async def work(desk: ConsoleDesk, word: Word) -> Done:
            await act(desk, sanction_id, word)
            return Done(told)

        return await acted(visit, f"/sanctions/{sanction_id}", work)

    return post


_OF_ONE = "/sanctions/{sanction_id}"
PAGES: Pages = (
    Page("GET", "/sanctions", sanctions, Act.LOOK, menu="sanctions"),
    Page("GET", "/reversals", reversals, Act.LOOK, menu="reversals"),
    Page("GET", _OF_ONE, case, Act.LOOK),
    Page("POST", f"{_OF_ONE}/decide", _post(acts.decide, "Decided. Another decision maker must approve."), Act.DECIDE),
    Page(
        "POST", f"{_OF_ONE}/approve", _post(acts.approve, "Approved. The gate alone decides when it fires."),
        Act.APPROVE,
    ),
    Page("POST", f"{_OF_ONE}/decline", _post(acts.decline, "Declined. The gate closes the notice."), Act.DECLINE),
    Page(
        "POST", f"{_OF_ONE}/rescind", _post(acts.rescind, "Rescinded. The upstream system is told to undo it."),
        Act.RESCIND,
    ),
    Page("POST", f"{_OF_ONE}/uphold", _post(acts.uphold, "Upheld. The sanction stays."), Act.UPHOLD),
)  # fmt: skip
