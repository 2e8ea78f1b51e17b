"""Retention: legal holds, what is kept and why, asking to erase early, and who exported what of whom."""

from __future__ import annotations

from collections import Counter

from starlette.responses import Response

from services.console.decisions.acting import Done, acted
from services.console.ports import ConsoleDesk
from services.console.roles import Act
from services.console.shown import TONES
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.domain.retention import Keep
from services.kernel.runtime.desk import Word, refusal
from services.kernel.runtime.desk_retention import Held, ask_erasure, lift_legal_hold, place_legal_hold

HERE = "/retention"
MOST = 100


async def retention(visit: Visit) -> Response:
    """Open legal holds, content that is due or kept, and the record of exports."""
    wanted = visit.query("reason") or None
    async with visit.desk() as desk:
        holds = await desk.legal_holds(lifted=False, most=MOST)
        kept = await desk.retention(reason=wanted, erased=False, due=False, business=None, most=MOST + 1)
        exports = await desk.exports(MOST)
    reasons = Counter(str(code) for row in kept for code in _codes(row["kept_for"]))
    return visit.write(
        "retention/retention.html", holds=holds, kept=kept[:MOST], more=len(kept) > MOST, most=MOST, reasons=reasons,
        wanted=wanted, exports=exports, tones=TONES, now=visit.now.legal,
    )  # fmt: skip


def _codes(value: object) -> list[object]:
    return value if isinstance(value, list) else []


async def placing(visit: Visit) -> Response:
    """The form for a new legal hold."""
    return visit.write("retention/place.html")


async def erasing(visit: Visit) -> Response:
    """The form for erasing early."""
    return visit.write("retention/erase.html")


async def hold(visit: Visit) -> Response:
    """One legal hold."""
    legal_hold_id = visit.id("legal_hold_id")
    async with visit.desk() as desk:
        row = await desk.legal_hold(legal_hold_id)
        covered = await desk.covered(legal_hold_id)
    if row is None:
        raise Problem(404, "not_found")
    return visit.write("retention/hold.html", row=row, covered=covered)


async def place(visit: Visit) -> Response:
    """Place a legal hold on a notice, a matter or a business."""

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        held = await _held(visit, desk)
        legal_hold_id = await place_legal_hold(desk, visit.site.ids, held, word)
        number = await desk.covered(legal_hold_id)
        return Done(f"The legal hold is placed. It is on {number} notice{'' if number == 1 else 's'} by now.")

    return await acted(visit, HERE, work)


async def _held(visit: Visit, desk: ConsoleDesk) -> Held:
    named = visit.fields.get("named")
    if not named:
        raise refusal("nothing is named: say which notice, matter or business is meant")
    match visit.fields.get("on"):
        case "notice":
            found = await desk.find("notice", named)
            if len(found) != 1:
                raise refusal("this names no single notice: give its id, how the id ends, or upstream's reference")
            return Held(notice_id=found[0])
        case "business":
            return Held(business_id=named)
    regime, _, matter = named.partition(":")
    if regime not in visit.site.library.regimes or not matter:
        raise refusal("this names no matter: write the regime, a colon, and the matter")
    return Held(regime=regime, matter=matter)


async def lift(visit: Visit) -> Response:
    """Lift a legal hold."""
    legal_hold_id = visit.id("legal_hold_id")

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        await lift_legal_hold(desk, legal_hold_id, word)
        return Done("The legal hold is lifted. What it was on is looked at again within a day.")

    return await acted(visit, HERE, work)


async def erase(visit: Visit) -> Response:
    """Ask that a notice's content be erased before its period is over; refused with every reason there is."""

    async def work(desk: ConsoleDesk, word: Word) -> Done:
        found = await desk.find("notice", visit.fields.get("notice"))
        if len(found) != 1:
            raise refusal("this names no single notice: give its id, how the id ends, or upstream's reference")
        verdict = await ask_erasure(desk, visit.site.library, found[0], word)
        if isinstance(verdict, Keep):
            raise refusal(f"It keeps its content: {'; '.join(reason.text for reason in verdict.reasons)}.")
        return Done("Nothing stands against it. The content is erased in the next round, within the hour.")

    return await acted(visit, HERE, work)


PAGES: Pages = (
    Page("GET", HERE, retention, Act.RETAIN, menu="retention"),
    Page("GET", f"{HERE}/place", placing, Act.RETAIN),
    Page("GET", f"{HERE}/erase", erasing, Act.RETAIN),
    Page("GET", f"{HERE}/holds/{{legal_hold_id}}", hold, Act.RETAIN),
    Page("POST", f"{HERE}/holds", place, Act.RETAIN),
    Page("POST", f"{HERE}/holds/{{legal_hold_id}}/lift", lift, Act.RETAIN),
    Page("POST", f"{HERE}/erase", erase, Act.RETAIN),
)
