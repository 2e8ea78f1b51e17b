"""`duly sanctions …`: what is proposed, what fired, what the gate waits for, the brakes, and what persons decide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias
from uuid import UUID

from cyclopts import App, Parameter

from services.cli import brake_batches, brakes, screen
from services.cli.desk import (
    By,
    Most,
    Why,
    at_desk,
    minute,
    named,
    plain,
    said,
    short,
    show_rows,
    when,
)
from services.cli.options import Json
from services.cli.screen import Column

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row
    from services.kernel.runtime.desk import Desk, SanctionCase, Word

    Act: TypeAlias = Callable[[Desk, UUID, Word], Awaitable[SanctionCase]]

COLUMNS = (
    Column("sanction"), Column("notice"), Column("kind"), Column("state", fold=True), Column("since"),
    Column("waits for", fold=True),
)  # fmt: skip
State = Literal["proposed", "fired", "dropped", "reversal_required", "upheld", "rescinded"]
Sanction = Annotated[str, Parameter(help="A sanction: its id, or how the id ends.")]

app = App(name="sanctions", help="See, stop and decide sanctions.")
app.command(brake_batches.app)
for each in (brakes.brakes, brakes.stop, brakes.release, brakes.cap, brakes.history):
    app.command(each)


@app.command(name="list")
def show_all(
    *,
    state: Annotated[State | None, Parameter(help="In this state only.")] = None,
    kind: Annotated[str, Parameter(help="Of this kind only.")] = "",
    limit: Most = 50,
    json: Json = False,
) -> None:
    """List sanctions, newest first, with what the gate waits for."""

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.sanctions(state=state, kind=kind or None, most=limit)

    rows = at_desk(work)
    if json:
        show_rows(rows)
    else:
        screen.table(COLUMNS, map(_cells, rows), empty="There is no sanction.")


def _cells(row: Row) -> tuple[object, ...]:
    since = minute(row["fired_at"] or row["proposed_at"])[:10]
    state = str(row["state"]).replace("_", " ")
    return short(row["sanction_id"]), row["source_ref"], row["kind"], state, since, _waits(row)


def _waits(row: Row) -> str:
    """What must happen before anything else does."""
    if row["state"] == "reversal_required":
        return f"a person to rescind or uphold: {row['reversal_reason']}"
    if row["state"] != "proposed":
        return ""
    if row["word"] == "decline":
        return f"the gate to close it: declined by {row['word_by']}"
    codes = row["waiting_for"] if isinstance(row["waiting_for"], list) else []
    until = f" (looks again {minute(row['look_again_at'])})" if row["look_again_at"] else ""
    return ", ".join(code.replace("_", " ") for code in codes) + until


@app.command
def show(sanction: Sanction, /, *, json: Json = False) -> None:
    """Show one sanction."""

    async def work(desk: PostgresDesk) -> Row:
        sanction_id = await named(desk, "sanction", sanction)
        return (await desk.sanctions(state=None, kind=None, most=1, sanction_id=sanction_id))[0]

    row = at_desk(work)
    if json:
        show_rows([row])
        return
    waits = _waits(row)
    shown = {name: when(value) or _text(value) for name, value in row.items() if value not in (None, [], "")}
    told = {**shown, "waits_for": waits} if waits else shown
    for name in ("waiting_for", "look_again_at"):
        told.pop(name, None)
    screen.table((Column("what"), Column("is", fold=True)), ((n.replace("_", " "), v) for n, v in told.items()))


def _text(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


@app.command
def decide(sanction: Sanction, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Decide that a discretionary sanction shall fire; another person must approve."""
    from services.kernel.runtime.desk_sanctions import decide as act  # noqa: PLC0415 -- heavy

    _act(act, sanction, said(by, reason), "decided; another person must approve", json=json)


@app.command
def approve(sanction: Sanction, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Approve what another person decided; the gate then decides when it fires."""
    from services.kernel.runtime.desk_sanctions import approve as act  # noqa: PLC0415 -- heavy

    _act(act, sanction, said(by, reason), "approved; the gate decides when it fires", json=json)


@app.command
def decline(sanction: Sanction, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Decide that a discretionary sanction shall not fire; the notice is then closed."""
    from services.kernel.runtime.desk_sanctions import decline as act  # noqa: PLC0415 -- heavy

    _act(act, sanction, said(by, reason), "declined; the gate closes the notice", json=json)


@app.command
def rescind(sanction: Sanction, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Take back a sanction whose reversal is demanded."""
    from services.kernel.runtime.desk_sanctions import rescind as act  # noqa: PLC0415 -- heavy

    _act(act, sanction, said(by, reason), "rescinded", json=json)


@app.command
def uphold(sanction: Sanction, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Keep a sanction whose reversal is demanded."""
    from services.kernel.runtime.desk_sanctions import uphold as act  # noqa: PLC0415 -- heavy

    _act(act, sanction, said(by, reason), "upheld", json=json)


def _act(act: Act, sanction: str, word: Word, done_what: str, *, json: bool) -> None:
    async def work(desk: PostgresDesk) -> Row:
        case = await act(desk, await named(desk, "sanction", sanction), word)
        return (await desk.sanctions(state=None, kind=None, most=1, sanction_id=case.sanction_id))[0]

    row = at_desk(work)
    if json:
        screen.json_line(plain(row))
    else:
        screen.line(f"sanction {row['sanction_id']} ({row['kind']}) is {done_what}; by {word.by}", screen.GOOD)
