"""Driving runs of dead letters: what is handed out, when a batch has ended, and when a run stops.

Where a run stands is in the database, and changes in the transaction that hands out; what was handed out and lost is
handed out again. So a run goes on wherever any process of `relay` died.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from schemas.cloudevents import CONTENT_TYPE
from services.kernel.ledger import Handed, Ledger, OpenRun, RunFacts, RunSettled
from services.kernel.ports import Broker, Outgoing
from services.kernel.runtime.again import wrapped
from services.kernel.runtime.items import ATTEMPTS, FAILED_ID, REHEARSAL, REPLAYED

SLICE = 500
"""The most items that a run hands out in one transaction."""
OUT_MOST = 500
"""The most rehearsals of one run that are out."""
_BURST = 1.0
"""Seconds of the limit that may be handed out at once after a pause."""
_LOOK = 0.05
"""Seconds until it looks again while something moves."""
_MOVING = 2.0
"""Seconds for which something that moved may be expected to move again."""


@dataclass
class Runs:
    """Each round drives every run that needs anything and that no other process drives."""

    ledger: Ledger
    broker: Broker
    again: float
    _moved: float = field(default=0.0, init=False)

    async def round(self) -> bool:
        """Hand out what may be; True while something moves."""
        messages: list[Outgoing] = []
        async with self.ledger.begin() as tx:
            open_runs = await tx.runs_open()
            for run in open_runs:
                moved, handed = await drive(tx, run, self.again)
                messages += [_message(len(messages) + number, run, item) for number, item in enumerate(handed)]
                if moved or handed:
                    self._moved = time.monotonic()
        if messages:
            await self.broker.publish(messages)
        if not open_runs or time.monotonic() - self._moved > _MOVING:
            return False
        await asyncio.sleep(_LOOK)
        return True


async def drive(tx: RunFacts, run: OpenRun, again: float) -> tuple[bool, list[Handed]]:
    """One step of one run: whether anything moved, and what is handed out."""
    lost = await tx.run_again(run.run_id, again)
    settled = await tx.run_settle(run.run_id) if run.kind == "replay" else []
    if run.state != "running":
        return bool(settled), lost
    if (why := failed_again(run, settled)) is not None:
        await tx.run_save(replace(run, state="stopped"), why)
        return True, lost
    standing = await tx.run_standing(run.run_id)
    if not standing.more and not standing.out:
        await tx.run_save(replace(run, state="finished", left_over=0))
        return True, lost
    goes_on = next_batch(run) if run.kind == "replay" and not run.left_over and not standing.out else run
    room = goes_on.left_over if run.kind == "replay" else OUT_MOST - standing.out
    number = min(room, allowance(goes_on), SLICE) if standing.more else 0
    if number <= 0:
        return bool(settled), lost
    handed = await tx.run_hand_out(goes_on, number)
    await tx.run_save(paced(goes_on, number))
    return True, lost + handed


def failed_again(run: OpenRun, settled: Sequence[RunSettled]) -> str | None:
    """Why the run stops now, if anything of its batch failed again."""
    failed = [one for one in settled if one.outcome == "failed" and one.batch == run.batch]
    if not failed:
        return None
    one, others = failed[0].why, len(failed) - 1
    return f"failed again: {one}" + (f" (and {others} more)" if others else "")


def next_batch(run: OpenRun) -> OpenRun:
    """The next batch, as large as its step says; the last step stays."""
    size = run.steps[min(run.step, len(run.steps) - 1)]
    return replace(run, batch=run.batch + 1, step=run.step + 1, left_over=size)


def allowance(run: OpenRun) -> int:
    """How many items the limit allows now."""
    if run.per_second is None:
        return SLICE
    return int(run.per_second * (run.now - _paced_from(run)).total_seconds() + 1e-6)


def paced(run: OpenRun, number: int) -> OpenRun:
    """The run after so many items were handed out."""
    left_over = max(0, run.left_over - number)
    if run.per_second is None:
        return replace(run, left_over=left_over, paced_at=run.now)
    filled = _paced_from(run) + timedelta(seconds=number / run.per_second)
    return replace(run, left_over=left_over, paced_at=filled)


def _paced_from(run: OpenRun) -> datetime:
    """What was not used of the limit is lost but for a burst."""
    burst = timedelta(seconds=max(_BURST, 1 / run.per_second)) if run.per_second else timedelta()
    return max(run.paced_at, run.now - burst)


def _message(number: int, run: OpenRun, item: Handed) -> Outgoing:
    """As it was, to where it was sent, with a mark that anybody can see."""
    kept = {name: value for name, value in item.headers.items() if name not in {REHEARSAL, REPLAYED}}
    mark = {REPLAYED: f"{item.replays} {run.run_id}"} if run.kind == "replay" else {REHEARSAL: str(run.run_id)}
    headers = {**kept, FAILED_ID: str(item.failed_id), ATTEMPTS: str(item.attempts), **mark}
    if run.kind == "rehearsal":
        asked = wrapped(run.run_id, item.failed_id, item.body, item.content_type)
        return Outgoing(number, item.routing_key, asked, CONTENT_TYPE, headers)
    return Outgoing(number, item.routing_key, item.body, item.content_type, headers)
