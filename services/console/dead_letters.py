"""Dead letters: what they hold up, by what they have in common; lists; and what may be done with a choice of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from starlette.responses import Response

from schemas.catalogue import CATALOGUE
from services.console.dead_letters_choice import SPANS, address, asked, instant_of, pairs, sent
from services.console.ports import ConsoleDesk
from services.console.roles import Act
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.domain.impact import Impact
from services.kernel.ports import Ids
from services.kernel.runtime.dead_letters import acts
from services.kernel.runtime.dead_letters.choice import STATES, By, Chosen
from services.kernel.runtime.dead_letters.records import DeadLetter
from services.kernel.runtime.dead_letters.runs import PER_SECOND, STEPS
from services.kernel.runtime.desk import Word
from services.kernel.runtime.fault import Fault

HOME = "/dead-letters"
CHOSEN = "/dead-letters/chosen"
WORKERS = tuple(dict.fromkeys(entry.consumer for entry in CATALOGUE.values() if entry.consumer))
TYPES = tuple(name for name, entry in CATALOGUE.items() if entry.consumer)
_A_PAGE = 50
_A_LOOK = 8
"""Of a choice, so many are shown to be recognised."""
_GROUPS = 60
_LIVE, _LIVE_AT_NIGHT = 10, 60
_A_NIGHT = 10_000
"""From so many on the groups cost the database half a second: then they are fetched again less often."""


def many(number: int) -> str:
    """So many dead letters, in words."""
    return "1 dead letter" if number == 1 else f"{number} dead letters"


_Do = Callable[[ConsoleDesk, Ids, Chosen, Word], Awaitable[int]]


async def home(visit: Visit) -> Response:
    """What is dead, by what it holds up in law, and by cause."""
    dead = Chosen(states=("dead",))
    async with visit.desk() as desk:
        impacts = {group.gravest: group for group in await desk.letter_groups(dead, By.IMPACT)}
        groups = await desk.letter_groups(dead, By.CAUSE_AND_IMPACT, _GROUPS)
        retries = await desk.letter_count(Chosen(states=("retry",)))
        runs = await desk.runs(open_only=True)
        edits = await desk.edits()
        clock = await desk.clock()
    total = sum(group.number for group in impacts.values())
    visit.live(_LIVE if total < _A_NIGHT else _LIVE_AT_NIGHT)
    return visit.write(
        "dead_letters/home.html",
        impacts=[(impact, impacts.get(impact), chosen_of(impact)) for impact in Impact],
        total=total,
        largest=max((group.number for group in groups), default=1),
        groups=[(group, address(CHOSEN, _of_group(dead, group.worker, group.type, group.template, group.cause,
                                                  group.impact))) for group in groups],
        retries=retries, runs=runs, edits=edits, now=clock.wall, most=_GROUPS,
    )  # fmt: skip


def chosen_of(impact: Impact) -> str:
    """Where everything dead of one impact is looked at."""
    return address(CHOSEN, Chosen(states=("dead",), impact=impact))


def _of_group(
    dead: Chosen, worker: str | None, kind: str | None, template: str | None, cause: str | None, impact: Impact | None
) -> Chosen:
    return replace(dead, worker=worker, type=kind, template=template, cause=cause, impact=impact)


async def listed(visit: Visit) -> Response:
    """Dead letters one by one, oldest first, searched and filtered."""
    chosen = await asked(visit)
    after = _after(visit.query("after"))
    async with visit.desk() as desk:
        rows = await desk.letters(chosen, _A_PAGE + 1, after)
        number = await desk.letter_count(chosen)
    older = None
    if len(rows) > _A_PAGE:
        rows = rows[:_A_PAGE]
        older = address("/dead-letters/list", chosen, after=_place(rows[-1]))
    return visit.write(
        "dead_letters/list.html",
        rows=rows, number=number, older=older, newer=address("/dead-letters/list", chosen) if after else None,
        chosen=chosen, all_of_them=address(CHOSEN, chosen), states=STATES, workers=WORKERS, types=TYPES,
        impacts=tuple(Impact), spans=tuple(SPANS), span=visit.query("since"), state=visit.query("state") or "dead",
    )  # fmt: skip


def _place(letter: DeadLetter) -> str:
    at, failed_id = letter.after
    return f"{at.isoformat()}~{failed_id}"


def _after(said: str) -> tuple[datetime, UUID] | None:
    at, _, failed_id = said.partition("~")
    try:
        return (instant_of(at), UUID(failed_id)) if said else None
    except ValueError:
        raise Problem(404, "not_found") from None


async def choice(visit: Visit) -> Response:
    """A choice of them: how many, what they hold up, and what may be done with them."""
    chosen = await asked(visit)
    async with visit.desk() as desk:
        counts = {state: await desk.letter_count(chosen.within(state)) for state in STATES}
        impacts = await desk.letter_groups(chosen, By.IMPACT)
        causes = await desk.letter_groups(chosen, By.CAUSE, 10)
        rows = await desk.letters(chosen, _A_LOOK)
    return visit.write(
        "dead_letters/chosen.html",
        chosen=chosen, fields=pairs(chosen), counts=counts, number=sum(counts.values()), rows=rows,
        impacts=impacts, causes=causes, list_of_them=address("/dead-letters/list", chosen),
        steps=", ".join(map(str, STEPS)), per_second=f"{PER_SECOND:g}",
    )  # fmt: skip


def _deed(do: _Do, told: str) -> Callable[[Visit], Awaitable[Response]]:
    """A page that does something with all that a form chooses, and says how many it met."""

    async def deed(visit: Visit) -> Response:
        chosen = sent(visit)
        back = address(CHOSEN, chosen)
        if chosen.ids is not None and len(chosen.ids) == 1:
            back = f"{HOME}/{chosen.ids[0]}"
        try:
            async with visit.desk() as desk:
                number = await do(desk, visit.site.ids, chosen, visit.word())
        except Fault as fault:
            return await visit.refused(back, fault)
        return visit.done(back, told.format(many(number)), "good" if number else "wait")

    return deed


PAGES: Pages = (
    Page("GET", HOME, home, Act.LOOK, menu="dead_letters"),
    Page("GET", "/dead-letters/list", listed, Act.LOOK),
    Page("GET", CHOSEN, choice, Act.LOOK),
    Page("POST", "/dead-letters/discard", _deed(acts.discard, "{} given up; kept, and can be restored."), Act.DISCARD),
    Page(
        "POST",
        "/dead-letters/restore",
        _deed(acts.restore, "{} restored: dead again, and waiting for a person."),
        Act.DISCARD,
    ),
    Page("POST", "/dead-letters/hurry", _deed(acts.hurry, "{} due at once; relay hands them out."), Act.HURRY),
    Page("POST", "/dead-letters/stop", _deed(acts.stop, "{} will not be tried again by themselves."), Act.HURRY),
)
