"""Following a run: what the database says of it, again and again, until it is over. The run does not need us."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from services.cli import screen
from services.cli.desk import plain, short
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.runtime.dead_letters.records import Run

Show: TypeAlias = "Callable[[Run], None]"
EVERY = 0.25
"""Seconds between two looks."""
PAGE = 500
MOST_PAGES = 20
PATIENCE = {"rehearsal": 10.0, "replay": 30.0}
"""Seconds without any sign of life after which we stop waiting; the run does not stop."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody took a run up, or what it handed out does not come back: who, and for how many seconds."""

    run: Run
    who: tuple[str, ...]
    seconds: float

    def fault(self) -> Fault:
        """What to do about it. The run needs nobody who watches: it goes on as soon as they work."""
        who = " and ".join(self.who)
        what = f"{who} {'does' if len(self.who) == 1 else 'do'} not answer for {self.seconds:.0f} seconds"
        start = ", ".join(f"`duly run {name}`" for name in self.who)
        todo = f"start `duly up`, or {start}; the run then goes on by itself: {how_to_follow(self.run.run_id)}"
        return Fault(what, f"run {self.run.run_id}", todo, code=Exit.UNREACHABLE)


def how_to_follow(run_id: UUID) -> str:
    """The command that follows this run."""
    return f"duly dead-letters run {short(run_id)}"


async def follow(desk: PostgresDesk, run: Run, show: Show, patience: float | None) -> Run | Silence:
    """Show a run whenever it has moved, until it is over or stopped.

    It is silent if for `patience` seconds (None: as usual) nothing moves while something should.

    Raises:
        LedgerUnavailable: the database went away; the run goes on when it is back.
    """
    patience = PATIENCE[run.kind] if patience is None else patience
    moved, last = monotonic(), run
    show(run)
    while run.state == "running":
        await asyncio.sleep(EVERY)
        run = await _look(desk, run)
        if _standing(run) != _standing(last):
            moved, last = monotonic(), run
            show(run)
        elif (silent := monotonic() - moved) > max(patience, _pace(run)):
            return Silence(run, await _silent_ones(desk, run), silent)
    return run


async def _look(desk: PostgresDesk, run: Run) -> Run:
    found = await desk.run(run.run_id)
    if found is None:
        raise LookupError(f"run {run.run_id} is not there any more")
    return found


def _standing(run: Run) -> tuple[object, ...]:
    return run.state, run.batch, run.out, run.ended


def _pace(run: Run) -> float:
    """Seconds after which a run with such a pace must have moved at the latest."""
    return 2 / run.per_second if run.per_second else 0.0


async def _silent_ones(desk: PostgresDesk, run: Run) -> tuple[str, ...]:
    """Who has what is out and gives nothing back; relay, if nothing is out."""
    if not run.out:
        return ("relay",)
    found: set[str] = set()
    after = 0
    for _ in range(MOST_PAGES):
        page = await desk.run_items(run.run_id, PAGE, after=after)
        found |= {item.worker for item in page if item.batch is not None and item.outcome is None}
        if len(page) < PAGE or len(found) >= run.out:
            break
        after = page[-1].position
    return tuple(sorted(found)) or ("relay",)


# --- what is shown meanwhile ------------------------------------------------------------------------------------------


@contextmanager
def showing(doing: str, total: int, *, json: bool) -> Iterator[Show]:
    """How a run is shown while it goes on: a JSON object whenever it has moved, a progress bar, or (piped) nothing."""
    if json:
        yield _object
        return
    if not screen.errors().is_terminal:
        yield lambda _run: None
        return
    with _bar(doing, total) as show:
        yield show


def _object(run: Run) -> None:
    screen.json_line(told(run))
    sys.stdout.flush()


def told(run: Run) -> dict[str, object]:
    """A run as JSON: `at` is when it was looked at; `ended` and `to_go` add up to `total`."""
    looked = {"at": datetime.now(UTC), "ended": run.ended, "to_go": run.total - run.ended}
    return {name: plain(value) for name, value in {**asdict(run), **looked}.items()}


@contextmanager
def _bar(doing: str, total: int) -> Iterator[Show]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 -- heavy

    parts = (
        TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(compact=True),
    )  # fmt: skip
    with Progress(*parts, console=screen.errors(), transient=True, expand=True) as bar:
        task = bar.add_task(doing, total=total, counts="")

        def show(run: Run) -> None:
            batch = f"batch {run.batch:,}" if run.batch else doing
            bar.update(task, completed=run.ended, description=batch, counts=counts(run), refresh=True)

        yield show


def counts(run: Run) -> str:
    """What the bar says beside itself: `1,203 of 50,000`, what came of them, what is left."""
    bad = run.outcomes.get("failed", 0) + run.outcomes.get("unsafe", 0)
    word = "failed" if run.kind == "replay" else "unsafe"
    left = run.total - run.ended
    return f"{run.ended:,} of {run.total:,} · {bad:,} {word} · {left:,} left"
