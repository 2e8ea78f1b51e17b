"""Runs: rehearsals and replays of what is chosen. `relay` hands them out; a person begins, stops, resumes, cancels."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.kernel.ports import Ids
from services.kernel.runtime.dead_letters.choice import Chosen
from services.kernel.runtime.dead_letters.port import DeadLetterDesk
from services.kernel.runtime.dead_letters.records import Kind, Run
from services.kernel.runtime.desk import Word, refusal
from services.kernel.runtime.fault import Exit, Fault

STEPS = (1, 2, 5, 20, 50, 100, 200, 500)
"""How many items a replay hands out at a time; the last number stays."""
PER_SECOND = 50.0
"""How many items a second a run hands out, where nothing else is said."""
STEP_MOST = 5_000
_RUNNABLE = {Kind.REPLAY: ("dead",), Kind.REHEARSAL: ("dead", "retry")}


async def begin(
    desk: DeadLetterDesk,
    ids: Ids,
    kind: Kind,
    chosen: Chosen,
    said: Word,
    *,
    steps: Sequence[int] = STEPS,
    per_second: float | None = PER_SECOND,
) -> Run:
    """Begin a run over all that are chosen, oldest first; `per_second` None sets no limit.

    A replay takes what is dead; a rehearsal, retries that wait as well, where `chosen.states` names them.

    Raises:
        Fault: nothing is chosen that could be run, or is in no other open replay; or the pace makes no sense.
    """
    _check_pace(steps, per_second)
    states = _RUNNABLE[kind] if chosen.states else ("dead",)
    run_id = ids.uuid7()
    async with desk.begin() as tx:
        number = await tx.run_begin(run_id, kind, chosen.within(*states), said, steps, per_second)
        if not number:
            what = "no such dead letter is dead, or another run has it"
            raise refusal(f"nothing is there for a {kind}: {what}", "duly dead-letters list shows those that are dead")
    return await shown(desk, run_id)


async def stop(desk: DeadLetterDesk, run_id: UUID, said: Word) -> Run:
    """Hand out nothing more for now; what is out ends.

    Raises:
        Fault: there is no such run, or it does not run.
    """
    return await _change(desk, run_id, "stopped", said, {"running"})


async def resume(desk: DeadLetterDesk, run_id: UUID, said: Word) -> Run:
    """Go on with a stopped run, from a batch of the first step again.

    Raises:
        Fault: there is no such run, or it is not stopped.
    """
    return await _change(desk, run_id, "running", said, {"stopped"})


async def cancel(desk: DeadLetterDesk, run_id: UUID, said: Word) -> Run:
    """End a run: what is out ends as it would, the others are left as they are.

    Raises:
        Fault: there is no such run, or it is over.
    """
    return await _change(desk, run_id, "cancelled", said, {"running", "stopped"})


async def _change(desk: DeadLetterDesk, run_id: UUID, to: str, said: Word, come_from: set[str]) -> Run:
    async with desk.begin() as tx:
        run = await tx.run_locked(run_id)
        if run is None:
            raise refusal(f"there is no run {run_id}", "duly dead-letters runs shows them")
        if run.state not in come_from:
            raise refusal(f"this run is {run.state} already" if run.ended_at else f"this run is {run.state}")
        await tx.run_change(run_id, to, said)
    return await shown(desk, run_id)


async def shown(desk: DeadLetterDesk, run_id: UUID) -> Run:
    """A run as it stands now."""
    run = await desk.run(run_id)
    if run is None:
        raise LookupError(f"run {run_id} is not there")
    return run


def _check_pace(steps: Sequence[int], per_second: float | None) -> None:
    if not 0 < len(steps) <= 100 or any(not 0 < step <= STEP_MOST for step in steps):  # noqa: PLR2004 -- as the CHECK
        raise Fault(
            f"{', '.join(map(str, steps)) or 'nothing'} are no steps",
            "",
            f"give numbers from 1 to {STEP_MOST}, such as 1,2,5,20",
            code=Exit.USAGE,
        )
    if per_second is not None and not 0 < per_second < float("inf"):
        raise Fault(f"{per_second} items a second is no pace", "", "give a number above 0", code=Exit.USAGE)
