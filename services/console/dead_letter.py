"""One dead letter: its message, its attempts, what persons did with it, and the notice that it is about beside it."""

from __future__ import annotations

from starlette.responses import Response

from services.console.dead_letters import HOME
from services.console.dead_letters_choice import pairs
from services.console.roles import Act
from services.console.shown import visible
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.runtime.dead_letters import acts
from services.kernel.runtime.dead_letters.choice import OPEN, Chosen
from services.kernel.runtime.dead_letters.runs import PER_SECOND
from services.kernel.runtime.fault import Fault


async def shown(visit: Visit) -> Response:
    """Everything about one; its message only to those who may read messages, which is on record."""
    failed_id = visit.id("failed_id")
    async with visit.desk() as desk:
        whole = await desk.letter_whole(failed_id)
    if whole is None:
        raise Problem(404, "not_found")
    if visit.may(Act.READ_MESSAGE) and not visit.is_same_look:
        await visit.note(Act.READ_MESSAGE, notice_id=whole.letter.notice_id, detail=f"dead letter {failed_id}")
    if whole.letter.state == "replaying":
        visit.live(2)
    return visit.write(
        "dead_letters/letter.html",
        whole=whole, letter=whole.letter, is_open=whole.letter.state in OPEN,
        visible=visible, fields=pairs(Chosen(ids=(failed_id,))), per_second=f"{PER_SECOND:g}",
    )  # fmt: skip


async def note(visit: Visit) -> Response:
    """Write a note beside it, which stays."""
    failed_id = visit.id("failed_id")
    back = f"{HOME}/{failed_id}"
    try:
        async with visit.desk() as desk:
            await acts.note(desk, visit.site.ids, failed_id, visit.word())
    except Fault as fault:
        return await visit.refused(back, fault)
    return visit.done(back, "The note is kept.")


PAGES: Pages = (
    Page("GET", HOME + "/{failed_id}", shown, Act.LOOK),
    Page("POST", HOME + "/{failed_id}/note", note, Act.NOTE),
)
