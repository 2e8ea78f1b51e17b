"""Holds: those that are open, placed on a notice and lifted with a reason; and more time for a notice."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from starlette.responses import Response

from services.console.decisions.acting import Done, acted
from services.console.ports import ConsoleDesk
from services.console.roles import Act
from services.console.shown import TONES
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.domain.holds import HoldKind
from services.kernel.ledger.desk import Row
from services.kernel.runtime.desk import Word, extend_deadline, lift_hold, place_hold
from services.kernel.runtime.fault import Fault

MOST = 500
KINDS = tuple(kind.value for kind in HoldKind)


async def holds(visit: Visit) -> Response:
    """Open holds, the oldest first; of one kind, or all."""
    kind = visit.query("kind") if visit.query("kind") in KINDS else None
    async with visit.desk() as desk:
        rows = await desk.holds(lifted=False, kind=kind, notice_id=None, most=MOST + 1)
        numbers = {str(row["kind"]): row["number"] for row in await desk.open_holds()}
        now = (await desk.clock()).legal
    counts = {each: numbers.get(each, 0) for each in KINDS}
    return visit.write(
        "decisions/holds.html",
        tones=TONES,
        rows=rows[:MOST],
        counts=counts,
        kind=kind,
        now=now,
        more=len(rows) > MOST,
        most=MOST,
    )


async def hold(visit: Visit) -> Response:
    """One hold, to be lifted."""
    async with visit.desk() as desk:
        row, others = await _hold(desk, visit.id("hold_id"))
    return visit.write("decisions/hold.html", tones=TONES, row=row, others=others)


async def _hold(desk: ConsoleDesk, hold_id: UUID) -> tuple[Row, int]:
    """A hold, and how many others of its notice are open."""
    async with desk.begin() as tx:
        found = await tx.hold(hold_id)
    if found is None:
        raise Problem(404, "not_found")
    rows = await desk.holds(lifted=True, kind=None, notice_id=found[0], most=MOST)
    row = next(each for each in rows if each["hold_id"] == hold_id)
    return row, sum(each["lifted_at"] is None and each["hold_id"] != hold_id for each in rows)


async def lift(visit: Visit) -> Response:
    """Lift a hold."""
    hold_id = visit.id("hold_id")

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        notice_id = await lift_hold(desk, hold_id, word)
        rest = len(await desk.holds(lifted=False, kind=None, notice_id=notice_id, most=MOST))
        return Done("The hold is lifted." + (f" {rest} still open on this notice." if rest else ""), "/holds")

    return await acted(visit, f"/holds/{hold_id}", work)


async def place_form(visit: Visit) -> Response:
    """The form of a hold on a notice."""
    row = await _notice(visit)
    return visit.write("decisions/place_hold.html", row=row, kinds=KINDS)


async def place(visit: Visit) -> Response:
    """Place a hold on a notice."""
    notice_id = visit.id("notice_id")
    here = f"/notices/{notice_id}"
    kind = visit.fields.get("kind")
    if kind not in KINDS:
        return await visit.refused(f"{here}/hold", Fault("say why no sanction may fire"))

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        await place_hold(desk, visit.site.ids, notice_id, HoldKind(kind), word)
        return Done("The hold is placed. No sanction fires while it is open.", here)

    return await acted(visit, f"{here}/hold", work)


async def extend_form(visit: Visit) -> Response:
    """The form of a later deadline."""
    return visit.write("decisions/extend.html", row=await _notice(visit))


async def extend(visit: Visit) -> Response:
    """Give a notice more time."""
    notice_id = visit.id("notice_id")
    here = f"/notices/{notice_id}"
    try:
        until = date.fromisoformat(visit.fields.get("until"))
    except ValueError:
        return await visit.refused(f"{here}/deadline", Fault("give the new last day, as 2026-11-22"))

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        deadline = await extend_deadline(desk, visit.site.library, notice_id, until, word)
        return Done(f"More time is given, to the end of {deadline.due_on:%-d %B %Y}.", here)

    return await acted(visit, f"{here}/deadline", work)


async def _notice(visit: Visit) -> Row:
    async with visit.desk() as desk:
        try:
            return await desk.notice(visit.id("notice_id"))
        except LookupError:
            raise Problem(404, "not_found") from None


PAGES: Pages = (
    Page("GET", "/holds", holds, Act.LOOK, menu="holds"),
    Page("GET", "/holds/{hold_id}", hold, Act.LOOK),
    Page("POST", "/holds/{hold_id}/lift", lift, Act.LIFT),
    Page("GET", "/notices/{notice_id}/hold", place_form, Act.HOLD),
    Page("POST", "/notices/{notice_id}/hold", place, Act.HOLD),
    Page("GET", "/notices/{notice_id}/deadline", extend_form, Act.EXTEND),
    Page("POST", "/notices/{notice_id}/deadline", extend, Act.EXTEND),
)
