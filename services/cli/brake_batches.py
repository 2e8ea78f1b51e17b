"""`duly sanctions batch …`: what a brake alone holds, as one batch: made, sampled, judged, released or rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from services.cli import screen
from services.cli.desk import By, Most, Why, at_desk, done, known_kind, minute, named, plain, said, short, show_rows
from services.cli.options import Json
from services.cli.screen import Column

if TYPE_CHECKING:
    from uuid import UUID

    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row
    from services.kernel.runtime.desk import Word
    from services.kernel.runtime.desk_brakes import BatchDone

BATCHES = (
    Column("batch"), Column("kind"), Column("state"), Column("cases", number=True), Column("judged", number=True),
    Column("wrong", number=True), Column("made"), Column("decided", fold=True),
)  # fmt: skip
CASES = (
    Column("case", number=True), Column("notice"), Column("business"), Column("stands"), Column("verdict"),
    Column("note", fold=True),
)  # fmt: skip
Batch = Annotated[str, Parameter(help="A batch: its id, or how the id ends.")]
Kind = Annotated[str, Parameter(help="A kind of sanction, such as registration.cancel.")]
Case = Annotated[int, Parameter(help="The number of a sampled case in the batch.")]
Verdict = Annotated[Literal["right", "wrong"], Parameter(help="Whether this case's sanction is right.")]

app = App(name="batch", help="Release or reject what a brake holds, by a judged sample.")


@app.command
def make(kind: Kind, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Put what the brake alone holds of a kind into one batch, and draw its sample at random.

    The sample is all of up to five cases; of more their square root, at least 5 and at most 50.
    """
    known_kind(kind)
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> BatchDone:
        from services.kernel.runtime.desk_brakes import make_batch  # noqa: PLC0415 -- heavy

        return await make_batch(desk, desk.ids, kind, word)

    made = at_desk(work)
    told = {"batch_id": made.batch_id, "kind": kind, "total": made.count, "sampled": made.drawn}
    drawn = f"{made.drawn} drawn" if made.drawn < made.count else "all are in the sample"
    done(
        f"batch {made.batch_id} of {screen.counted(made.count, 'case')} is made by {word.by}; {drawn}", told, json=json
    )


@app.command(name="list")
def show_all(
    *,
    state: Annotated[Literal["open", "released", "rejected"] | None, Parameter(help="In this state only.")] = None,
    limit: Most = 50,
    json: Json = False,
) -> None:
    """List batches, open ones first, then the newest."""

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.batches(state=state, most=limit)

    rows = at_desk(work)
    if json:
        show_rows(rows)
    else:
        screen.table(BATCHES, map(_batch_cells, rows), empty="There is no batch.")


def _batch_cells(row: Row) -> tuple[object, ...]:
    decided = f"{row['decided_by']}: {row['decided_reason']}" if row["decided_by"] else ""
    return (
        short(row["batch_id"]), row["kind"], row["state"], row["total"], f"{row['judged']}/{row['sampled']}",
        row["wrong"], minute(row["made_at"])[:10], decided,
    )  # fmt: skip


@app.command
def show(
    batch: Batch,
    /,
    *,
    everything: Annotated[bool, Parameter(name="--all", help="Show every case, not the sample alone.")] = False,
    json: Json = False,
) -> None:
    """Show a batch with its sample: each case with how it stands now and its judgement."""

    async def work(desk: PostgresDesk) -> tuple[Row, list[Row]]:
        batch_id = await named(desk, "batch", batch)
        [row] = await desk.batches(state=None, most=1, batch_id=batch_id)
        return row, await _cases(desk, batch_id, sampled=not everything)

    row, cases = at_desk(work)
    if json:
        screen.json_line(plain({**row, "cases": cases}))
        return
    screen.line(_said_of(row), screen.WAIT if row["state"] == "open" else "")
    screen.table(CASES, map(_case_cells, cases))


async def _cases(desk: PostgresDesk, batch_id: UUID, *, sampled: bool) -> list[Row]:
    """All cases, page by page."""
    cases: list[Row] = []
    while page := await desk.batch_items(batch_id, sampled=sampled, after=_number(cases[-1]) if cases else 0):
        cases += page
    return cases


def _number(row: Row) -> int:
    return int(str(row["number"]))


def _said_of(row: Row) -> str:
    told = (
        f"{row['kind']}: {screen.counted(int(str(row['total'])), 'case')}, {row['judged']} of {row['sampled']} judged"
    )
    wrong = f", {row['wrong']} wrong" if row["wrong"] else ""
    made = f"; made {minute(row['made_at'])} by {row['made_by']}: {row['made_reason']}"
    end = f"; {row['state']} by {row['decided_by']}: {row['decided_reason']}" if row["decided_by"] else "; open"
    return told + wrong + made + end


def _case_cells(row: Row) -> tuple[object, ...]:
    note = f"{row['judged_by']}: {row['note']}" if row["note"] else "" if row["sampled"] else "not in the sample"
    return row["number"], row["source_ref"], row["business_id"], row["notice_state"], row["verdict"], note


@app.command
def judge(batch: Batch, case: Case, verdict: Verdict, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Judge a sampled case right or wrong. It may be judged again; all judgements stay, the last one counts."""
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> Row:
        from services.kernel.runtime.desk_brakes import judge_sampled  # noqa: PLC0415 -- heavy

        batch_id = await named(desk, "batch", batch)
        await judge_sampled(desk, batch_id, case, verdict, word)
        return (await desk.batches(state=None, most=1, batch_id=batch_id))[0]

    row = at_desk(work)
    text = f"case {case} is {verdict}, judged by {word.by}; {row['judged']} of {row['sampled']} judged"
    done(text, row, json=json)


@app.command
def release(batch: Batch, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Let the whole batch past the brake, its sample judged right. The gate still weighs everything else."""
    _end(batch, said(by, reason), release=True, json=json)


@app.command
def reject(batch: Batch, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Decline every sanction of the batch; its notices are closed."""
    _end(batch, said(by, reason), release=False, json=json)


def _end(batch: str, word: Word, *, release: bool, json: bool) -> None:
    async def work(desk: PostgresDesk) -> BatchDone:
        from services.kernel.runtime.desk_brakes import reject_batch, release_batch  # noqa: PLC0415 -- heavy

        return await (release_batch if release else reject_batch)(desk, await named(desk, "batch", batch), word)

    ended = at_desk(work)
    state = "released" if release else "rejected"
    told = {"batch_id": ended.batch_id, "kind": ended.kind, "state": state, "sanctions": ended.count}
    count = screen.counted(ended.count, "sanction")
    done(f"batch {ended.batch_id} is {state} by {word.by}: {count} of {ended.kind}", told, json=json)
