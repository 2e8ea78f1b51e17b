"""Runs over dead letters: begun from a choice, watched, stopped, resumed, cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from starlette.responses import Response

from services.console.dead_letters import CHOSEN, many
from services.console.dead_letters_choice import address, sent
from services.console.ports import ConsoleDesk
from services.console.roles import Act
from services.console.visit import Page, Pages, Problem, Visit
from services.kernel.domain.verdict import Verdict
from services.kernel.runtime.dead_letters import runs
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.records import Ended, Kind, Run
from services.kernel.runtime.desk import Word
from services.kernel.runtime.fault import Exit, Fault

RUNS = "/dead-letters/runs"
_A_PAGE = 100
_LIVE = 2
_BATCHES = 12
"""So many batches to come are drawn."""

_NAMES = {Kind.REHEARSAL: "dry run", Kind.REPLAY: "replay"}

_Change = Callable[[ConsoleDesk, UUID, Word], Awaitable[Run]]


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of a replay as it is drawn: `state` is over, out, failed or ahead."""

    number: int
    size: int
    state: str


async def begin(visit: Visit) -> Response:
    """Begin a dry run or a replay of what the form chooses."""
    chosen = sent(visit)
    try:
        kind = Kind(visit.fields.get("kind"))
    except ValueError:
        raise Problem(404, "not_found") from None
    try:
        async with visit.desk() as desk:
            run = await _begun(visit, desk, kind, chosen)
    except Fault as fault:
        return await visit.refused(address(CHOSEN, chosen), fault)
    return visit.done(f"{RUNS}/{run.run_id}", f"The {_NAMES[kind]} of {many(run.total)} has begun.")


async def _begun(visit: Visit, desk: ConsoleDesk, kind: Kind, chosen: Chosen) -> Run:
    if kind is Kind.REHEARSAL:
        return await runs.begin(desk, visit.site.ids, kind, chosen, visit.word(), per_second=None)
    return await runs.begin(
        desk, visit.site.ids, kind, chosen, visit.word(), steps=_steps(visit), per_second=_pace(visit)
    )


def _steps(visit: Visit) -> tuple[int, ...]:
    said = visit.fields.get("steps")
    try:
        return tuple(int(each) for each in said.replace(",", " ").split()) if said else runs.STEPS
    except ValueError:
        raise Fault(f"{said!r} are no steps", "", "write numbers such as 1, 2, 5, 20", code=Exit.USAGE) from None


def _pace(visit: Visit) -> float | None:
    said = visit.fields.get("per_second")
    try:
        return float(said) if said else None
    except ValueError:
        raise Fault(f"{said!r} is no number of items a second", "", "write 50, or nothing", code=Exit.USAGE) from None


async def listed(visit: Visit) -> Response:
    """The newest runs."""
    async with visit.desk() as desk:
        found = await desk.runs(most=_A_PAGE)
    if any(run.state == "running" for run in found):
        visit.live(_LIVE)
    return visit.write("dead_letters/runs.html", runs=found)


async def shown(visit: Visit) -> Response:
    """One run: how far it is, what came of it, and each of its items."""
    run_id, outcome = visit.id("run_id"), _outcome(visit.query("outcome"))
    after = int(said) if (said := visit.query("after")).isdecimal() and len(said) <= 9 else 0  # noqa: PLR2004 -- an integer
    async with visit.desk() as desk:
        run = await desk.run(run_id)
        if run is None:
            raise Problem(404, "not_found")
        items = await desk.run_items(run_id, _A_PAGE + 1, outcome=outcome, after=after)
    if run.state == "running" or run.out:
        visit.live(_LIVE)
    older = None
    if len(items) > _A_PAGE:
        items = items[:_A_PAGE]
        older = f"{RUNS}/{run_id}?outcome={outcome.value if outcome else ''}&after={items[-1].position}"
    return visit.write(
        "dead_letters/run.html",
        run=run, items=items, outcome=outcome, older=older, batches=batches_of(run),
        outcomes=tuple(Verdict) if run.kind is Kind.REHEARSAL else tuple(Ended),
    )  # fmt: skip


def _outcome(said: str) -> Verdict | Ended | None:
    if not said:
        return None
    try:
        return Verdict(said) if said in set(Verdict) else Ended(said)
    except ValueError:
        raise Problem(404, "not_found") from None


def batches_of(run: Run) -> list[Batch]:
    """The batches since a replay began or was resumed, and those that follow; a rehearsal has none."""
    if run.kind is Kind.REHEARSAL:
        return []
    is_over = run.ended_at is not None
    left = run.total - run.ended
    found = [
        Batch(number + 1, run.steps[min(number, len(run.steps) - 1)], _state(run, number))
        for number in range(max(0, run.step - _BATCHES // 2), run.step)
    ]
    left -= run.out
    number = run.step
    while left > 0 and len(found) < _BATCHES and not is_over:
        size = min(left, run.steps[min(number, len(run.steps) - 1)])
        found.append(Batch(number + 1, size, "ahead"))
        left -= size
        number += 1
    return found


def _state(run: Run, number: int) -> str:
    if number < run.step - 1:
        return "over"
    if run.out:
        return "out"
    return "failed" if run.state == "stopped" and run.outcomes.get(Ended.FAILED.value) else "over"


def _changed(change: _Change, told: str) -> Callable[[Visit], Awaitable[Response]]:
    async def changed(visit: Visit) -> Response:
        run_id = visit.id("run_id")
        try:
            async with visit.desk() as desk:
                await change(desk, run_id, visit.word())
        except Fault as fault:
            return await visit.refused(f"{RUNS}/{run_id}", fault)
        return visit.done(f"{RUNS}/{run_id}", told)

    return changed


PAGES: Pages = (
    Page("GET", RUNS, listed, Act.LOOK),
    Page("POST", RUNS, begin, Act.REPLAY),
    Page("GET", RUNS + "/{run_id}", shown, Act.LOOK),
    Page(
        "POST",
        RUNS + "/{run_id}/stop",
        _changed(runs.stop, "Stopped: what is out ends, and nothing more is handed out."),
        Act.REPLAY,
    ),
    Page("POST", RUNS + "/{run_id}/resume", _changed(runs.resume, "The run goes on, from a batch of one."), Act.REPLAY),
    Page(
        "POST",
        RUNS + "/{run_id}/cancel",
        _changed(runs.cancel, "Cancelled: what was not handed out stays as it is."),
        Act.REPLAY,
    ),
)
