"""How a run ended: a dry run's verdicts, or what a replay came to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeAlias

from services.cli import screen
from services.cli.dead_letters_follow import PAGE
from services.cli.desk import plain, short
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.domain.verdict import Verdict
    from services.kernel.runtime.dead_letters.records import Ended, Run, RunItem

    Cells: TypeAlias = Callable[[RunItem, RunItem | None], tuple[object, ...]]

VERDICTS = {
    "unsafe": "would fail again, or be refused: a person must mend something first",
    "expired": "nothing would follow any more; or it would be refused, as its time is over",
    "already_done": "was done before: replaying only closes the dead letter",
    "safe": "would be done now",
}
ENDS = {
    "failed": ("failed again", "dead again, with its whole history"),
    "refused": ("refused", "whoever sent it was told why"),
    "left": ("left as it was", "somebody changed it meanwhile, or it was over already"),
    "cancelled": ("cancelled", "the run ended before it was handed out"),
    "done": ("done", ""),
}
COUNTS = (Column("verdict"), Column("", number=True), Column("means", fold=True))
ITEMS = (Column("dead letter"), Column("verdict"), Column("why, and what would follow", fold=True))
ENDED = (Column("dead letter"), Column("came to"), Column("why", fold=True))
SAME = "the same"


async def tell_end(desk: PostgresDesk, run: Run, most: int, *, known: Mapping[str, int], json: bool) -> int:
    """Tell how a run ended, `most` messages one by one (a dry run as JSON: all); the exit code: 1 if any answer is no.

    `known`: what had ended before, and does not count.
    """
    if run.kind == "rehearsal":
        await (_verdict_objects(desk, run) if json else _verdicts(desk, run, most))
        return Exit.NO if run.outcomes.get("unsafe") or run.state != "finished" else Exit.OK
    if not json:  # whose last line was the end
        await _replayed(desk, run, most)
    bad = sum(number - known.get(name, 0) for name, number in run.outcomes.items() if name != "done")
    return Exit.NO if bad or run.state != "finished" else Exit.OK


async def _verdict_objects(desk: PostgresDesk, run: Run) -> None:
    async for item in _items(desk, run):
        screen.json_line(plain(asdict(item)))


async def _items(desk: PostgresDesk, run: Run, outcome: Verdict | Ended | None = None) -> AsyncIterator[RunItem]:
    """Page by page: a run may have more items than fit into memory."""
    after = 0
    while page := await desk.run_items(run.run_id, PAGE, outcome=outcome, after=after):
        for item in page:
            yield item
        after = page[-1].position


async def _verdicts(desk: PostgresDesk, run: Run, most: int) -> None:
    from services.kernel.domain.verdict import Verdict  # noqa: PLC0415 -- beside its only use

    found = [(verdict, run.outcomes[verdict]) for verdict in VERDICTS if run.outcomes.get(verdict)]
    screen.table(COUNTS, ((name.replace("_", " "), f"{number:,}", VERDICTS[name]) for name, number in found))
    kinds = [Verdict(name) for name, _ in found]
    await _one_by_one(desk, run, kinds, most, ITEMS, _verdict_cells)


def _verdict_cells(item: RunItem, before: RunItem | None) -> tuple[object, ...]:
    """What is the same as of the one before is not said again."""
    why = "; ".join(part for part in (item.why, *item.effects) if part)
    same = before is not None and (item.why, item.effects, item.worker) == (before.why, before.effects, before.worker)
    outcome = str(item.outcome or "").replace("_", " ")
    return short(item.failed_id), outcome, SAME if same and _drawn() else screen.Stacked((why, _about(item)))


def _drawn() -> bool:
    return screen.console().is_terminal


def _about(item: RunItem) -> str:
    return f"{item.worker}: {item.source_ref or item.type}"


async def _replayed(desk: PostgresDesk, run: Run, most: int) -> None:
    from services.kernel.runtime.dead_letters.records import Ended  # noqa: PLC0415 -- heavy

    found = [(word, run.outcomes[name]) for name, (word, _) in ENDS.items() if run.outcomes.get(name)]
    sums = ", ".join(f"{number:,} {word}" for word, number in found) or "nothing was handed out"
    whole = run.outcomes.get("done", 0) == run.total
    left = f"; {run.total - run.ended:,} not handed out" if run.ended < run.total else ""
    screen.line(f"run {short(run.run_id)} is {run.state}: {sums}{left}", screen.GOOD if whole else screen.WAIT)
    kinds = [Ended(name) for name in ENDS if name not in {"done", "cancelled"} and run.outcomes.get(name)]
    await _one_by_one(desk, run, kinds, most, ENDED, _end_cells)
    if run.state == "stopped":
        if "failed" not in run.outcomes:
            screen.line(f"{run.changed_by} stopped it: {run.why}", screen.WAIT)
        screen.aside(f"to go on when the cause is mended: duly dead-letters resume {short(run.run_id)} --reason WHY")
        screen.aside(f"to end it: duly dead-letters cancel {short(run.run_id)} --reason WHY")


def _end_cells(item: RunItem, _before: RunItem | None) -> tuple[object, ...]:
    word, means = ENDS[str(item.outcome)]
    return short(item.failed_id), word, screen.Stacked((item.why or means, _about(item)))


async def _one_by_one(
    desk: PostgresDesk, run: Run, kinds: Sequence[Verdict | Ended], most: int, columns: Sequence[Column], cells: Cells
) -> None:
    """The messages of these outcomes, in this order, as many as are wanted."""
    shown: list[RunItem] = []
    for kind in kinds:
        room = most - len(shown)
        shown += await desk.run_items(run.run_id, room, outcome=kind) if room > 0 else []
    screen.table(columns, map(cells, shown, [None, *shown]))
    if (more := sum(run.outcomes[kind] for kind in kinds) - len(shown)) > 0:
        screen.aside(f"and {more:,} more: --limit shows more of them, --json tells all")
