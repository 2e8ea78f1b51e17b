"""`duly dead-letters replay`, and what is done about runs: dry runs and replays, which go on without us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias
from uuid import UUID

from cyclopts import Parameter

from services.cli import screen
from services.cli.dead_letters_choice import OPEN, All, Filters, Ids, chosen_among
from services.cli.dead_letters_ended import tell_end
from services.cli.dead_letters_follow import Silence, follow, how_to_follow, showing, told
from services.cli.desk import By, Most, Why, at_desk, minute, named, operator, said, short
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.runtime.dead_letters.choice import Chosen
    from services.kernel.runtime.dead_letters.records import Kind, Run
    from services.kernel.runtime.desk import Word

    Begin: TypeAlias = Callable[[PostgresDesk], Awaitable[Run]]
    Change: TypeAlias = Callable[[PostgresDesk, UUID, Word], Awaitable[Run]]

RUNS = (
    Column("run"), Column("state"), Column("begun (UTC)"), Column("ended", number=True), Column("of", number=True),
    Column("what", fold=True),
)  # fmt: skip
INTERRUPTED = 130

RunId = Annotated[str, Parameter(help="A run: its id, or how the id ends.")]
Optional = Annotated[str, Parameter(name="--reason", help="Why; it is recorded. A dry run needs none.")]
DryRun = Annotated[bool, Parameter(help="Let the workers say what would come of it, and change nothing.")]
Steps = Annotated[str, Parameter(help="How many go out at a time, such as 1,2,5,20; the last number stays.")]
Rate = Annotated[str, Parameter(help="How many go out a second at most, or none for no limit.")]
Wait = Annotated[float | None, Parameter(name="--wait", help="Seconds to wait while nobody answers.")]
Detach = Annotated[bool, Parameter(help="Begin it, and do not wait for its end.")]


def replay(
    *dead_letters: Ids,
    everything: All = False,
    filters: Filters = OPEN,
    reason: Optional = "",
    by: By = "",
    dry_run: DryRun = False,
    steps: Steps = "",
    rate: Rate = "",
    wait: Wait = None,
    detach: Detach = False,
    limit: Annotated[int, Parameter(name="--limit", help="The most messages to show one by one.")] = 100,
    json: Json = False,
) -> int:
    """Run dead letters again, through their own worker, in batches that grow while all goes well.

    When one fails again, no more go out: `resume` or `cancel` decides. Nothing is done twice. The replay is kept in the
    database and goes on without this command; Ctrl-C only ends the watching.
    """
    from services.kernel.runtime.dead_letters import runs as kernel  # noqa: PLC0415 -- heavy
    from services.kernel.runtime.dead_letters.records import Kind  # noqa: PLC0415 -- heavy

    kind = Kind.REHEARSAL if dry_run else Kind.REPLAY
    word = said(by or operator(), reason or "dry run") if dry_run else said(by, reason)
    paced = (_steps(steps) or kernel.STEPS, _rate(rate, kernel.PER_SECOND, kind))

    async def begin(desk: PostgresDesk) -> Run:
        chosen = await chosen_among(desk, dead_letters, filters, everything=everything, states=("dead",))
        return await _begin(desk, kind, _runnable(chosen, kind), word, *paced)

    return followed(begin, wait, detach=detach, most=limit, json=json)


def _runnable(chosen: Chosen, kind: Kind) -> Chosen:
    """A named retry may be rehearsed, too."""
    return chosen.within("dead", "retry") if chosen.ids and kind == "rehearsal" else chosen


async def _begin(
    desk: PostgresDesk, kind: Kind, chosen: Chosen, word: Word, steps: tuple[int, ...], rate: float | None
) -> Run:
    from services.kernel.runtime.dead_letters import runs as kernel  # noqa: PLC0415 -- heavy

    return await kernel.begin(desk, desk.ids, kind, chosen, word, steps=steps, per_second=rate)


def _steps(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise Fault(f"{text!r} are no steps", "--steps", "write numbers, such as 1,2,5,20", code=Exit.USAGE) from None


def _rate(text: str, usual: float, kind: Kind) -> float | None:
    """Items a second. A dry run changes nothing, and so needs no limit."""
    if not text:
        return None if kind == "rehearsal" else usual
    try:
        return None if text == "none" else float(text)
    except ValueError:
        raise Fault(f"{text!r} is no rate", "--rate", "write a number a second, or none", code=Exit.USAGE) from None


def followed(begin: Begin, wait: float | None, *, detach: bool, most: int, json: bool, afresh: bool = False) -> int:
    """Begin a run, or look one up, and follow it to its end; the exit code says how it ended.

    `afresh`: what failed before is known, and does not count again.
    """
    from services.kernel.ledger import LedgerUnavailable  # noqa: PLC0415 -- heavy

    begun: list[Run] = []

    async def work(desk: PostgresDesk) -> int:
        run = begun[0] if begun else await begin(desk)
        begun[:] = [run]
        if detach:
            return _detached(run, json=json)
        doing = "dry run" if run.kind == "rehearsal" else "replay"
        with showing(doing, run.total, json=json and run.kind == "replay") as show:
            end = await follow(desk, run, show, wait)
        if isinstance(end, Silence):
            raise end.fault()
        return await tell_end(desk, end, most, known=run.outcomes if afresh else {}, json=json)

    try:
        return at_desk(work)
    except Fault as fault:
        if not begun or not isinstance(fault.__cause__, LedgerUnavailable):
            raise
        raise Fault(fault.what, fault.where, f"the run goes on when it is back: {_follow(begun[0])}") from fault
    except KeyboardInterrupt:
        if not begun:
            raise
        _goes_on(begun[0])
        return INTERRUPTED


def _follow(run: Run) -> str:
    return how_to_follow(run.run_id)


def _goes_on(run: Run) -> None:
    screen.aside(f"the run goes on by itself; to follow it: {_follow(run)}")
    screen.aside(f"to end it: duly dead-letters cancel {short(run.run_id)} --reason WHY")


def _detached(run: Run, *, json: bool) -> int:
    if json:
        screen.json_line(told(run))
    else:
        screen.line(f"run {run.run_id} has begun: {screen.counted(run.total, 'dead letter')}", screen.GOOD)
        _goes_on(run)
    return Exit.OK


def run(run_id: RunId, /, *, wait: Wait = None, limit: Most = 100, json: Json = False) -> int:
    """Follow a replay or a dry run to its end, or see how it ended."""

    async def look(desk: PostgresDesk) -> Run:
        return await _run(desk, run_id)

    return followed(look, wait, detach=False, most=limit, json=json)


async def _run(desk: PostgresDesk, text: str) -> Run:
    found = await desk.run(await named(desk, "run", text))
    if found is None:
        raise Fault(f"there is no run {text!r}", "", "duly dead-letters runs shows them", code=Exit.NO)
    return found


def runs(
    *,
    open_only: Annotated[bool, Parameter(name="--open", help="Those that are not over only.")] = False,
    limit: Most = 50,
    json: Json = False,
) -> None:
    """List replays and dry runs, newest first."""

    async def work(desk: PostgresDesk) -> list[Run]:
        return await desk.runs(open_only=open_only, most=limit)

    found = at_desk(work)
    if json:
        for each in found:
            screen.json_line(told(each))
    else:
        screen.table(RUNS, map(_cells, found), empty="There is no run.")


def _cells(run: Run) -> tuple[object, ...]:
    what = "dry run" if run.kind == "rehearsal" else f"replay by {run.begun_by}: {run.reason}"
    why = run.why if run.state != "finished" else ""
    return (
        short(run.run_id), run.state, minute(run.begun_at), f"{run.ended:,}", f"{run.total:,}",
        screen.Stacked((what, run.choice, why)),
    )  # fmt: skip


def pause(run_id: RunId, /, *, reason: Why, by: By = "", json: Json = False) -> int:
    """Hand out nothing more of a run for now; what is out ends."""
    from services.kernel.runtime.dead_letters.runs import stop as change  # noqa: PLC0415 -- heavy

    return _changed(change, run_id, said(by, reason), json=json)


def cancel(run_id: RunId, /, *, reason: Why, by: By = "", json: Json = False) -> int:
    """End a run: what it has not handed out stays as it is."""
    from services.kernel.runtime.dead_letters.runs import cancel as change  # noqa: PLC0415 -- heavy

    return _changed(change, run_id, said(by, reason), json=json)


def _changed(change: Change, run_id: str, word: Word, *, json: bool) -> int:
    async def work(desk: PostgresDesk) -> Run:
        return await change(desk, (await _run(desk, run_id)).run_id, word)

    now = at_desk(work)
    if json:
        screen.json_line(told(now))
    else:
        screen.line(f"run {short(now.run_id)} is {now.state} by {word.by}, after {now.ended:,} of {now.total:,}")
    return Exit.OK


def resume(
    run_id: RunId,
    /,
    *,
    reason: Why,
    by: By = "",
    wait: Wait = None,
    detach: Detach = False,
    limit: Most = 100,
    json: Json = False,
) -> int:
    """Go on with a run that was stopped, from its first step again, and follow it."""
    from services.kernel.runtime.dead_letters.runs import resume as change  # noqa: PLC0415 -- heavy

    word = said(by, reason)

    async def begin(desk: PostgresDesk) -> Run:
        return await change(desk, (await _run(desk, run_id)).run_id, word)

    return followed(begin, wait, detach=detach, most=limit, json=json, afresh=True)
