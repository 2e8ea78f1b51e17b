"""`duly sanctions brakes, stop, release, cap, history`: the stop switch and the cap of each kind of sanction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from services.cli import screen
from services.cli.desk import By, Most, Why, at_desk, done, known_kind, minute, said, show_rows
from services.cli.options import Json
from services.cli.screen import Column

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row
    from services.kernel.runtime.desk import Word

BRAKES = (
    Column("kind"), Column("brake"), Column("holds", number=True), Column("fired in an hour", number=True),
    Column("cap", number=True), Column("last change", fold=True),
)  # fmt: skip
CHANGES = (Column("when"), Column("brake"), Column("change"), Column("by", fold=True), Column("reason", fold=True))
Kind = Annotated[str, Parameter(help="A kind of sanction, such as registration.cancel.")]


def brakes(*, json: Json = False) -> None:
    """List the brake of each kind of sanction: the stop switch, and the cap an hour."""

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.brakes()

    rows = at_desk(work)
    if json:
        show_rows(rows)
        return
    cells = (
        (
            row["kind"], "stopped" if row["stopped"] else "off", row["held"], row["fired_last_hour"],
            "the regime's" if row["cap_per_hour"] is None else row["cap_per_hour"],
            f"{minute(row['changed_at'])} {row['changed_by']}: {row['reason']}",
        )
        for row in rows
    )  # fmt: skip
    screen.table(BRAKES, cells, empty="No brake was ever used.")


def stop(kind: Kind, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Stop a kind of sanction: none of it fires until it is released."""
    _switch(kind, said(by, reason), stopped=True, json=json)


def release(kind: Kind, /, *, reason: Why, by: By = "", json: Json = False) -> None:
    """Let a kind of sanction fire again, and wake what waited for that."""
    _switch(kind, said(by, reason), stopped=False, json=json)


def _switch(kind: str, word: Word, *, stopped: bool, json: bool) -> None:
    known_kind(kind)

    async def work(desk: PostgresDesk) -> None:
        async with desk.begin() as tx:
            await tx.stop_kind(kind, word, stopped=stopped)

    at_desk(work)
    done(
        f"{kind} is {'stopped' if stopped else 'released'} by {word.by}", {"kind": kind, "stopped": stopped}, json=json
    )


def cap(
    kind: Kind,
    an_hour: Annotated[int, Parameter(help="The most in an hour; -1: what the regime says.")],
    /,
    *,
    reason: Why,
    by: By = "",
    json: Json = False,
) -> None:
    """Set how many of a kind may fire in an hour."""
    known_kind(kind)
    word, most = said(by, reason), None if an_hour < 0 else an_hour

    async def work(desk: PostgresDesk) -> None:
        async with desk.begin() as tx:
            await tx.cap_kind(kind, most, word)

    at_desk(work)
    shown = "as many as the regime says" if most is None else f"{most} an hour at most"
    done(f"{kind}: {shown}, by {word.by}'s word", {"kind": kind, "cap_per_hour": most}, json=json)


def history(
    *,
    kind: Annotated[str, Parameter(help="Of this kind of sanction only.")] = "",
    limit: Most = 50,
    json: Json = False,
) -> None:
    """List what was done with the brakes, newest first, the brake on all mail among them."""

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.brake_changes(kind=kind or None, most=limit)

    rows = at_desk(work)
    if json:
        show_rows(rows)
    else:
        screen.table(CHANGES, map(_change_cells, rows), empty="No brake was ever used.")


def _change_cells(row: Row) -> tuple[object, ...]:
    if row["change"] == "capped":
        what = "cap: the regime's" if row["cap_per_hour"] is None else f"cap: {row['cap_per_hour']} an hour"
    else:
        what = str(row["change"])
    return minute(row["changed_at"]), row["kind"] or "all mail", what, row["changed_by"], row["reason"]
