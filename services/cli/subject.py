"""`duly subject …`: everything that is kept about a business. Who asked for it, and why, is on record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from services.cli import screen
from services.cli.desk import By, Most, Why, at_desk, done, minute, plain, said, short
from services.cli.options import Json
from services.cli.screen import Column
from services.cli.subject_export import COUNTED
from services.kernel.runtime.fault import Exit, Fault

if TYPE_CHECKING:
    from services.kernel.adapters.postgres.desk import PostgresDesk
    from services.kernel.adapters.postgres.desk_reads import Row

COLUMNS = (
    Column("notice"), Column("reference"), Column("type"), Column("state"), Column("kept until"), Column("erased"),
    Column("kept for", fold=True),
)  # fmt: skip
Business = Annotated[str, Parameter(help="The business's id.")]

app = App(name="subject", help="Everything that is kept about a business.")


@app.command
def show(business: Business, /, *, limit: Most = 100, json: Json = False) -> None:
    """Show what there is about a business: how much of each kind, and when its content will be erased."""

    async def work(desk: PostgresDesk) -> tuple[Row, list[Row]]:
        async with desk.snapshot():
            return await _counts(desk, business), await desk.subject_due(business, limit)

    counts, rows = at_desk(work)
    if json:
        screen.json_line({"business_id": business, "counts": plain(counts), "notices": plain(rows)})
        return
    for name, words in COUNTED.items():
        screen.line(f"  {words:<38} {counts[name]:>8}")
    screen.line("")
    screen.table(COLUMNS, map(_cells, rows))


async def _counts(desk: PostgresDesk, business: str) -> Row:
    counts = await desk.subject_counts(business)
    if not any(counts[name] for name in ("notices", "accesses", "legal_holds")):
        raise Fault("nothing is kept about this business", business, "give its id as upstream gives it", code=Exit.NO)
    return counts


def _cells(row: Row) -> tuple[object, ...]:
    codes = row["kept_for"] if isinstance(row["kept_for"], list) else []
    return (
        short(row["notice_id"]), row["source_ref"], row["notice_type"], row["state"], row["kept_until"] or "",
        minute(row["erased_at"])[:10], ", ".join(code.replace("_", " ") for code in codes),
    )  # fmt: skip


@app.command
def export(
    business: Business,
    /,
    *,
    out: Annotated[Path, Parameter(name="--out", help="A new folder, or a new file that ends in .zip.")],
    reason: Why,
    by: By = "",
    json: Json = False,
) -> None:
    """Write everything that is kept about a business, for machines and for people, with the SHA-256 of each file.

    The same state gives the same bytes. ABOUT.md in it says what each file holds.
    """
    word = said(by, reason)

    async def work(desk: PostgresDesk) -> tuple[Row, int, int]:
        from services.cli.subject_bundle import bundle  # noqa: PLC0415 -- heavy
        from services.cli.subject_export import write_subject  # noqa: PLC0415 -- heavy

        counts = await _counts(desk, business)
        await desk.record_subject(word.by, "subject.export", business, word.reason)
        with bundle(out) as made, screen.progress("exporting", int(str(counts["notices"]))) as advance:
            async with desk.snapshot():
                counts = await write_subject(desk, business, made, advance)
        return counts, len(made.written), sum(int(str(each["bytes"])) for each in made.written)

    counts, files, size = at_desk(work)
    told = {"business_id": business, "out": str(out), "files": files, "bytes": size, "counts": plain(counts)}
    done(f"{files:,} files with {size:,} bytes about {business} are in {out}", told, json=json)
