"""`duly retention …`: what content is kept, why and how long; legal holds; and asking to erase early.

Nothing is erased here: `relay` erases what is due, and what a person asked for, after deciding again by every fact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from services.cli import screen
from services.cli.desk import (
    By,
    Most,
    Why,
    at_desk,
    done,
    library,
    minute,
    named,
    operator,
    said,
    short,
    show_rows,
)
from services.cli.options import Json
from services.cli.screen import Column
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row
    from services.kernel.domain.retention import Erase, Keep
    from services.kernel.runtime.desk_retention import Held

COLUMNS = (
    Column("notice"), Column("reference"), Column("state"), Column("kept until"), Column("erased"),
    Column("kept for", fold=True), Column("looks again"),
)  # fmt: skip
HOLDS = (
    Column("legal hold"), Column("on", fold=True), Column("since"), Column("by", fold=True),
    Column("reason", fold=True),
)  # fmt: skip
LIFTED = (*HOLDS, Column("lifted", fold=True))
Notice = Annotated[str, Parameter(help="A notice: its id, how the id ends, or upstream's reference.")]
NoticeToo = Annotated[str, Parameter(name="--notice", help="A notice: its id, how the id ends, or its reference.")]
Matter = Annotated[str, Parameter(name="--matter", help="A matter, as REGIME:MATTER.")]
Business = Annotated[str, Parameter(name="--business", help="A business, with all its notices, those to come as well.")]

app = App(name="retention", help="What content is kept, why, and for how long. Evidence and hashes are kept for good.")


@app.command(name="list")
def show(
    *,
    reason: Annotated[str, Parameter(help="Kept for this reason only, such as legal_hold or hold_open.")] = "",
    business: Annotated[str, Parameter(help="Of this business only.")] = "",
    due: Annotated[bool, Parameter(help="Only what relay will look at now.")] = False,
    erased: Annotated[bool, Parameter(help="What is erased as well.")] = False,
    limit: Most = 100,
    json: Json = False,
) -> None:
    """List notices old enough to be looked at, the longest due first, with why their content is kept."""

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.retention(
            reason=reason or None, erased=erased, due=due, business=business or None, most=limit
        )  # fmt: skip

    rows = at_desk(work)
    if json:
        show_rows(rows)
    else:
        screen.table(COLUMNS, map(_cells, rows), empty="No content is old enough to be looked at.")


def _cells(row: Row) -> tuple[object, ...]:
    codes = row["kept_for"] if isinstance(row["kept_for"], list) else []
    kept_for = ", ".join(code.replace("_", " ") for code in codes)
    asked = f"{row['asked_by']} asks to erase it" if row["asked_by"] else ""
    why = "; ".join(filter(None, (kept_for, asked)))
    again = "now" if row["due"] else minute(row["look_again_at"])
    until, erased = row["kept_until"] or "", minute(row["erased_at"])[:10]
    return short(row["notice_id"]), row["source_ref"], row["state"], until, erased, why, again


@app.command
def erase(
    notice: Notice,
    /,
    *,
    dry_run: Annotated[bool, Parameter(name="--dry-run", help="Say what would be answered; note nothing.")] = False,
    reason: Annotated[str, Parameter(name="--reason", help="Why; it is recorded.")] = "",
    by: By = "",
    json: Json = False,
) -> int:
    """Ask that a notice's content be erased now. It is refused where the law needs it, with every reason.

    relay erases it in its next round, after deciding again. The exit code is 1 if it is refused.
    """
    word = None if dry_run else said(by, reason)

    async def work(desk: PostgresDesk) -> tuple[object, Erase | Keep]:
        from services.kernel.runtime.desk_retention import ask_erasure  # noqa: PLC0415 -- heavy

        notice_id = await named(desk, "notice", notice)
        verdict = await ask_erasure(desk, library(), notice_id, word)
        why = "; ".join(each.code for each in getattr(verdict, "reasons", ())) or "nothing stands against it"
        await desk.record_access(by or operator(), "erasure.rehearsed" if dry_run else "erasure.asked", notice_id, why)
        return notice_id, verdict

    notice_id, verdict = at_desk(work)
    return _answer(notice_id, verdict, dry_run=dry_run, json=json)


def _answer(notice_id: object, verdict: Erase | Keep, *, dry_run: bool, json: bool) -> int:
    reasons = list(getattr(verdict, "reasons", ()))
    if json:
        told = [{"code": each.code, "text": each.text} for each in reasons]
        screen.json_line({"notice_id": str(notice_id), "may_erase": not reasons, "dry_run": dry_run, "reasons": told,
                          "kept_until": str(verdict.kept_until or "")})  # fmt: skip
    elif reasons:
        screen.line(f"notice {notice_id} keeps its content", screen.BAD)
        for each in reasons:
            screen.line(f"  {each.code.replace('_', ' ')}: {each.text}")
    else:
        what = "nothing stands against erasing its content" if dry_run else "relay erases its content in its next round"
        screen.line(f"notice {notice_id}: {what}", screen.GOOD)
    return Exit.NO if reasons else Exit.OK


@app.command
def holds(
    *,
    lifted: Annotated[bool, Parameter(help="Show the lifted ones as well.")] = False,
    limit: Most = 100,
    json: Json = False,
) -> None:
    """List open legal holds, oldest first."""

    async def work(desk: PostgresDesk) -> list[Row]:
        return await desk.legal_holds(lifted=lifted, most=limit)

    rows = at_desk(work)
    if json:
        show_rows(rows)
    else:
        cells = ((*_hold(row), *(_lifted(row) if lifted else ())) for row in rows)
        screen.table(LIFTED if lifted else HOLDS, cells, empty="No legal hold is open.")


def _hold(row: Row) -> tuple[object, ...]:
    on = f"notice {short(row['notice_id'])}" if row["notice_id"] else f"matter {row['regime']}:{row['matter']}"
    on = f"business {row['business_id']}" if row["business_id"] else on
    return short(row["legal_hold_id"]), on, minute(row["placed_at"])[:10], row["placed_by"], row["reason"]


def _lifted(row: Row) -> tuple[object, ...]:
    return (f"{minute(row['lifted_at'])} {row['lifted_by']}: {row['lift_reason']}" if row["lifted_at"] else "",)


@app.command
def hold(
    *,
    notice: NoticeToo = "",
    matter: Matter = "",
    business: Business = "",
    reason: Why,
    by: By = "",
    json: Json = False,
) -> None:
    """Place a legal hold on a notice, a matter or a business: no content of it is erased until it is lifted."""
    word = said(by, reason)
    if sum(map(bool, (notice, matter, business))) != 1:
        raise Fault("on what?", "", "name one of --notice, --matter REGIME:MATTER, --business", code=Exit.USAGE)

    async def work(desk: PostgresDesk) -> dict[str, object]:
        from services.kernel.runtime.desk_retention import place_legal_hold  # noqa: PLC0415 -- heavy

        placed = await place_legal_hold(desk, desk.ids, await _on(desk, notice, matter, business), word)
        return {"legal_hold_id": placed, "placed_by": word.by, "notices": await desk.covered(placed)}

    told = at_desk(work)
    many = f"{told['notices']} notice{'' if told['notices'] == 1 else 's'} by now"
    done(f"legal hold {told['legal_hold_id']} is placed by {word.by} on {many}", told, json=json)


async def _on(desk: PostgresDesk, notice: str, matter: str, business: str) -> Held:
    from services.kernel.runtime.desk_retention import Held  # noqa: PLC0415 -- heavy

    if notice:
        return Held(notice_id=await named(desk, "notice", notice))
    if business:
        return Held(business_id=business)
    regime, colon, name = matter.partition(":")
    if not colon or not name or regime not in library().regimes:
        raise Fault(
            "this names no matter", matter, "write REGIME:MATTER, with a regime of the library", code=Exit.USAGE
        )
    return Held(regime=regime, matter=name)


@app.command
def lift(
    legal_hold: Annotated[str, Parameter(help="A legal hold: its id, or how the id ends.")],
    /,
    *,
    reason: Why,
    by: By = "",
    json: Json = False,
) -> None:
    """Lift a legal hold. What it was on is looked at again within a day."""
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> dict[str, object]:
        from services.kernel.runtime.desk_retention import lift_legal_hold  # noqa: PLC0415 -- heavy

        lifted = await lift_legal_hold(desk, await named(desk, "legal_hold", legal_hold), word)
        return {"legal_hold_id": lifted.legal_hold_id, "lifted_by": word.by}

    told = at_desk(work)
    done(f"legal hold {told['legal_hold_id']} is lifted by {word.by}", told, json=json)
