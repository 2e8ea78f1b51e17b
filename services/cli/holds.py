"""`duly holds …`: what stops a sanction, placed and lifted by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from services.cli import screen
from services.cli.desk import By, Most, Why, at_desk, done, minute, named, said, short, show_rows
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.domain.holds import HoldKind

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row

COLUMNS = (
    Column("hold"), Column("notice"), Column("kind", fold=True), Column("since"), Column("by", fold=True),
    Column("reason", fold=True),
)  # fmt: skip
LIFTED = (*COLUMNS, Column("lifted", fold=True))
Kind = Annotated[HoldKind, Parameter(help="Why no sanction may fire.")]
Notice = Annotated[str, Parameter(help="A notice: its id, how the id ends, or upstream's reference.")]
Hold = Annotated[str, Parameter(help="A hold: its id, or how the id ends.")]

app = App(name="holds", help="Stop a sanction until a named person has decided.")


@app.command(name="list")
def show(
    *,
    notice: Annotated[str, Parameter(help="Of this notice only.")] = "",
    kind: Annotated[HoldKind | None, Parameter(help="Of this kind only.")] = None,
    lifted: Annotated[bool, Parameter(help="Show the lifted ones as well.")] = False,
    limit: Most = 100,
    json: Json = False,
) -> None:
    """List open holds, oldest first."""

    async def work(desk: PostgresDesk) -> list[Row]:
        of = await named(desk, "notice", notice) if notice else None
        return await desk.holds(lifted=lifted, kind=kind, notice_id=of, most=limit)

    rows = at_desk(work)
    if json:
        show_rows(rows)
    else:
        screen.table(LIFTED if lifted else COLUMNS, map(_cells, rows), empty="No hold is open.")


def _cells(row: Row) -> tuple[object, ...]:
    """One row; what is lifted has one cell more, which the table of open holds has no column for."""
    lifted = (f"{minute(row['lifted_at'])} {row['lifted_by']}: {row['lift_reason']}",) if row["lifted_at"] else ()
    kind, since = str(row["kind"]).replace("_", " "), minute(row["placed_at"])[:10]
    return short(row["hold_id"]), row["source_ref"], kind, since, row["placed_by"], row["reason"], *lifted


@app.command
def place(notice: Notice, /, *, reason: Why, kind: Kind = HoldKind.MANUAL, by: By = "", json: Json = False) -> None:
    """Place a hold. It stops the sanction, not the clock."""
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> dict[str, object]:
        from services.kernel.runtime.desk import place_hold  # noqa: PLC0415 -- heavy

        notice_id = await named(desk, "notice", notice)
        hold_id = await place_hold(desk, desk.ids, notice_id, kind, word)
        return {"hold_id": hold_id, "notice_id": notice_id, "kind": kind, "placed_by": word.by}

    told = at_desk(work)
    done(f"hold {told['hold_id']} is placed on notice {told['notice_id']} by {word.by}", told, json=json)


@app.command
def lift(hold: Hold, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Lift a hold. After the last one the business has at least the regime's minimum before a sanction."""
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> dict[str, object]:
        from services.kernel.runtime.desk import lift_hold  # noqa: PLC0415 -- heavy

        hold_id = await named(desk, "hold", hold)
        notice_id = await lift_hold(desk, hold_id, word)
        rest = await desk.holds(lifted=False, kind=None, notice_id=notice_id, most=100)
        return {"hold_id": hold_id, "notice_id": notice_id, "lifted_by": word.by, "open_holds": len(rest)}

    told = at_desk(work)
    still = f"; {told['open_holds']} still open" if told["open_holds"] else ""
    done(f"hold {told['hold_id']} on notice {told['notice_id']} is lifted by {word.by}{still}", told, json=json)
