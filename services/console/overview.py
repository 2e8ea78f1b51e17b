"""The overview: what flows, what waits and since when, what stands still and why, and who is at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response

from services.console.roles import Act
from services.console.shown import FOR_PEOPLE, PATIENCE, PLACES, WAITS_ON
from services.console.visit import Page, Pages, Visit
from services.kernel.ledger import Figure, Waiting

FLOWS = (
    "notice.accepted", "notice.served", "notice.satisfied", "notice.unserved", "notice.lapsed", "sanction.fired",
)  # fmt: skip
SPANS = {"day": (3_600, 24), "month": (86_400, 30)}
"""Seconds of one span of a chart, and how many there are."""
_SECONDS = 10
_TIMES = {"day": 1, "month": 6}
"""How many times as long until it shows itself again: a month of facts costs the database more than a day of them."""


@dataclass(frozen=True, slots=True)
class Waits:
    """One kind of what waits. `on` is the worker that it waits for; `late`: somebody should look."""

    what: str
    number: int
    age: timedelta | None
    on: str
    place: str
    late: bool


async def overview(visit: Visit) -> Response:
    """How everything stands."""
    span = visit.query("span") if visit.query("span") in SPANS else "day"
    async with visit.desk() as desk:
        waiting = [_waits(each, visit) for each in await desk.waiting()]
        figures = await desk.figures()
        values = {
            "flows": await desk.throughput(FLOWS, *SPANS[span]),
            "brakes": await desk.brakes(),
            "sending": await desk.sending(),
            "holds": await desk.open_holds(),
            "workers": await desk.workers(),
            "failing": await desk.failing(),
        }
    visit.live(_SECONDS * _TIMES[span])
    return visit.write(
        "overview.html",
        span=span,
        spans=tuple(SPANS),
        people=[each for each in waiting if each.what in FOR_PEOPLE],
        machines=[each for each in waiting if each.what not in FOR_PEOPLE],
        gate=_reasons(figures),
        **values,
    )


def _waits(waiting: Waiting, visit: Visit) -> Waits:
    age = visit.now.wall - waiting.since if waiting.since else None
    place = PLACES.get(waiting.what, "")
    patience = PATIENCE.get(waiting.what)
    return Waits(
        what=waiting.what,
        number=waiting.number,
        age=age,
        on=WAITS_ON.get(waiting.what, ""),
        place=place if place and visit.there(place) else "",
        late=age is not None and patience is not None and age.total_seconds() > patience,
    )


def _reasons(figures: Sequence[Figure]) -> list[tuple[str, int]]:
    """What the gate waits for, the most frequent first."""
    found = [(each.of, int(each.value)) for each in figures if each.name == "gate_waiting"]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


PAGES: Pages = (Page("GET", "/overview", overview, Act.LOOK, menu="overview"),)
